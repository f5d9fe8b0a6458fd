"""Every command over untrusted names and values: none of them controls the terminal or starts a line."""

import io
import json
from pathlib import Path

import duckdb
import pytest
from rich.console import Console
from tests.laptop.conftest import run_all

import run_all as door
from millrace.build.dbt import Build
from millrace.cli import main as cli
from millrace.laptop.data_dir import DataDir
from millrace.laptop.drops import Drop
from millrace.laptop.progress import ProgressLog
from millrace.laptop.report import Report
from millrace.warehouse import Node
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

WORLD = ("--developers", "2", "--days", "10", "--end", "2026-10-20T00:00:00Z", "--no-limiter")
EVIL = "[bot] :bomb: \x1b]0;PWN\x07\x1b[2J \x9b31m \x7f \u202efdp \u200b \nlook: everything is fine"
SHOWN = r"[bot] :bomb: \x1b]0;PWN\x07\x1b[2J \x9b31m \x7f \u202efdp \u200b \nlook: everything is fine"
_TEXTS = {
    "usage_events": ("agent", "provider", "model"),
    "usage_daily": ("project", "user_id"),
    "project_repositories": ("project",),
    "user_developers": ("user_id",),
    "velocity": ("repo_name",),
    "developer_velocity": ("repo_name", "developer"),
    "usage_model_day": ("model",),
}


def harmless(text: str) -> bool:
    """Return whether the terminal interprets no part of it, and no line of it is untrusted."""
    lines = text.split("\n")
    return all(line.isprintable() and not line.startswith("look: everything") for line in lines)


def quoted(text: str) -> str:
    return text.replace("'", "''")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A data directory that was built and published, with hostile texts."""
    place = DataDir(tmp_path_factory.mktemp("hostile"))
    done = run_all(place.root, *WORLD, "--usage")
    assert done.code == 0, done.err
    repos = place.drop / "repos"
    repos.mkdir()
    (repos / "a\x1b[2J\nlook: everything is fine.csv").write_text("full_name\na\n")
    (repos / "names.ndjson").write_text(json.dumps({"full_name": f"acme/{EVIL}"}) + "\n")
    (repos / "values.ndjson").write_text(json.dumps({EVIL: 1}) + f"\n{EVIL}\n")
    drops = run_all(place.root, "--drops", "--no-build")
    assert (drops.code, harmless(drops.out), harmless(drops.err)) == (1, True, True), drops.out + drops.err
    sets = {mart: ", ".join(f"{column} = '{quoted(EVIL)}'" for column in columns) for mart, columns in _TEXTS.items()}
    with DuckDBWarehouse(place.warehouse) as warehouse:
        warehouse.run_scripts(
            [
                *(f"UPDATE mart.{mart} SET {values}" for mart, values in sets.items()),  # noqa: S608 our own names
                "UPDATE mart.usage_events SET cost_source = 'unknown'",
                "UPDATE mart.project_repositories SET repo_name = NULL",
                "UPDATE mart.user_developers SET developer = NULL",
            ]
        )
        (build,) = warehouse.last_builds(1)
        warehouse.publish(build)
    return place


@pytest.mark.parametrize(
    ("verb", "is_shown"),
    [
        pytest.param(("status",), True, id="status"),
        pytest.param(("etl", "status", "--json"), False, id="status as JSON"),
        pytest.param(("doctor",), True, id="doctor"),
        pytest.param(("usage", "doctor", "--json"), False, id="doctor as JSON"),
        pytest.param(("quarantine", "list"), False, id="quarantine list"),
        pytest.param(("quarantine", "list", "--json"), False, id="quarantine list as JSON"),
        pytest.param(("reconcile", *WORLD), True, id="reconcile"),
        pytest.param(("reconcile", EVIL), False, id="a run of that name"),
        pytest.param(("quarantine", "show", EVIL), False, id="an entry of that name"),
        pytest.param(("run", "--frob" + EVIL), False, id="an option of that name"),
        pytest.param(("run", "--end", EVIL), False, id="a value of that name"),
        pytest.param(("run", "--source-url", f"http://{EVIL}"), False, id="an address of that name"),
        pytest.param((EVIL,), False, id="a verb of that name"),
    ],
)
def test_a_command_prints_text_of_others_as_text(
    place: DataDir, verb: tuple[str, ...], is_shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main([*verb, *(["--data-dir", str(place.root)] if verb[0] != EVIL else [])])
    said = capsys.readouterr()
    assert harmless(said.out), said.out
    assert harmless(said.err), said.err
    assert (SHOWN in said.out) >= is_shown


def test_the_door_of_a_checkout_prints_text_of_others_as_text(
    place: DataDir, capsys: pytest.CaptureFixture[str]
) -> None:
    door.main(["status", "--data-dir", str(place.root)])
    said = capsys.readouterr().out
    assert (harmless(said), SHOWN in said) == (True, True)


def test_every_entry_of_the_quarantine_is_shown_as_text(place: DataDir, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["quarantine", "list", "--data-dir", str(place.root)])
    ids = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    for entry_id in ids:
        cli.main(["quarantine", "show", entry_id, "--data-dir", str(place.root)])
    said = capsys.readouterr().out
    assert (len(ids), harmless(said), r"\x1b]0;PWN" in said) == (2, True, True), said


def test_the_report_of_a_run_shows_names_whole_and_as_text(place: DataDir) -> None:
    node = Node(EVIL, "test", "fail", 0.1, EVIL)
    report = Report(place, drops=[Drop(f"drop/{EVIL}", EVIL, EVIL, is_good=False)], build=Build((node,), 0.1))
    console = Console(file=io.StringIO(), width=4000)
    report.show(console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert harmless(said), said
    assert said.count(SHOWN) >= 7


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("acme/[/nonsense]", id="an end of no style"),
        pytest.param("dependabot[bot]", id="a bot"),
        pytest.param("[link=http://evil.com]click[/link]", id="a link"),
        pytest.param("[bold red on white]x[/]", id="a style"),
        pytest.param("[@click=quit]x", id="an action"),
        pytest.param("[[x]] \\[x] [", id="brackets and a backslash"),
        pytest.param(":bomb: :warning-text:", id="an emoji"),
        pytest.param("{x} %s <b>x</b> `x` $x", id="markup of others"),
    ],
)
def test_markup_in_a_name_is_shown_as_it_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect(tmp_path / "published.duckdb") as connection:
        columns = "1 AS total_prs, 1 AS total_loc, 1 AS avg_cycle_time_hours"
        connection.execute("CREATE SCHEMA mart")
        connection.execute(
            f"CREATE TABLE mart.developer_velocity AS SELECT 'w' AS week, $1 AS repo_name, $1 AS developer, {columns}",
            [name],
        )
    drops = [Drop(name, "not loaded", "a test", is_good=False)]
    node = Node(name, "test", "fail", 0.1, "a test")
    console = Console(file=io.StringIO(), width=400)
    Report(DataDir(tmp_path), drops=drops, build=Build((node,), 0.1)).show(console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count(name) == 4
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then detects a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    with ProgressLog() as watcher:
        watcher.say(name)
    assert name in capsys.readouterr().err


def test_a_live_line_shows_names_whole_and_as_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then detects a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    with ProgressLog() as watcher:
        watcher.say(EVIL)
        watcher.on_node(Node("[/x] :bomb: \x1b]0;PWN\x07\nlook:", "model", "ok", 0.1, ""), 3)
    said = capsys.readouterr().err
    assert (SHOWN in said, r"[/x] :bomb: \x1b]0;PWN\x07\nlook:" in said) == (True, True), said
    assert ("\x1b]0" in said, "\nlook" in said) == (False, False)


def test_log_with_hostile_name_is_printed_as_harmless_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "a\x1b[2J\nlook: everything is fine"
    damaged = home / ".config" / "Cursor" / "User" / "globalStorage" / "state.vscdb"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    code = cli.main(["collect", "--home", str(home), "--lake", (tmp_path / "lake").as_uri()])
    said = capsys.readouterr()
    assert (code, harmless(said.out), harmless(said.err)) == (1, True, True), said
    assert r"a\x1b[2J\nlook: everything is fine/.config" in said.out
