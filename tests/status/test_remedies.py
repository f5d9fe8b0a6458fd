"""The next step: a text for each step at each place, with commands of that place only."""

import re
import shlex
from pathlib import Path

import pytest

from millrace.errors import ConfigError, Step, TransientError
from millrace.laptop.data_dir import PROJECT
from millrace.status.remedies import DEPLOYMENT, LAPTOP, Location, laptop, remedy, with_remedy
from millrace.status.rules import STEPS, Code

PACKAGE = PROJECT / "src" / "millrace"
PLACES = (LAPTOP, DEPLOYMENT)
TARGETS = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
MAKE = re.compile(rf"\bmake (?:{'|'.join(TARGETS)})\b|\.venv/bin")


def test_every_code_has_a_remedy_at_every_place() -> None:
    assert set(STEPS) == set(Code)
    texts = [remedy(step, place) for step in {*STEPS.values(), *Step} for place in PLACES]
    assert all(texts)
    assert not any("{" in text for text in texts)


def test_laptop_remedies_use_only_millrace_commands() -> None:
    typed = [text for step in Step if "type: " in (text := remedy(step, LAPTOP))]
    commands = [part for text in typed for part in re.findall(r"(?:type|or|once): (\w+)", text)]
    assert set(commands) == {"millrace"}


def test_deployment_remedies_use_gcloud_commands_or_documentation() -> None:
    other = {Step.COLLECT, Step.INSTALL, Step.WAIT, Step.TRY_AGAIN}
    texts = [remedy(step, DEPLOYMENT) for step in Step if step not in other]
    assert all("gcloud " in text or "docs/operations.md" in text for text in texts)
    assert not any("millrace" in text for text in texts)


def test_every_heading_that_a_deployment_is_sent_to_exists() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text()
    named = {found for step in Step for found in re.findall(r'"([^"]+)"', remedy(step, DEPLOYMENT))}
    assert named
    assert [name for name in named if not re.search(rf"^##+ {re.escape(name)}$", page, re.MULTILINE)] == []


def test_every_command_of_a_deployment_is_on_the_page_of_operations() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text()
    texts = [remedy(step, DEPLOYMENT) for step in Step]
    commands = {found for text in texts for found in re.findall(r"gcloud [a-z-]+ [a-z-]+ [a-z]+ [a-z-]+", text)}
    assert len(commands) >= 3
    assert [command for command in commands if command not in page] == []


@pytest.mark.parametrize("step", [step for step in Step if "millrace " in remedy(step, LAPTOP)])
def test_commands_name_another_data_directory(step: Step, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    text = remedy(step, laptop(folder))
    assert text.count(f" --data-dir {shlex.quote(str(folder))}") == text.count("millrace ")


def test_commands_do_not_name_the_default_data_directory() -> None:
    assert laptop(Path("data")) == laptop(Path("data").resolve()) == laptop() == LAPTOP


def test_commands_name_data_where_another_directory_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_DATA_DIR", str(tmp_path))
    assert laptop(tmp_path) == LAPTOP
    assert laptop(Path("data")) == Location("laptop", Path("data"))


@pytest.mark.parametrize(
    ("error", "place", "said"),
    [
        pytest.param(ConfigError("no file", step=Step.RUN), LAPTOP, "no file; type: millrace run", id="a laptop"),
        pytest.param(TransientError("busy", step=Step.WAIT), DEPLOYMENT, "busy; wait for it to end", id="a deployment"),
        pytest.param(ConfigError("no file"), LAPTOP, "no file", id="no step"),
        pytest.param(OSError("disk full"), LAPTOP, "disk full", id="an error of the system"),
    ],
)
def test_an_error_is_shown_with_its_remedy(error: Exception, place: Location, said: str) -> None:
    assert with_remedy(error, place) == said


def test_the_package_names_no_command_of_the_makefile() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".js", ".html", ".json")]
    lines = [(path, line) for path in files for line in path.read_text().splitlines()]
    assert len(files) > 100
    assert [f"{path.relative_to(PROJECT)}: {line.strip()}" for path, line in lines if MAKE.search(line)] == []
