"""A log is identified by what was read of it: whatever happens to its file, no event is lost, doubled or wrong."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.collect.machine import Machine, outputs, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectResult


def lines(*numbers: int, output: int = 7) -> bytes:
    return b"".join(response(f"m{number:04}", output) for number in numbers)


def touched(path: Path, seconds: int) -> None:
    """Set a file's time of change, so that no test depends on the file system's clock."""
    os.utime(path, ns=(1_760_000_000_000_000_000 + seconds * 10**9,) * 2)


def replaced(path: Path, content: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(content)
    new.replace(path)


def in_place(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def made_anew(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


BEFORE = range(50)


@pytest.mark.parametrize("write", [replaced, in_place, made_anew])
@pytest.mark.parametrize(
    "now",
    [
        pytest.param([*range(10), *range(1000, 1010), *range(10, 50)], id="lines inserted in the middle"),
        pytest.param([*range(10), *range(2000, 2070)], id="another session that begins alike"),
        pytest.param([*range(20), *range(3000, 3030)], id="lines exchanged, of the same size"),
        pytest.param([*range(49), *range(4000, 4002)], id="the last line exchanged"),
        pytest.param([*range(50), *range(5000, 5003)], id="a copy that goes on"),
        pytest.param([*range(45)], id="lines taken away at the end"),
    ],
)
def test_rewritten_log_with_same_beginning_loses_no_event(
    machine: Machine, write: Callable[[Path, bytes], None], now: list[int]
) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(*BEFORE))
    touched(log, 1)
    machine.run()
    write(log, lines(*now))
    touched(log, 2)
    assert set(outputs(machine.run())) == {f"m{number:04}" for number in {*BEFORE, *now}}


@pytest.mark.parametrize("write", [replaced, in_place, made_anew])
@pytest.mark.parametrize("output", [3, 9], ids=["down", "up"])
def test_counts_that_are_corrected_in_place_come_out_corrected(
    machine: Machine, write: Callable[[Path, bytes], None], output: int
) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(*BEFORE))
    touched(log, 1)
    machine.run()
    write(log, lines(*range(10)) + lines(*range(10, 40), output=output) + lines(*range(40, 50)))
    touched(log, 2)
    expected = {f"m{number:04}": output if 10 <= number < 40 else 7 for number in BEFORE}
    assert outputs(machine.run()) == expected


def test_a_correction_beside_a_new_line_comes_out(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(*BEFORE))
    touched(log, 1)
    machine.run()
    log.write_bytes(lines(0, output=3) + lines(*range(1, 51)))
    touched(log, 2)
    assert outputs(machine.run())["m0000"] == 3


def test_copy_with_smaller_counts_does_not_reduce_original(machine: Machine) -> None:
    machine.log("claude", "S1").write_bytes(lines(1, output=90))
    copy = machine.log("claude", "S2")
    copy.write_bytes(lines(1, output=50))
    touched(copy, 1)
    machine.run()
    copy.write_bytes(lines(1, output=20))
    touched(copy, 2)
    assert outputs(machine.run()) == {"m0001": 90}


def test_a_log_that_did_not_change_is_not_opened(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.log("claude").write_bytes(lines(*BEFORE))
    machine.run()

    def refuse(path: Path, *arguments: object, **named: object) -> None:
        raise AssertionError(f"{path} is opened")

    monkeypatch.setattr(Path, "open", refuse)
    assert machine.collect() == CollectResult(looked_at=1)


@pytest.mark.parametrize(
    "name", ["S1.jsonl.1", "S1.JSONL", "S1.jsonl.bak", "S1.1.jsonl", "old.txt", "S1", "archive/S1.jsonl.1"]
)
@pytest.mark.parametrize("is_begun_anew", [False, True])
def test_the_rest_of_a_log_that_was_renamed_is_read(machine: Machine, name: str, is_begun_anew: bool) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(0, 1))
    machine.run()
    with log.open("ab") as file:
        file.write(lines(2))
    (log.parent / name).parent.mkdir(exist_ok=True)
    renamed = log.rename(log.parent / name)
    if is_begun_anew:
        log.write_bytes(lines(3))
    result = machine.collect()
    machine.ship()
    assert set(outputs(machine.merged())) == {"m0000", "m0001", "m0002", *["m0003"] * is_begun_anew}
    assert (result.unchanged, result.gone) == (0, {})
    with renamed.open("ab") as file:  # its writer still has it open
        file.write(lines(4))
    assert "m0004" in outputs(machine.run())


def test_a_chain_of_renames_is_followed(machine: Machine) -> None:
    log = machine.log("claude")
    older, oldest = log.with_name("S1.1.jsonl"), log.with_name("S1.2.jsonl")
    log.write_bytes(lines(0))
    machine.run()
    log.rename(older)
    log.write_bytes(lines(10))
    machine.run()
    for path, number in ((older, 1), (log, 11)):
        with path.open("ab") as file:
            file.write(lines(number))
    older.rename(oldest)
    log.rename(older)
    log.write_bytes(lines(20))
    result = machine.collect()
    machine.ship()
    assert sorted(outputs(machine.merged())) == ["m0000", "m0001", "m0010", "m0011", "m0020"]
    assert (result.new, result.unchanged) == (3, 0)
    assert machine.collect() == CollectResult(looked_at=3)


def test_rename_reported_by_old_name_is_followed(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(0))
    machine.run()
    with log.open("ab") as file:
        file.write(lines(1))
    log.rename(log.with_name("S1.jsonl.1"))
    machine.collect(only={log})
    machine.ship()
    assert set(outputs(machine.merged())) == {"m0000", "m0001"}


@pytest.mark.parametrize("name", ["S9.JSONL", "S9.Jsonl"])
def test_a_log_of_another_letter_case_is_found(machine: Machine, name: str) -> None:
    machine.log("claude").with_name(name).write_bytes(lines(1))
    assert set(outputs(machine.run())) == {"m0001"}


@pytest.mark.parametrize(
    "vanish",
    [
        pytest.param(Path.unlink, id="deleted"),
        pytest.param(lambda log: shutil.move(log, log.parents[3] / "elsewhere"), id="moved to where no log is"),
        pytest.param(lambda log: replaced(log, lines(7)), id="replaced"),
    ],
)
def test_a_log_that_cannot_be_found_is_named_once(machine: Machine, vanish: Callable[[Path], object]) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(0, 1))
    machine.run()
    vanish(log)
    assert machine.collect().gone == {log: len(lines(0, 1))}
    assert machine.collect().gone == {}


def test_a_log_that_comes_back_is_read_on(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(0, 1))
    machine.run()
    away = log.parents[1].rename(machine.home / "away")
    machine.collect()
    away.rename(log.parents[1])
    with log.open("ab") as file:
        file.write(lines(2))
    result = machine.collect()
    assert (result.lines, result.new) == (1, 1)


def test_a_number_that_was_given_to_another_file_is_no_rename(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(b"")
    machine.run()
    log.rename(log.with_name("notes.md")).write_bytes(lines(1))
    assert machine.run() == []


# What a writer or a machine leaves when it dies

GOOD = response("m9")
TORN = [
    pytest.param(response("m8")[:100], id="in a name"),
    pytest.param(response("m8")[:15], id="in a string"),
    pytest.param(b'{"type":', id="before a value"),
    pytest.param(b'{"type":"assistant","message":{"usage":{"input_tokens":1', id="in a number"),
    pytest.param(b'{"text":"\xc3', id="in a character"),
    pytest.param(b'{"text":"\\', id="after a backslash"),
    pytest.param(b'{"a":{"b":[{"c":1},{', id="in an inner object"),
    pytest.param(b"\0" * 4096, id="NUL bytes"),
    pytest.param(b'{"type":"assi' + b"\0" * 4096, id="a torn line and NUL bytes"),
]


@pytest.mark.parametrize("torn", TORN)
def test_the_good_line_after_a_torn_one_counts(machine: Machine, torn: bytes) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1") + torn)
    machine.run()
    with log.open("ab") as file:
        file.write(GOOD + response("m10"))
    assert set(outputs(machine.run())) == {"m1", "m9", "m10"}


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_line_counts_for_the_next_state_of_codex(machine: Machine, torn: bytes) -> None:
    def line(kind: str, payload: object) -> bytes:
        return json.dumps({"timestamp": "2026-01-02T03:04:05Z", "type": kind, "payload": payload}).encode() + b"\n"

    usage = {"input_tokens": 5, "output_tokens": 2}
    count = line("event_msg", {"type": "token_count", "info": {"total_token_usage": usage}})
    meta = line("session_meta", {"id": "S1", "cwd": "/w/app"})
    machine.log("codex").write_bytes(meta + torn + line("turn_context", {"model": "gpt-5-codex"}) + count)
    (row,) = machine.run()
    assert (row["model"], row["output_tokens"]) == ("gpt-5-codex", 2)


def test_nul_bytes_behind_a_line_do_not_swallow_it(machine: Machine) -> None:
    machine.log("claude").write_bytes(GOOD[:-1] + b"\0" * 512 + b"\n")
    assert set(outputs(machine.run())) == {"m9"}


def test_a_line_that_only_holds_an_object_is_no_response(machine: Machine) -> None:
    machine.log("claude").write_bytes(b"x" + GOOD[: GOOD.index(b'"usage"')] + b'"usage": {"input_tokens": 1}}\n')
    assert machine.collect().skipped == {("claude", "not_json"): 1}


@pytest.mark.parametrize("after", [timedelta(minutes=6), timedelta(days=3), -timedelta(days=3)])
def test_a_last_line_without_its_end_counts_after_some_minutes(machine: Machine, after: timedelta) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1") + GOOD[:-1])
    written_at = datetime.fromtimestamp(log.stat().st_mtime, UTC)
    machine.now = lambda: written_at + timedelta(seconds=30)
    assert set(outputs(machine.run())) == {"m1"}
    machine.now = lambda: written_at + after
    assert set(outputs(machine.run())) == {"m1", "m9"}
    assert machine.collect() == CollectResult(looked_at=1)
    with log.open("ab") as file:
        file.write(b"\n" + response("m10"))
    assert set(outputs(machine.run())) == {"m1", "m9", "m10"}


@pytest.mark.parametrize("agent", ["claude", "cline"])
def test_a_log_that_stays_torn_is_named(machine: Machine, agent: str) -> None:
    log = machine.log(agent)
    log.write_bytes(b'[{"ts": 17673' if agent == "cline" else GOOD[:40])
    written_at = datetime.fromtimestamp(log.stat().st_mtime, UTC)
    machine.now = lambda: written_at
    assert machine.collect().torn == {}
    machine.now = lambda: written_at + timedelta(minutes=6)
    assert machine.collect().torn == {log: log.stat().st_size}
    assert machine.collect() == CollectResult(looked_at=1)


@pytest.mark.parametrize("end", [b'"output_tokens": 7}', b'"usage": {"input_tokens": 4, "output_tokens": 7}}', b"{"])
def test_a_last_line_that_only_ends_in_an_object_waits_for_its_end(machine: Machine, end: bytes) -> None:
    log = machine.log("claude")
    log.write_bytes(GOOD[: GOOD.index(end) + len(end)])
    written_at = datetime.fromtimestamp(log.stat().st_mtime, UTC)
    machine.now = lambda: written_at + timedelta(hours=1)
    assert machine.run() == []
    with log.open("ab") as file:
        file.write(GOOD[GOOD.index(end) + len(end) :])
    assert set(outputs(machine.run())) == {"m9"}


def as_before(state: Path) -> None:
    """Make the state that of a collector which noted neither readings nor bytes before the offset."""
    with closing(sqlite3.connect(state / "state.sqlite")) as connection, connection:
        for table in ("events", "logs"):
            connection.execute(f"alter table {table} drop column reading")
        connection.execute("update events set source = 0 where agent = 'claude'")
        connection.execute("update logs set mark = substr(mark, 1, instr(mark || '  ', ' ') + 32)")


def test_a_state_from_before_is_read_on_and_nothing_is_sent_again(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(0, 1))
    machine.run()
    as_before(machine.state)
    with log.open("ab") as file:
        file.write(lines(2))
    result = machine.collect()
    assert (result.new, result.changed, result.unchanged, result.rows) == (1, 0, 2, 1)
    touched(log, 1)
    machine.collect()
    log.write_bytes(lines(0, 1, output=3) + lines(2))
    touched(log, 2)
    assert outputs(machine.run()) == {"m0000": 3, "m0001": 3, "m0002": 7}


def test_a_state_that_was_lost_leaves_what_waits_to_be_sent(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(lines(0))
    machine.collect()
    (machine.state / "state.sqlite").unlink()
    log.unlink()
    with closing(CheckpointStore.open(machine.state)):
        pass
    assert set(outputs(machine.run())) == {"m0000"}
