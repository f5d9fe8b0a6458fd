"""`millrace report` and `millrace statusline`: what they read, print and return."""

import csv
import io
import json
import multiprocessing
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.collect.machine import Machine, response
from tests.collect.test_repositories import made, remote

from millrace.cli import main as cli
from millrace.collect import lock
from millrace.laptop.project import PROJECT

USAGE = {"input_tokens": 1_000_000, "output_tokens": 10}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(tmp_path / "state"))
    unset = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "MILLRACE_COLLECT", "MILLRACE_COLLECT_OWNERS", "MILLRACE_DATA_DIR")
    for name in (*unset, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


@pytest.fixture
def run(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main([arguments[0], *arguments[1:], "--home", str(machine.home), "--timezone", "UTC"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def write(machine: Machine, *lines: bytes, name: str = "S1") -> Path:
    path = machine.log("claude", name)
    path.write_bytes(b"".join(lines))
    return path


def priced(message: str, at: str = "2026-01-02T03:04:05Z", model: str = "claude-opus-4-5") -> bytes:
    """Return a line of Claude Code with a response that costs 5.00025 USD."""
    line = json.loads(response(message, at=at))
    line["message"] |= {"model": model, "usage": USAGE}
    return json.dumps(line).encode() + b"\n"


def rows_of(run: Run, *arguments: str) -> list[dict[str, Any]]:
    code, out, _ = run("report", *arguments, "--json")
    assert code == 0
    rows: list[dict[str, Any]] = json.loads(out)["rows"]
    return rows


def test_first_report_reads_the_logs_and_the_next_only_what_is_new(machine: Machine, run: Run) -> None:
    path = write(machine, priced("m1"))
    assert [row["total_tokens"] for row in rows_of(run)] == [1_000_010]
    path.write_bytes(path.read_bytes() + priced("m2", at="2026-01-03T00:00:00Z"))
    assert [(row["day"], row["cost_usd"]) for row in rows_of(run)] == [
        ("2026-01-02", "5.000250000000"),
        ("2026-01-03", "5.000250000000"),
    ]


def test_what_a_report_read_is_sent_by_the_next_collect(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"))
    run("report")
    assert not list(machine.spool.glob("*"))
    assert [row["message_id"] for row in machine.run()] == ["m1"]


def test_history_stays_when_a_log_is_deleted(machine: Machine, run: Run) -> None:
    path = write(machine, priced("m1"))
    before = rows_of(run)
    path.unlink()
    assert rows_of(run) == before


def test_machine_without_logs_lists_the_places_and_exits_1(run: Run, machine: Machine) -> None:
    (machine.home / ".claude" / "projects").mkdir(parents=True)
    code, out, err = run("report")
    assert (code, out) == (1, "")
    assert "no log of a coding agent was found; these places were looked at:" in err
    assert f"✓ claude    {machine.home}/.claude/projects (0 logs)" in err
    assert f"\N{EN DASH} codex     {machine.home}/.codex/sessions\n" in err


def test_range_without_usage_says_so(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"))
    code, out, _ = run("report", "--since", "2026-01-03")
    assert (code, out.splitlines()[-1]) == (0, "nothing was used in these days; `millrace report` has all")


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        pytest.param(["--since", "2026-01-02", "--until", "2026-01-02"], 1, id="a day"),
        pytest.param(["--model", "claude-opus-4-5"], 2, id="a model"),
        pytest.param(["--model", "other"], 0, id="another model"),
        pytest.param(["--project", "app"], 2, id="a project"),
        pytest.param(["--agents", "codex"], 0, id="another agent"),
        pytest.param(["--without", "claude"], 0, id="without the agent"),
    ],
)
@pytest.mark.parametrize("table", ["daily", "weekly", "monthly", "session", "project", "repository", "model"])
def test_options_select_events(machine: Machine, run: Run, table: str, arguments: list[str], messages: int) -> None:
    write(machine, priced("m1"), priced("m2", at="2026-01-04T00:00:00Z"))
    run("report")
    found = rows_of(run, table, *arguments)
    assert sum(row["assistant_message_count"] for row in found) == messages


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        pytest.param("", {"acme/shop": 1, "me/notes": 1, None: 1}, id="all where nothing is sent"),
        pytest.param("ACME, other", {"acme/shop": 1, None: 2}, id="those of the setting"),
    ],
)
def test_repositories_are_those_of_the_git_remotes(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch, owners: str, expected: dict[str | None, int]
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_OWNERS", owners)
    for name, url in (("shop", "git@github.com:acme/shop.git"), ("notes", "https://me:secret@example.com/me/notes")):
        made(machine.home / name / ".git", remote(url))
        log = json.loads(priced(name)) | {"cwd": str(machine.home / name)}
        write(machine, json.dumps(log).encode() + b"\n", name=name)
    write(machine, priced("none"), name="none")
    run("report")  # which names none, so that the logs are read again
    found = {row["repository"]: row["assistant_message_count"] for row in rows_of(run, "repository")}
    assert found == expected
    _, out, _ = run("report", "repository")
    assert "Usage by repository" in out
    assert "secret" not in out


def test_csv_has_the_rows_of_json(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"), priced("m2", model="unsold-1", at="2026-01-04T00:00:00Z"))
    _, out, _ = run("report", "--csv")
    table = list(csv.DictReader(io.StringIO(out)))
    found = rows_of(run)
    assert [row["cost_usd"] for row in table] == ["5.000250000000", ""]
    assert [row["cost_usd"] for row in found] == ["5.000250000000", None]
    assert [int(row["total_tokens"]) for row in table] == [row["total_tokens"] for row in found]


def test_csv_breakdown_has_a_row_for_each_model(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"), priced("m2", model="unsold-1"))
    _, out, _ = run("report", "--csv", "--breakdown")
    table = csv.DictReader(io.StringIO(out))
    assert [(row["day"], row["model"]) for row in table] == [
        ("2026-01-02", "claude-opus-4-5"),
        ("2026-01-02", "unsold-1"),
    ]


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the lock of a state folder in another process."""
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(state, ready, done))
    process.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        done.set()
        process.join()


def hold(state: Path, ready: Any, done: Any) -> None:
    with lock.holding(state):
        ready.set()
        done.wait(60)


@pytest.mark.slow
def test_report_beside_a_collector_shows_what_is_saved(machine: Machine, run: Run) -> None:
    path = write(machine, priced("m1"))
    run("report")
    path.write_bytes(path.read_bytes() + priced("m2"))
    with held(machine.state):
        code, out, _ = run("report")
        shown = json.loads(run("report", "--json")[1])
    assert (code, out.splitlines()[0]) == (0, "another process collects: this is what it has saved so far")
    assert (shown["totals"]["assistant_message_count"], shown["is_current"]) == (1, False)
    assert rows_of(run)[0]["assistant_message_count"] == 2


def test_report_reads_nothing_when_collecting_is_off(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(machine, priced("m1"))
    monkeypatch.setenv("MILLRACE_COLLECT", "off")
    code, _, err = run("report", "--json")
    assert (code, machine.state.exists()) == (1, False), err


def test_data_directory_in_the_current_folder_is_used(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(machine, priced("m1"))
    (machine.folder / "data" / "collector").mkdir(parents=True)
    assert run("report", "--data-dir", "data")[::2] == (0, "")
    monkeypatch.delenv("MILLRACE_COLLECT_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(machine.folder / "other"))
    assert len(rows_of(run)) == 1
    assert not (machine.folder / "other").exists()


def test_log_that_cannot_be_read_exits_1_and_the_rest_counts(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"))
    machine.log("cursor").write_bytes(b"no database at all" * 100)
    code, out, err = run("report", "--json")
    assert (code, json.loads(out)["totals"]["assistant_message_count"]) == (1, 1)
    assert "cannot be read" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(["--json", "--csv"], "expected --json or --csv, got both", id="two forms"),
        pytest.param(["daily", "--active"], "expected --active and --recent with blocks", id="days have no active one"),
        pytest.param(["hourly"], "'hourly' is not one of", id="no such table"),
        pytest.param(["--last", "0"], "0 is not in the range", id="no period"),
    ],
)
def test_mistake_on_the_command_line_exits_2(run: Run, arguments: list[str], why: str) -> None:
    code, _, err = run("report", *arguments)
    assert (code, why in err) == (2, True), err


def test_unknown_time_zone_exits_2(capsys: pytest.CaptureFixture[str], machine: Machine) -> None:
    code = cli.main(["report", "--home", str(machine.home), "--timezone", "Mars/Base"])
    assert code == 2
    assert "expected a time zone like Europe/Berlin, UTC or local, got 'Mars/Base'" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--json", "--breakdown"], ["--csv"]])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "local"])
@pytest.mark.parametrize("table", ["daily", "weekly", "monthly", "session", "project", "repository", "model", "blocks"])
def test_instants_at_the_ends_of_time_are_counted(
    machine: Machine, capsys: pytest.CaptureFixture[str], table: str, zone: str, form: list[str]
) -> None:
    write(machine, priced("m1", at="0001-01-01T00:00:00Z"), priced("m2", at="9999-12-31T23:59:59.999999Z"))
    code = cli.main(["report", table, "--home", str(machine.home), "--timezone", zone, *form])
    out = capsys.readouterr().out
    assert (code, "1000010" in out.replace(",", "") or "2000020" in out.replace(",", "")) == (0, True)


def test_directory_of_a_demo_gets_no_own_logs(machine: Machine, run: Run, tmp_path: Path) -> None:
    write(machine, priced("m1"))
    demo = tmp_path / "demo"
    (demo / "lake" / "drop" / "repos").mkdir(parents=True)
    (demo / "lake" / "drop" / "repos" / "rows.csv").write_text("full_name\nacme/shop\n")
    (demo / "source.json").write_text('{"source": null, "kind": "demo", "sources": []}')
    code, out, said = run("report", "--data-dir", str(demo))
    assert (code, out, "holds a simulated company, which is never mixed" in said) == (2, "", True)
    assert not (demo / "collector").exists()


def test_page_of_the_report_names_every_field(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"), priced("m2", at=datetime.now(UTC).isoformat()))
    page = (PROJECT / "docs" / "report.md").read_text()
    for table in ("daily", "weekly", "monthly", "session", "project", "repository", "model", "blocks"):
        made = json.loads(run("report", table, "--json", "--breakdown")[1])
        for row in made["rows"]:
            fields = {*made, *row, *(row.get("pace") or {})}
            assert sorted(name for name in fields if f"`{name}`" not in page) == []


def test_blocks_are_claudes_unless_agents_are_named(machine: Machine, run: Run) -> None:
    write(machine, priced("m1"))
    total = {"input_tokens": 7, "output_tokens": 1}
    info = {"type": "token_count", "info": {"total_token_usage": total}}
    line = {"type": "event_msg", "timestamp": "2026-01-02T03:04:05Z", "payload": info}
    machine.log("codex", "0e8b7c1c-2222-4222-8222-000000000001").write_text(json.dumps(line) + "\n")
    assert [row["total_tokens"] for row in rows_of(run, "blocks")] == [1_000_010]
    assert [row["total_tokens"] for row in rows_of(run, "blocks", "--agents", "codex,claude")] == [1_000_018]


def test_active_block_has_a_pace(machine: Machine, run: Run) -> None:
    now = datetime.now(UTC)
    write(machine, priced("m1"), priced("m2", at=now.isoformat()))
    (block,) = rows_of(run, "blocks", "--active")
    assert (block["is_active"], block["total_tokens"]) == (True, 1_000_010)
    assert block["pace"]["projected_tokens"] >= 1_000_010
    assert [row["is_active"] for row in rows_of(run, "blocks")] == [False, True]
    assert len(rows_of(run, "blocks", "--recent")) == 1


class Input:
    """Standard input that is a pipe."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


@pytest.fixture
def status(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], str]:
    """Run the status line with an input, and return its line."""

    def status(given: object) -> str:
        content = given if isinstance(given, bytes) else json.dumps(given).encode()
        monkeypatch.setattr(sys, "stdin", Input(content))
        code, out, err = run("statusline")
        assert (code, err, out.count("\n")) == (0, "", 1)
        return out.rstrip("\n")

    return status


def documented(path: Path, **more: object) -> dict[str, object]:
    """Return the input of the documentation, for a transcript."""
    return {
        "session_id": "S1",
        "transcript_path": str(path),
        "cwd": "/home/x/app",
        "model": {"id": "claude-opus-4-5", "display_name": "Opus"},
        "workspace": {"current_dir": "/home/x/app", "project_dir": "/home/x/app"},
        "version": "2.1.90",
        "output_style": {"name": "default"},
        "cost": {"total_cost_usd": 0.25, "total_duration_ms": 45000, "total_lines_added": 156},
        "context_window": {"context_window_size": 200000, "used_percentage": 8, "current_usage": None},
        "exceeds_200k_tokens": False,
        **more,
    }


def test_statusline_has_session_today_block_and_pace(machine: Machine, status: Callable[[object], str]) -> None:
    path = write(machine, priced("m1", at=datetime.now(UTC).isoformat()))
    model, session, today, block, pace = status(documented(path)).split(" | ")
    assert (model, session, today) == ("Opus", "$5.00 session", "$5.00 today")
    assert block.startswith("$5.00 block, 4 h ")
    assert pace.endswith("/h")
    assert not machine.state.exists()


def test_statusline_adds_new_lines_of_the_transcript_to_the_store(
    machine: Machine, run: Run, status: Callable[[object], str]
) -> None:
    now = datetime.now(UTC).isoformat()
    path = write(machine, priced("m1", at=now))
    run("report")
    before = (machine.state / "state.sqlite").read_bytes()
    path.write_bytes(path.read_bytes() + priced("m2", at=now) + priced("m3", at=now)[:-9])
    assert "$10.00 session | $10.00 today" in status(documented(path))
    assert (machine.state / "state.sqlite").read_bytes() == before


def test_statusline_takes_the_end_of_the_block_from_the_limits(
    machine: Machine, status: Callable[[object], str]
) -> None:
    now = datetime.now(UTC)
    path = write(machine, priced("m1", at=now.isoformat()))
    resets_at = int((now + timedelta(minutes=90, seconds=30)).timestamp())
    assert "1 h 30 min left" in status(documented(path, rate_limits={"five_hour": {"resets_at": resets_at}}))


def test_statusline_of_a_session_that_is_not_read_has_claudes_own_cost(
    machine: Machine, status: Callable[[object], str]
) -> None:
    assert status(documented(machine.home / "none.jsonl")) == "Opus | $0.25 session | $0.00 today"


def test_statusline_beside_a_writer_shows_what_claude_says(
    machine: Machine, run: Run, status: Callable[[object], str]
) -> None:
    path = write(machine, priced("m1"))
    run("report")
    with closing(sqlite3.connect(machine.state / "state.sqlite", isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        assert status(documented(path)) == "Opus | $0.25 session"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe{", id="no UTF-8"),
        pytest.param(b"{" * 100_000, id="too deep"),
        pytest.param(b'{"cost": {"total_cost_usd": NaN}}', id="no number"),
        pytest.param([1], id="a list"),
        pytest.param({"model": "Opus", "cost": 3, "session_id": 4, "transcript_path": 5}, id="other types"),
        pytest.param({"model": {"id": None}, "rate_limits": {"five_hour": {"resets_at": "soon"}}}, id="nulls"),
        pytest.param({"transcript_path": "/etc/passwd", "session_id": "../x"}, id="another file"),
        pytest.param({"transcript_path": "/none\x00.jsonl"}, id="no path"),
    ],
)  # fmt: skip
def test_statusline_of_any_input_is_one_line(machine: Machine, status: Callable[[object], str], given: object) -> None:
    assert status(given) == "$0.00 today"


def test_statusline_prints_no_control_character(machine: Machine, status: Callable[[object], str]) -> None:
    assert status({"model": {"display_name": "a\x1b[2J\nb"}}) == "a\\x1b[2J\\nb | $0.00 today"
