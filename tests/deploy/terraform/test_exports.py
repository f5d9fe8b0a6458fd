"""Terraform's copies of values from the code equal those in the code."""

import json
import re
import subprocess
from pathlib import Path

from tests.deploy.terraform.rig import PROJECT

from millrace.tables import ENDPOINTS
from millrace.warehouse.snowflake.objects import ADDED, META, SCHEMAS

TERRAFORM = PROJECT / "terraform"


def source() -> str:
    return "".join(path.read_text() for path in (PROJECT / "src").rglob("*.py"))


def hcl(pattern: str = "**/*.tf") -> list[Path]:
    return [path for path in sorted(TERRAFORM.glob(pattern)) if ".terraform" not in path.parts]


def test_the_exported_endpoints_are_those_of_the_registry() -> None:
    exported = json.loads((TERRAFORM / "tables.json").read_text())
    expected = {
        name: {
            "source": each.source,
            "feeds": list(each.feeds),
            "objects": each.objects,
            "parent": each.parent,
            "per_repository": each.per_repository,
        }
        for name, each in ENDPOINTS.items()
    }
    assert exported == expected, "run: .venv/bin/python terraform/write_tables.py"


def test_the_exported_statements_are_those_of_the_code() -> None:
    assert json.loads((TERRAFORM / "snowflake.json").read_text()) == {"made": META, "added": ADDED}, (
        "run: .venv/bin/python terraform/write_tables.py"
    )


def test_the_schemas_are_those_of_the_code() -> None:
    database = (TERRAFORM / "modules" / "snowflake" / "database.tf").read_text()
    made = re.search(r"toset\((\[.*?\])\)", database)
    assert made
    assert sorted(json.loads(made[1])) == sorted(SCHEMAS)


def test_each_user_of_snowflake_is_the_account_of_who_works_as_it() -> None:
    subjects = re.findall(r"(\w+) += module\.(\w+)\.account_subject", (TERRAFORM / "snowflake.tf").read_text())
    assert dict(subjects) == {"API": "api", "BUILDER": "dbt_runner", "LOADER": "load", "SWEEPER": "sweep"}


def test_every_setting_is_one_that_the_code_reads() -> None:
    known = set(re.findall(r"MILLRACE_[A-Z_]+", (PROJECT / "src" / "millrace" / "config.py").read_text()))
    set_here = {name for path in hcl() for name in re.findall(r"(MILLRACE_[A-Z_]+) +=", path.read_text())}
    assert set_here - known == set()


def test_every_alert_waits_for_a_line_that_the_code_logs() -> None:
    monitoring = "".join(path.read_text() for path in hcl("modules/monitoring/*.tf"))
    messages = set(re.findall(r'jsonPayload\.message = \\"([^"\\]+)', monitoring))
    assert messages == {"extracted", "heartbeat", "quarantined", "run ended", "unforeseen"}
    assert {
        message for message in messages if not re.search(rf'\b(?:log\.\w+|error|say)\(\s*"{message}"', source())
    } == set()


def test_the_hash_of_the_images_covers_every_file_that_the_dockerfile_copies() -> None:
    dockerfile = (PROJECT / "jobs" / "dbt-runner" / "Dockerfile").read_text()
    copied = [name.rstrip("/") for name in re.findall(r"^COPY (?!--from)(\S+) \S+$", dockerfile, re.M)]
    assert "src/millrace" in copied
    listed = subprocess.run(["git", "ls-files", "--", *copied], cwd=PROJECT, check=True, capture_output=True, text=True)
    files = {name for name in listed.stdout.splitlines() if "/." not in name}
    patterns = re.findall(r'fileset\(local\.root, "([^"]+)"\)', (TERRAFORM / "images.tf").read_text())
    hashed = {
        path.relative_to(PROJECT).as_posix()
        for pattern in patterns
        for spelt in braced(pattern)
        for path in PROJECT.glob(spelt if not spelt.endswith("**") else f"{spelt}/*")
    }
    assert files - hashed == set()


def braced(pattern: str) -> list[str]:
    """Return the patterns that one with braces stands for."""
    head, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    choices, _, tail = rest.partition("}")
    return [f"{head}{choice}{tail}" for choice in choices.split(",")]


def test_versions_of_providers_are_exact_and_every_module_names_its_terraform() -> None:
    for path in hcl("versions.tf") + hcl("bootstrap/main.tf"):
        versions = re.findall(r'^ +version = "(.*)"$', path.read_text(), re.M)
        assert versions, path
        assert [each for each in versions if not re.fullmatch(r"\d+\.\d+\.\d+", each)] == []
    modules = [path for path in (TERRAFORM / "modules").iterdir() if path.is_dir()]
    without = [path.name for path in modules if "required_version" not in (path / "versions.tf").read_text()]
    assert without == []


def test_every_variable_and_output_has_a_description() -> None:
    blocks = [
        (path.relative_to(TERRAFORM).as_posix(), kind, name, body)
        for path in hcl()
        for kind, name, body in re.findall(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', path.read_text(), re.M | re.S)
    ]
    assert len(blocks) > 50
    assert [block[:3] for block in blocks if not re.search(r'^  description = ".+\."$', block[3], re.M)] == []


def test_variables_and_outputs_are_in_alphabetical_order() -> None:
    for path in hcl("**/variables.tf") + hcl("**/outputs.tf"):
        names = re.findall(r'^(?:variable|output) "(\w+)"', path.read_text(), re.M)
        assert names == sorted(names), path


def test_every_skipped_security_check_has_a_reason() -> None:
    skips = [line for path in hcl() for line in path.read_text().splitlines() if "checkov:skip" in line]
    assert [line for line in skips if not re.search(r"checkov:skip=CKV\w+:\S.{15,}", line)] == []
