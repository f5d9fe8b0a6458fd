"""Cursors: how far finished runs have read, and where the next one begins."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.runs.test_runs import RUN, T0, Ledger, bus, lake, record, start, write

from millrace import runs
from millrace.bus import Bus
from millrace.lake import Lake, ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.lake.names import CursorKey, TaskKey
from millrace.runs import RunRequest, TaskRecord
from millrace.warehouse import LedgerEntry

__all__ = ["bus", "lake"]


def advance(lake: Lake, bus: Bus, extracted_at: str, now: datetime | None = None, **more: Any) -> None:
    """Let a run of one task that was extracted at an instant advance its cursor."""
    path = str(TaskKey(RUN, "commits"))
    held = list(lake.list(path))
    changed = record("commits", extracted_at=extracted_at, **more)
    lake.write(path, changed.to_json(), held[0].version.generation if held else 0)
    runs.advance_cursors(lake, loaded(changed), RUN, (lambda: now) if now else None)


def loaded(*records: TaskRecord) -> Ledger:
    """The ledger of a warehouse that has loaded all parts of these tasks."""
    ledger = Ledger()
    for part in (part for each in records for part in each.parts):
        ledger.note(part.version("lake"))
    return ledger


def test_a_cursor_waits_until_every_part_is_loaded(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    write(lake, record("commits", number=2))
    ledger = Ledger()
    ledger.note(record("commits", number=1).parts[0].version("lake"))
    runs.advance_cursors(lake, ledger, RUN)
    assert runs.read_cursor(lake, "commits", None) is None


def test_a_cursor_goes_forward_and_never_back(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    for hour in ("07", "09", "08", "07"):
        advance(lake, bus, f"2026-01-31T{hour}:00:00+00:00", counts={hour: 1})
    cursor = runs.read_cursor(lake, "commits", None)
    assert cursor is not None
    assert (cursor.extracted_at, cursor.counts) == ("2026-01-31T09:00:00+00:00", {"09": 1})


@pytest.mark.parametrize("ahead", [timedelta(minutes=16), timedelta(days=4000)])
def test_a_cursor_of_a_clock_that_was_ahead_is_not_followed(lake: Lake, bus: Bus, ahead: timedelta) -> None:
    start(lake, bus)
    advance(lake, bus, (T0 + ahead).isoformat())
    assert runs.read_cursor(lake, "commits", None, T0 + ahead) is not None
    assert runs.read_cursor(lake, "commits", None, T0) is None
    advance(lake, bus, T0.isoformat(), now=T0)
    cursor = runs.read_cursor(lake, "commits", None, T0)
    assert cursor is not None
    assert cursor.extracted_at == T0.isoformat()


def test_a_process_that_was_suspended_takes_no_cursor_back(lake: LocalLake, bus: Bus) -> None:
    start(lake, bus)
    later, now = T0 + timedelta(hours=8), [T0]

    class Suspended(LocalLake):
        def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
            now[0] = later
            return super().read(name, generation)

    older = record("commits", extracted_at=T0.isoformat())
    write(lake, older)
    newer = runs.Cursor(None, later.isoformat(), {})
    lake.write(str(CursorKey("commits")), json.dumps(asdict(newer)).encode(), 0)
    runs.advance_cursors(Suspended(lake._root, "lake"), loaded(older), RUN, lambda: now[0])
    assert runs.held_cursor(lake, "commits") == newer


def test_a_cursor_of_a_whole_second_is_before_the_rest_of_the_second(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    for instant in ("2026-01-31T07:00:00+00:00", "2026-01-31T07:00:00.000001+00:00", "2026-01-31T07:00:00+00:00"):
        advance(lake, bus, instant)
    cursor = runs.read_cursor(lake, "commits", None)
    assert cursor is not None
    assert cursor.extracted_at == "2026-01-31T07:00:00.000001+00:00"


def test_the_same_final_run_twice_leaves_its_cursor_alone(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    advance(lake, bus, "2026-01-31T07:00:00+00:00")
    before = lake.read(str(CursorKey("commits")))[1].version
    runs.advance_cursors(lake, Ledger(), RUN)
    assert lake.read(str(CursorKey("commits")))[1].version == before


class Asleep(Ledger):
    """The ledger of a warehouse that must not be resumed."""

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        raise AssertionError(f"the warehouse was asked for the loads of {run_id}")


def test_sweep_does_not_query_warehouse_when_nothing_is_behind(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    for table in ("commits", "repos"):
        write(lake, record(table))
    runs.advance_cursors(lake, loaded(record("commits"), record("repos")), RUN)
    before = runs.read_cursor(lake, "commits", None)
    runs.advance_cursors(lake, Asleep(), RUN)
    assert before is not None
    assert runs.read_cursor(lake, "commits", None) == before


def test_of_runs_that_advance_side_by_side_the_newest_stays(lake: LocalLake, bus: Bus) -> None:
    ledger = loaded(record("commits"))
    plans = [runs.start(lake, bus, RunRequest(T0.replace(hour=hour))) for hour in range(8)]
    for plan in plans:
        each = record("commits", extracted_at=plan.scheduled_at)
        lake.write(str(TaskKey(plan.run_id, "commits")), each.to_json(), 0)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda plan: runs.advance_cursors(lake, ledger, plan.run_id), plans))
    cursor = runs.read_cursor(lake, "commits", None)
    assert cursor is not None
    assert cursor.extracted_at == plans[-1].scheduled_at


def test_a_table_with_a_part_in_quarantine_keeps_its_cursor(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    ledger = loaded(record("repos"))
    for table in ("commits", "repos"):
        write(lake, record(table))
    ledger.note(ObjectVersion("lake", "raw/commits/0", 1), 5, reason="unreadable")
    runs.advance_cursors(lake, ledger, RUN)
    assert runs.read_cursor(lake, "commits", None) is None
    assert runs.read_cursor(lake, "repos", None) is not None


@pytest.mark.parametrize("since", ["2026-01-01", None])
def test_a_cursor_of_another_scope_is_no_cursor(lake: Lake, bus: Bus, since: str | None) -> None:
    start(lake, bus)
    advance(lake, bus, "2026-01-31T07:00:00+00:00", since=since)
    other = None if since else "2026-01-01"
    assert runs.read_cursor(lake, "commits", since) is not None
    assert runs.read_cursor(lake, "commits", other) is None
