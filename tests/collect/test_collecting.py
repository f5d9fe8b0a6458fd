"""Changes of logs between two ticks are followed: they grow, are cut, rewritten, renamed, copied and deleted."""

import json
import os
import shutil
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tests.collect.machine import NOON, Machine, bubble, cursor_database, outputs, put, request, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectLimits, CollectResult
from millrace.collect.parsers.reading import ParserLimits
from millrace.errors import ConfigError


def write_tasks(path: Path, *elements: object) -> None:
    path.write_text(json.dumps(elements))


def test_only_what_is_new_is_read(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    machine.run()
    with log.open("ab") as file:
        file.write(response("m2"))
    result = machine.collect()
    assert (result.size_bytes, result.lines, result.new, result.rows) == (len(response("m2")), 1, 1, 1)


def test_nothing_is_written_when_nothing_is_new(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1"))
    machine.run()
    before = {path: path.stat().st_mtime_ns for path in machine.folder.rglob("*")}
    assert machine.collect() == CollectResult(looked_at=1)
    assert machine.ship().sent == ()
    assert {path: path.stat().st_mtime_ns for path in machine.folder.rglob("*") if "lake" not in path.parts} == {
        path: mtime for path, mtime in before.items() if "lake" not in path.parts
    }


def test_a_torn_line_counts_when_it_is_complete(machine: Machine) -> None:
    log, line = machine.log("claude"), response("m1")
    log.write_bytes(line[:40])
    assert machine.run() == []
    log.write_bytes(line)
    assert outputs(machine.run()) == {"m1": 7}


def test_a_response_that_goes_on_is_sent_again(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1", 1))
    assert outputs(machine.run()) == {"m1": 1}
    log.write_bytes(response("m1", 1) + response("m1", 90))
    result = machine.collect()
    machine.ship()
    assert (result.new, result.changed) == (0, 1)
    assert outputs(machine.merged()) == {"m1": 90}


def test_a_log_that_was_cut_is_read_from_its_start(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1") + response("m2"))
    machine.run()
    log.write_bytes(response("m3"))
    assert set(outputs(machine.run())) == {"m1", "m2", "m3"}


def test_rewritten_log_is_read_from_its_start(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    machine.run()
    log.write_bytes(response("m8") + response("m9"))
    assert set(outputs(machine.run())) == {"m1", "m8", "m9"}


def test_a_log_that_was_emptied_is_read_again_as_it_grows(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    machine.run()
    log.write_bytes(b"")
    machine.run()
    log.write_bytes(response("m2"))
    assert set(outputs(machine.run())) == {"m1", "m2"}


def test_a_log_that_was_renamed_is_read_on(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    machine.run()
    log.rename(log.with_name("S1-old.jsonl"))
    with log.with_name("S1-old.jsonl").open("ab") as file:
        file.write(response("m2"))
    log.write_bytes(response("m3"))  # the next one, under the old name
    result = machine.collect()
    machine.ship()
    assert result.unchanged == 0
    assert set(outputs(machine.merged())) == {"m1", "m2", "m3"}


def test_a_log_with_the_number_of_a_deleted_one_is_another(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(b"not json\n" + response("m1"))
    machine.run()
    log.rename(log.with_name("S2.jsonl"))
    log.with_name("S2.jsonl").write_bytes(response("m2"))
    assert set(outputs(machine.run())) == {"m1", "m2"}
    with closing(CheckpointStore.open(machine.state)) as store:
        assert store.skipped() == {("claude", "not_json"): 1}


def test_a_copied_log_adds_nothing(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1") + response("m2"))
    machine.run()
    shutil.copy(log, machine.log("claude", "S2"))
    result = machine.collect()
    assert (result.new, result.changed, result.unchanged, result.rows) == (0, 0, 2, 0)


def test_a_deleted_log_keeps_its_events(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(response("m1"))
    machine.run()
    log.unlink()
    assert outputs(machine.run()) == {"m1": 7}


def test_updated_element_replaces_its_previous_values(machine: Machine) -> None:
    log = machine.log("cline", "T1")
    write_tasks(log, request(1, 500), request(2, 3))
    machine.run()
    write_tasks(log, request(1, 400), request(2, 3))
    result = machine.collect()
    machine.ship()
    assert (result.changed, result.unchanged) == (1, 1)
    assert sorted(outputs(machine.merged()).values()) == [3, 400]


def test_element_in_two_tasks_has_maximum_of_current_values(machine: Machine) -> None:
    one = machine.log("cline", "T1")
    other = machine.home / ".vscode-server/data/User" / Path(*one.parts[-5:])
    other.parent.mkdir(parents=True)
    write_tasks(one, request(1, 500))
    write_tasks(other, request(1, 300))
    assert list(outputs(machine.run()).values()) == [500]
    write_tasks(one, request(1, 100))
    assert list(outputs(machine.run()).values()) == [300]


def test_partially_written_task_yields_no_events(machine: Machine) -> None:
    log = machine.log("cline", "T1")
    log.write_bytes(b'[{"ts": 1')
    assert machine.run() == []
    write_tasks(log, request(1, 5))
    assert list(outputs(machine.run()).values()) == [5]


def test_a_task_over_the_cap_is_counted(machine: Machine) -> None:
    write_tasks(machine.log("cline", "T1"), request(1, 5), request(2, 5))
    machine.limits = CollectLimits(caps=ParserLimits(document_bytes=100))
    assert machine.collect().skipped == {("cline", "too_large"): 1}


def test_a_line_over_the_cap_is_counted_and_the_next_one_read(machine: Machine) -> None:
    machine.log("claude").write_bytes(b"x" * 5000 + b"\n" + response("m1"))
    machine.limits = CollectLimits(chunk_bytes=300, caps=ParserLimits(line_bytes=1000))
    assert machine.collect().skipped == {("claude", "too_large"): 1}
    machine.ship()
    assert outputs(machine.merged()) == {"m1": 7}


@pytest.mark.parametrize("is_wal", [False, True])
def test_rows_of_cursor_are_read_on_while_cursor_runs(machine: Machine, is_wal: bool) -> None:
    with closing(cursor_database(machine.log("cursor"), is_wal)) as database:
        put(database, [("bubbleId:C1:B1", bubble(1)), ("bubbleId:C1:B2", bubble(2)), ("other", "x")])
        assert outputs(machine.run()) == {"C1:B1": 1, "C1:B2": 2}
        put(database, [("bubbleId:C1:B1", bubble(9)), ("bubbleId:C1:B3", bubble(3).encode())])
        result = machine.collect()
        machine.ship()
        assert (result.lines, result.new, result.changed) == (2, 1, 1)
        assert outputs(machine.merged()) == {"C1:B1": 9, "C1:B2": 2, "C1:B3": 3}


def test_the_last_row_of_cursor_that_is_replaced_does_not_start_all_over(machine: Machine) -> None:
    with closing(cursor_database(machine.log("cursor"))) as database:
        put(database, [("bubbleId:C1:B1", bubble(1)), ("bubbleId:C1:B2", bubble(2))])
        machine.run()
        put(database, [("bubbleId:C1:B2", bubble(5))])
        assert machine.collect().lines == 1


@pytest.mark.parametrize("deleted", ["rowid > 1", "1"])
def test_rows_of_cursor_with_numbers_that_were_used_before_are_read(machine: Machine, deleted: str) -> None:
    with closing(cursor_database(machine.log("cursor"))) as database:
        put(database, [(f"bubbleId:C1:B{number}", bubble(number)) for number in (1, 2, 3)])
        machine.run()
        database.execute(f"delete from cursorDiskKV where {deleted}")  # noqa: S608
        put(database, [("bubbleId:C2:B4", bubble(4)), ("bubbleId:C2:B5", bubble(5))])
        assert outputs(machine.run()) | {"C2:B4": 4, "C2:B5": 5} == outputs(machine.merged())


def test_cursors_database_is_only_read(machine: Machine) -> None:
    path = machine.log("cursor")
    with closing(cursor_database(path, is_wal=True)) as database:
        put(database, [("bubbleId:C1:B1", bubble(1))])
    before = (sorted(os.listdir(path.parent)), path.read_bytes(), path.stat().st_mtime_ns)
    assert outputs(machine.run()) == {"C1:B1": 1}
    assert (sorted(os.listdir(path.parent)), path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_value_of_cursor_over_the_cap_is_counted(machine: Machine) -> None:
    with closing(cursor_database(machine.log("cursor"))) as database:
        put(database, [("bubbleId:C1:B1", "x" * 9000), ("bubbleId:C1:B2", bubble(2))])
    machine.limits = CollectLimits(caps=ParserLimits(line_bytes=1000))
    assert machine.collect().skipped == {("cursor", "too_large"): 1}


def test_a_locked_database_is_named_and_read_later(machine: Machine) -> None:
    with closing(cursor_database(machine.log("cursor"))) as database:
        put(database, [("bubbleId:C1:B1", bubble(1))])
        database.execute("begin exclusive")
        assert machine.collect().bad_files == {machine.log("cursor"): "database is locked"}
        database.execute("rollback")
    assert outputs(machine.run()) == {"C1:B1": 1}


def test_a_bad_file_stops_no_other(machine: Machine) -> None:
    machine.log("cursor").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    machine.log("claude").write_bytes(response("m1"))
    result = machine.collect()
    machine.ship()
    assert list(result.bad_files) == [machine.log("cursor")]
    assert outputs(machine.merged()) == {"m1": 7}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_named(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1"))
    machine.log("claude").chmod(0)
    assert machine.collect().bad_files == {machine.log("claude"): "Permission denied"}


def test_only_the_logs_that_changed_are_looked_at(machine: Machine) -> None:
    one, other = machine.log("claude", "S1"), machine.log("claude", "S2")
    one.write_bytes(response("m1"))
    other.write_bytes(response("m2"))
    task = machine.log("cline", "T1")
    write_tasks(task, request(1, 5))
    assert machine.collect(only={one}).looked_at == 1
    assert machine.collect(only={task.parent}).looked_at == 1
    assert machine.collect(only={machine.home / "unrelated", one.parent}).looked_at == 2
    assert machine.collect(only={machine.home}).looked_at == 3


def test_changed_file_that_is_not_a_log_is_not_read(machine: Machine) -> None:
    secret = machine.folder / "letters.jsonl"
    machine.log("claude").symlink_to(secret)
    secret.write_bytes(response("m1"))
    assert machine.collect(only={secret, machine.log("claude")}) == CollectResult()


def test_events_before_since_are_sent_once_limit_is_removed(machine: Machine) -> None:
    old, new = response("m1", at="2026-01-02T23:59:59.9Z"), response("m2", at="2026-01-03T00:00:00Z")
    machine.log("claude").write_bytes(old + new)
    result = machine.collect(since=date(2026, 1, 3))
    assert (result.new, result.rows, result.before_since) == (2, 1, 1)
    assert machine.collect(since=date(2026, 1, 3)).batches == []
    machine.ship()
    assert outputs(machine.sent()) == {"m2": 7}
    assert machine.collect().rows == 1
    machine.ship()
    assert outputs(machine.sent()) == {"m1": 7, "m2": 7}


def test_a_dry_run_counts_everything_and_writes_nothing(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1") + b"{}\n")
    with closing(CheckpointStore.copy(machine.state)) as store:
        result = machine.collector(store, is_dry=True).collect()
    assert (result.new, result.rows, result.batches, result.skipped) == (1, 1, [], {("claude", "unknown_kind"): 1})
    assert not machine.state.exists()
    machine.run()
    with closing(CheckpointStore.copy(machine.state)) as store:
        assert machine.collector(store, is_dry=True).collect() == CollectResult(looked_at=1)


def test_lines_that_are_skipped_count_once_for_a_log_that_is_read_again(machine: Machine) -> None:
    log = machine.log("claude")
    log.write_bytes(b"{}\n{}\n" + response("m1"))
    machine.run()
    log.write_bytes(b"[]\n")
    machine.run()
    with closing(CheckpointStore.open(machine.state)) as store:
        assert store.skipped() == {("claude", "not_an_object"): 1}


def test_a_stamp_is_larger_than_all_before_it_when_the_clock_goes_back(machine: Machine) -> None:
    machine.now = lambda: NOON - timedelta(minutes=9 if output > 1 else 0)
    for output in (1, 2, 3):
        machine.log("claude").write_bytes(b"".join(response("m1", count) for count in range(1, output + 1)))
        machine.run()
    stamps = [row["_extracted_at"] for row in machine.sent()]
    assert stamps == [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(microseconds=2)]
    assert outputs(machine.merged()) == {"m1": 3}


@pytest.mark.parametrize("ahead", [timedelta(minutes=16), timedelta(days=9), timedelta(days=4000)])
def test_after_clock_ahead_all_rows_are_sent_again_with_true_time(machine: Machine, ahead: timedelta) -> None:
    now = NOON + ahead
    machine.now = lambda: now
    machine.log("claude").write_bytes(response("m1") + response("m2"))
    machine.run()
    now = NOON
    machine.run()
    assert [row["_extracted_at"] for row in machine.sent()] == [NOON + ahead] * 2 + [NOON] * 2
    assert machine.collect().rows == 0


def test_after_clock_behind_rows_are_sent_with_true_time(machine: Machine) -> None:
    machine.now = lambda: now
    for output, day in enumerate((0, -9, 1, 2), 1):
        now = NOON + timedelta(days=day)
        machine.log("claude").write_bytes(b"".join(response("m1", count) for count in range(1, min(output, 2) + 1)))
        machine.run()
    assert [(row["_extracted_at"] - NOON).days for row in machine.sent()] == [0, -9, 1]
    assert outputs(machine.merged()) == {"m1": 2}


def test_batches_end_at_a_number_of_rows(machine: Machine) -> None:
    machine.limits = CollectLimits(chunk_bytes=1000, batch_rows=10)
    machine.log("claude").write_bytes(b"".join(response(f"m{number}") for number in range(35)))
    result = machine.collect()
    assert (len(result.batches), result.rows) == (3, 35)
    machine.ship()
    assert len(machine.merged()) == len(machine.sent()) == 35


def test_long_reading_reports_progress(machine: Machine) -> None:
    machine.limits = CollectLimits(chunk_bytes=1000)
    log = machine.log("claude")
    log.write_bytes(b"".join(response(f"m{number}") for number in range(35)))
    size = log.stat().st_size
    heard: list[tuple[int, int, Path]] = []
    with closing(CheckpointStore.open(machine.state)) as store:
        machine.collector(store).collect(on_progress=lambda *now: heard.append(now))
    assert heard[0] == (1000, size, log)
    assert heard[-1] == (size, size, log)


def test_a_name_that_is_no_text_is_read(machine: Machine) -> None:
    path = os.fsencode(machine.log("claude").parent) + b"/\xff.jsonl"
    Path(os.fsdecode(path)).write_bytes(response("m1"))
    assert outputs(machine.run()) == {"m1": 7}


def test_a_state_that_is_broken_is_named(machine: Machine) -> None:
    machine.state.mkdir()
    (machine.state / "state.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(ConfigError, match="all logs are read again"):
        machine.collect()
    with pytest.raises(ConfigError, match="all logs are read again"):
        CheckpointStore.copy(machine.state)


def test_an_instant_before_1970_and_an_exact_cost_are_kept(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1", at="1969-12-31T23:59:59.999999Z", costUSD=1)[:-2] + b"}\n")
    (row,) = machine.run()
    assert row["occurred_at"] == datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)
    assert row["reported_cost_usd"] == "1"
