"""The documents are correct: every command, option, path, setting and object name in them exists."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from millrace.api.routes import ROUTES
from millrace.cli import main as cli
from millrace.collect.stores import STORES
from millrace.lake import names as keys
from millrace.tables import CURSOR_SIM, TABLES

PROJECT = Path(__file__).resolve().parents[1]
RUN_ALL = {"--emulators", "--help"}
PAGES = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])


def text(name: str) -> str:
    return (PROJECT / name).read_text()


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return [PROJECT / name for name in listed.splitlines()]


def test_the_readme_opens_with_its_two_commands() -> None:
    first_screen = text("README.md").splitlines()[:25]
    assert [line.split("#")[0].strip() for line in first_screen if line.startswith("make ")] == [
        "make run",
        "make test",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_path_and_link_of_a_page_exists(page: Path) -> None:
    words = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", words)]
    paths = [
        PROJECT / path
        for path in re.findall(r"`((?:src|local|functions|jobs|tests|docs|bench|requirements)/[\w./-]+)`", words)
    ]
    assert [path for path in links + paths if not path.exists()] == []


def test_every_command_of_a_page_is_one_that_parses() -> None:
    """A bare `--option` beside a command must be an option of that command, too."""
    offenders = []
    for page in PAGES:
        for found in re.findall(
            r"(?:millrace|local/run_all\.py) ((?:[a-z]+|--?[a-z-]+)(?: [^`#\n|&]*)?)", code_of(page)
        ):
            words = [word for word in found.replace('"', "").split() if word != "…"]
            name = "run" if words[0].startswith("-") else words[0]
            command = cli.tree.commands.get(name)
            if isinstance(command, click.Group) and len(words) > 1:
                command = command.commands.get(words[1])
            options = (
                {option for each in command.params for option in each.opts + each.secondary_opts} if command else set()
            )
            unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - options - RUN_ALL
            if command is None or unknown:
                offenders.append((page.name, found, unknown))
    assert offenders == []


def code_of(page: Path) -> str:
    """Return the parts of a page that it shows as code, one per line."""
    words = page.read_text()
    blocks = re.findall(r"```sh\n(.*?)```", words, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", words, flags=re.DOTALL))])


def test_the_exit_codes_of_the_readme_are_those_of_the_help() -> None:
    codes = re.findall(r"\*\*(\d+)\*\*", text("README.md"))
    assert codes == re.findall(r"\b(\d+) [a-z]", (cli.tree.epilog or "").splitlines()[1])


def test_the_page_of_settings_names_every_setting_that_the_code_reads() -> None:
    source = text("src/millrace/config.py")
    documented = set(re.findall(r"MILLRACE_[A-Z_]+", text("docs/settings.md")))
    assert documented == set(re.findall(r'"(MILLRACE_[A-Z_]+)"', source))


def test_every_object_name_of_the_lake_page_is_one_that_parses() -> None:
    names = re.findall(r"^\| `((?:raw|runs|state|drop|build)/[^`]+)`", text("docs/lake.md"), re.MULTILINE)
    values = {
        "<table>": "commits",
        "<endpoint>": "commits",
        "<YYYY-MM-DD>": "2026-11-01",
        "<run_id>": "20261101T000000Z",
        "<task_id>": "commits",
        "<nnnnn>": "00000",
        "<any name>": "my file",
        "<id>": "0123456789abcdef-1",
        "<number>-<token>": "7-9",
        r".(parquet\|ndjson\|csv)": ".csv",
    }
    for name in names:
        for placeholder, value in values.items():
            name = name.replace(placeholder, value)
        assert str(keys.parse(name)) == name
    assert len(names) == 14


def test_every_table_is_in_the_page_about_incremental_reading() -> None:
    assert set(re.findall(r"^\| (\w+) \|", text("docs/source.md"), re.MULTILINE)) >= set(CURSOR_SIM)


def test_the_lookback_of_the_source_page_is_the_registrys() -> None:
    page = text("docs/source.md")
    assert f"the last {TABLES['commits'].lookback_days} days" in page
    assert f"the last {TABLES['pull_requests'].lookback_days} days" in page


def test_the_page_of_usage_has_the_registry_of_stores() -> None:
    page = text("docs/usage.md")
    rows = [
        f"| `{agent}` | {store.what} | {store.form} | {store.versions} | {store.since or '-'} | {store.until or '-'} |"
        for (agent, _), store in STORES.items()
    ]
    assert [row for row in rows if row not in page] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted((PROJECT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_requirements_are_hashed_and_name_no_address() -> None:
    for path in (PROJECT / "requirements").glob("*.txt"):
        content = path.read_text()
        assert "://" not in content, path
        assert content.count("==") <= content.count("--hash=sha256:"), path


def test_no_tracked_file_is_larger_than_two_megabytes() -> None:
    assert [path for path in tracked_files() if path.exists() and path.stat().st_size > 2 << 20] == []


def test_the_page_of_the_read_api_has_every_route_and_every_parameter() -> None:
    page = text("docs/api.md").partition("## Routes")[2].partition("## What an answer says")[0]
    assert re.findall(r"^\| `/api/([\w/-]+)` \|", page, re.MULTILINE) == [*(each.path for each in ROUTES), "etl/status"]
    named = {
        name
        for row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    }
    fields = {name: field for each in ROUTES for name, field in each.filters.model_fields.items()}
    assert named == {field.alias or name for name, field in fields.items()}
