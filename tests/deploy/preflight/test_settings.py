"""The settings are those that Terraform itself reads, and every printed gcloud command exists in gcloud."""

import json
import os
import re
import shlex
import shutil
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from terraform.checks import hcl, settings
from tests.deploy.preflight import projects
from tests.deploy.preflight.surroundings import CODE, Surroundings, environment

PROJECT = Path(__file__).resolve().parents[3]
VARIABLES = """
variable "project_id" {
  type     = string
  nullable = false
}

variable "region" {
  type    = string
  default = "europe-west1"
}

variable "readers" {
  type    = set(string)
  default = []
}

variable "keys" {
  type    = map(object({ secret = string, version = string }))
  default = {}
}

variable "days" {
  type    = number
  default = 7
  validation {
    condition     = var.days >= 7
    error_message = "days: at least 7."
  }
}

variable "key" {
  type    = string
  default = null
}

variable "is_kept" {
  type    = bool
  default = true
}
"""
OWN = """
# a comment, // another
days    = 9 // nine
is_kept = false
readers = [
  "group:a@example.com", # the first
  "user:b@example.com",
]
/* and
   a long one */
keys = {
  LOADER = { secret = "a \\"quoted\\" $${name}", version = "1" }
  "API"  = { secret = "\\u00e9", version = "2" }
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "envs").mkdir()
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "envs/dev.tfvars").write_text(OWN)
    (tmp_path / "terraform.tfvars").write_text('days = 8\nregion = "us-east1"\n')
    (tmp_path / "b.auto.tfvars").write_text('region = "europe-west3"\n')
    (tmp_path / "a.auto.tfvars.json").write_text('{"region": "us-west1"}')
    return tmp_path


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        pytest.param([], {"TF_VAR_project_id": "acme-data"}, id="files"),
        pytest.param(["region=us-central1", "region=europe-west4"], {"TF_VAR_project_id": "acme-data"}, id="flags"),
        pytest.param(
            ["project_id=acme-data"],
            {"TF_VAR_project_id": "other", "TF_VAR_key": "null", "TF_VAR_days": "30"},
            id="environment",
        ),
        pytest.param(['readers=["group:c@example.com"]', "project_id=acme-data"], {}, id="a list"),
    ],
)
def test_terraform_reads_the_same_values(module: Path, flags: list[str], variables: dict[str, str]) -> None:
    names = ("days", "is_kept", "key", "keys", "project_id", "readers", "region")
    asked = "jsonencode({" + ", ".join(f"{name} = var.{name}" for name in names) + "})\n"
    command = ["terraform", f"-chdir={module}", "console", "-var-file=envs/dev.tfvars", *(f"-var={x}" for x in flags)]
    with environment(variables):
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=600)
        found = settings.read(module, "dev", flags, os.environ).values
    assert dict(found) == json.loads(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a = 1\nb = max(1, 2)", "line 2: expected a literal value, got max", id="function"),
        pytest.param('a = "${var.b}"', "line 1: expected a text without ${…}", id="interpolation"),
        pytest.param("a = <<EOT\nb\nEOT", "line 1: expected a literal value, got <<EOT", id="heredoc"),
        pytest.param("a = [1, 2", "line 1: expected ,, got the end", id="open list"),
        pytest.param("a = 1 b = 2", "line 1: expected the end of the line, got b", id="two on a line"),
        pytest.param("a\n", "line 1: expected =, got the end of the line", id="no value"),
        pytest.param('a = "b', 'line 1: expected a literal value, got "b', id="open text"),
        pytest.param("a {\n}", "line 1: expected =, got {", id="block"),
    ],
)
def test_what_is_no_literal_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(hcl.Unreadable) as refused:
        hcl.assignments(text)
    assert str(refused.value).startswith(said)


def test_an_unreadable_file_is_named(module: Path) -> None:
    (module / "b.auto.tfvars").write_text("days = 1 + 1\n")
    with pytest.raises(settings.WrongSettings, match=r"b\.auto\.tfvars: line 1: expected the end of the line, got \+"):
        settings.read(module, "dev", [], {"TF_VAR_project_id": "acme-data"})


def test_the_variables_of_the_code_are_all_read() -> None:
    text = "".join(path.read_text() for path in sorted(CODE.glob("variables*.tf")))
    names = re.findall(r'^variable "(\w+)"', text, re.MULTILINE)
    assert "sources" in names
    assert list(hcl.declared(text)) == names


def test_the_environments_of_the_code_are_read() -> None:
    for path in (CODE / "envs").glob("*.tfvars"):
        assert hcl.assignments(path.read_text())


def gcloud_tree() -> dict[str, Any] | None:
    """Return gcloud's own table of its commands and flags; None without gcloud."""
    gcloud = shutil.which("gcloud")
    path = Path(gcloud or "/").resolve().parents[1] / "data/cli/gcloud_completions.py" if gcloud else Path("/none")
    if not path.is_file():
        return None
    spec = spec_from_file_location("gcloud_completions", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    tree: dict[str, Any] = module.STATIC_COMPLETION_CLI_TREE
    return tree


def unknown_words(tree: dict[str, Any], command: str) -> list[str]:
    """Return what a gcloud command has that gcloud's table has not."""
    words = shlex.split(command.partition(" && ")[0].partition(", or ")[0])[1:]
    node, flags = tree, dict(tree["flags"])
    while words and words[0] in node["commands"]:
        node = node["commands"][words.pop(0)]
        flags |= node["flags"]
    unknown = [] if not node["commands"] else [command]
    return unknown + [word for word in words if word.startswith("--") and word.partition("=")[0] not in flags]


def commands(text: str) -> set[str]:
    return set(re.findall(r"\bgcloud [a-z][^`\n|;]*", text))


def test_every_command_that_mends_is_one_of_gcloud(there: Surroundings) -> None:
    tree = gcloud_tree()
    if tree is None:
        pytest.skip("gcloud or its table of commands is not installed")
    there.google.answers = projects.everything_missing
    mended = [finding.mend or "" for finding in there.findings()]
    printed = {each for mend in mended for part in mend.split(" && ") for each in commands(part)}
    written = commands((PROJECT / "docs/before-you-deploy.md").read_text())
    assert len(printed) > 25
    assert [(each, unknown) for each in sorted(printed | written) if (unknown := unknown_words(tree, each))] == []
