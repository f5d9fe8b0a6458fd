"""What `millrace collect` prints: the last days before the build, the places where it looked, what needs attention."""

import json
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response

from millrace.cli import collected, main as cli
from millrace.collect.collector import CollectResult

SETTINGS = ("LAKE", "COLLECT", "COLLECT_USER", "COLLECT_STATE", "COLLECT_HASH_KEY", "COLLECT_HASH_KEY_FILE")
PLACES = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "KILO_DB", "CLINE_DIR")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with an empty home, whose state is beside it."""
    for name in (*(f"MILLRACE_{name}" for name in SETTINGS), *PLACES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLRACE_DATA_DIR", "data")
    machine = Machine(tmp_path)
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(machine.state))
    monkeypatch.setenv("HOME", str(machine.home))
    machine.home.mkdir()
    return machine


def written(machine: Machine) -> list[str]:
    return sorted(path.name for path in machine.folder.iterdir())


PLACES_TO_COLLECT_TO = [
    pytest.param((), id="a data directory"),
    pytest.param(("--dry-run",), id="a dry run"),
    pytest.param(("--lake", "file:///{folder}/lake"), id="a lake"),
    pytest.param(("--lake", "file:///{folder}/lake", "--dry-run"), id="a dry run for a lake"),
]


@pytest.mark.parametrize("options", PLACES_TO_COLLECT_TO)
def test_without_a_log_the_places_are_listed_and_nothing_is_written(
    machine: Machine, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (machine.home / ".codex" / "sessions").mkdir(parents=True)
    code = cli.main(["collect", *(option.format(folder=machine.folder) for option in options)])
    said = capsys.readouterr()
    assert (code, said.err, written(machine)) == (1, "", ["home"])
    lines = said.out.splitlines()
    assert "  ✓ codex    ~/.codex/sessions (no log in it)" in lines
    assert "  – claude   ~/.claude/projects (not there)" in lines  # noqa: RUF001 no minus
    assert any("CLAUDE_CONFIG_DIR" in line for line in lines)


def test_without_a_log_a_backfill_lists_the_places_and_writes_nothing(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    code = cli.main(["usage", "backfill"])
    assert (code, written(machine)) == (1, ["home"])
    assert "these places were looked at:" in capsys.readouterr().out


@pytest.mark.parametrize("options", [("--json",), ("--json", "--dry-run")])
def test_without_a_log_json_has_the_places(
    machine: Machine, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["collect", *options]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["found"], written(machine)) == (False, ["home"])
    claude = next(place for place in said["looked_at"] if place["agent"] == "claude")
    assert claude == {"agent": "claude", "path": f"{machine.home}/.claude/projects", "exists": False, "logs": 0}


def test_an_agent_without_a_log_is_none_of_those_selected(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.log("claude").write_bytes(response("m1"))
    assert cli.main(["collect", "--dry-run", "--agents", "codex"]) == 1
    assert "claude" not in capsys.readouterr().out
    assert cli.main(["collect", "--dry-run"]) == 0


def test_history_without_a_log_is_still_reported(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    lake = f"file://{machine.folder}/lake"
    assert cli.main(["collect", "--lake", lake]) == 0
    log.unlink()
    assert cli.main(["collect", "--lake", lake]) == 0
    assert "no log of a coding agent" not in capsys.readouterr().out


NOON = datetime.combine(datetime.now(UTC).date() - timedelta(days=2), time(12), UTC)
DAY = NOON.astimezone().date().isoformat()
LOG = response("m1", at=NOON.isoformat())


def place_of(lines: list[str], text: str) -> int:
    return next(place for place, line in enumerate(lines) if text in line)


@pytest.mark.parametrize("options", [("--dry-run",), ("--lake", "file:///{folder}/lake")])
def test_the_last_days_follow_what_was_collected(
    machine: Machine, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    machine.log("claude").write_bytes(LOG)
    for read in ("1 of 1 logs", "1 of 1 logs" if "--dry-run" in options else "0 of 1 logs"):
        assert cli.main(["collect", *(option.format(folder=machine.folder) for option in options)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert place_of(lines, read) == 0
        assert place_of(lines, DAY) > 0


def test_json_has_the_numbers_of_the_last_days(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.log("claude").write_bytes(LOG)
    assert cli.main(["collect", "--dry-run", "--json"]) == 0
    (day,) = json.loads(capsys.readouterr().out)["would_send"]["days"]
    assert (DAY in day.values(), 11 in day.values()) == (True, True)


@pytest.mark.slow
def test_the_last_days_are_printed_before_the_build(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.log("claude").write_bytes(LOG)
    assert cli.main(["collect", "--data-dir", f"{machine.folder}/data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert place_of(lines, "loaded 1 files") < place_of(lines, DAY) < place_of(lines, "published.duckdb")


def test_a_user_who_is_not_known_is_named_once(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.log("claude").write_bytes(response("m1"))
    cli.main(["collect", "--dry-run"])
    assert capsys.readouterr().out.count("MILLRACE_COLLECT_USER") == 1
    monkeypatch.setenv("MILLRACE_COLLECT_USER", "ada")
    cli.main(["collect", "--dry-run"])
    assert "MILLRACE_COLLECT_USER" not in capsys.readouterr().out
    monkeypatch.delenv("MILLRACE_COLLECT_USER")
    (machine.home / ".gitconfig").write_text("[user]\n\temail = ada@example.com\n")
    cli.main(["collect", "--dry-run", "--json"])
    assert json.loads(capsys.readouterr().out)["would_send"]["user"] == "ada@example.com"


def test_what_newer_rules_change_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    gone = {Path(f"/logs/{number:02}.jsonl"): 1 for number in range(12)}
    result = CollectResult(withdrawn=1234, gone_rules=gone, skipped=Counter())
    assert collected.show(result, "collected") == 0
    out = capsys.readouterr().out
    assert "1,234 events were withdrawn" in out
    assert "its events stay as version 1 of the rules counted them: /logs/00.jsonl" in out
    assert "/logs/10.jsonl" not in out
    assert "2 more logs are of older rules; --json names each" in out
    assert collected.counts(result)["gone_rules"]["/logs/11.jsonl"] == 1
