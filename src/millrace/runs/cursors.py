"""How far finished runs have read each table: where the next run starts."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from millrace import log
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import CursorKey
from millrace.runs.plan import to_json
from millrace.runs.records import TaskRecord, read_tree
from millrace.tables import MOST_AHEAD
from millrace.warehouse import Ledger


@dataclass(frozen=True, slots=True)
class Cursor:
    """How much of a table the finished runs have read.

    `counts` maps `<day> <state>` (dated listings) or a value of `by` (the others) to a number of rows. In a forgotten
    cursor only the time is valid: the next run reads everything.
    """

    since: str | None
    extracted_at: str
    counts: Mapping[str, int]
    is_forgotten: bool = False


def read_cursor(lake: Lake, table: str, since: str | None, now: datetime | None = None) -> Cursor | None:
    """Return the cursor of a table for the same scope; None: read everything.

    A cursor whose time lies too far ahead of `now` was written by a clock that was ahead, and is ignored.
    """
    cursor = held_cursor(lake, table)
    if cursor is None or cursor.since != since or cursor.is_forgotten or _is_ahead(cursor, now):
        return None
    return cursor


def held_cursor(lake: Lake, table: str) -> Cursor | None:
    """Return the cursor of a table in any scope; None when there is none.

    An unreadable cursor counts as none: a cursor only saves reading rows again.
    """
    name = str(CursorKey(table))
    try:
        content, _ = lake.read(name)
    except ObjectMissing:
        return None
    try:
        return parsed(content, name, _cursor)
    except Damaged as error:
        log.warning("unreadable cursor", table=table, error=str(error))
        return None


def _cursor(fields: dict[str, Any]) -> Cursor:
    cursor = Cursor(**fields)
    datetime.fromisoformat(cursor.extracted_at)
    sum(cursor.counts.values())
    return cursor


def forget_cursor(lake: Lake, table: str) -> None:
    """Make the next run read a table from the beginning; the ends of earlier runs do not restore its cursor."""
    name, held = str(CursorKey(table)), held_cursor(lake, table)
    if held is not None:
        with contextlib.suppress(ObjectMissing, ObjectExists):  # a run has just ended and written a newer cursor
            content = to_json(asdict(replace(held, counts={}, is_forgotten=True)))
            lake.write(name, content, if_generation=lake.read(name)[1].version.generation)


def _is_ahead(cursor: Cursor, now: datetime | None) -> bool:
    return now is not None and datetime.fromisoformat(cursor.extracted_at) > now + MOST_AHEAD


def advance_cursors(lake: Lake, ledger: Ledger, run_id: str, clock: Callable[[], datetime] | None = None) -> None:
    """Advance the cursors to where a final run ended; a cursor never goes back to an older run's.

    The exception is a cursor whose time lies ahead of `clock`. The clock is read after the cursor: a process may be
    suspended for hours, and with an earlier time the cursors that others wrote meanwhile would seem to lie ahead.

    A table with a part that is not loaded, or in quarantine, keeps its cursor: the next run reads these rows again. The
    warehouse is queried only when a cursor is behind, because every sweep calls this, and each wake-up of a warehouse
    costs money.
    """
    behind = [record for _, record in read_tree(lake, run_id) if record is not None and _is_behind(lake, record, clock)]
    if not behind:
        return
    loads = ledger.loads_of(run_id)
    loaded = {entry.version.name for entry in loads if entry.quarantine_reason is None}
    quarantined = {entry.version.name for entry in loads if entry.quarantine_reason is not None}
    for record in behind:
        if {part.name for part in record.parts} <= loaded - quarantined:
            _advance_cursor(lake, record, clock)


def _is_behind(lake: Lake, record: TaskRecord, clock: Callable[[], datetime] | None) -> bool:
    """Return whether the table's cursor is older than this task's rows, lies ahead of the clock, or is missing."""
    held = held_cursor(lake, record.table)
    return held is None or held.extracted_at < record.extracted_at or _is_ahead(held, clock and clock())


def _advance_cursor(lake: Lake, record: TaskRecord, clock: Callable[[], datetime] | None) -> None:
    name = str(CursorKey(record.table))
    content = to_json(asdict(Cursor(record.since, record.extracted_at, record.counts)))
    while True:
        try:
            generation = lake.read(name)[1].version.generation
            held = held_cursor(lake, record.table)
            if held is not None and held.extracted_at >= record.extracted_at and not _is_ahead(held, clock and clock()):
                return
        except ObjectMissing:
            generation = 0
        try:
            lake.write(name, content, if_generation=generation)
            return
        except ObjectExists:
            continue
