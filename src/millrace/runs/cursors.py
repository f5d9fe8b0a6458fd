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

    `counts` maps `<day> <state>` (dated listings) or a value of `by` (the others) to a number of rows. Of a forgotten
    one nothing is believed but its time: the next run reads everything.
    """

    since: str | None
    extracted_at: str
    counts: Mapping[str, int]
    is_forgotten: bool = False


def read_cursor(lake: Lake, table: str, since: str | None, now: datetime | None = None) -> Cursor | None:
    """Give how far finished runs of the same scope have read a table; None: read everything.

    One of a time that has not come `now` is of a clock that was ahead, and not followed.
    """
    cursor = held_cursor(lake, table)
    if cursor is None or cursor.since != since or cursor.is_forgotten or _is_ahead(cursor, now):
        return None
    return cursor


def held_cursor(lake: Lake, table: str) -> Cursor | None:
    """Give how far finished runs have read a table, in whatever scope; None when none has.

    One that cannot be read is none: it only saves reading again.
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
    """Let the next run read a table from its beginning; the ends of earlier runs do not bring its cursor back."""
    name, held = str(CursorKey(table)), held_cursor(lake, table)
    if held is not None:
        with contextlib.suppress(ObjectMissing, ObjectExists):  # a run has just ended, and knows more
            content = to_json(asdict(replace(held, counts={}, is_forgotten=True)))
            lake.write(name, content, if_generation=lake.read(name)[1].version.generation)


def _is_ahead(cursor: Cursor, now: datetime | None) -> bool:
    return now is not None and datetime.fromisoformat(cursor.extracted_at) > now + MOST_AHEAD


def advance_cursors(lake: Lake, ledger: Ledger, run_id: str, clock: Callable[[], datetime] | None = None) -> None:
    """Let the next runs start where a final run ended; a cursor never goes back to an older run's.

    But one of a time that has not come by `clock` does. The clock is read after the cursor: a process may be suspended
    for hours, and a time from before would make the cursors that others wrote meanwhile look ahead.

    A table of which a part is not loaded, or in quarantine, keeps its cursor: the next run reads these rows again. The
    warehouse is asked only when a cursor is behind: every sweep looks, and a warehouse that is woken for nothing costs
    all the same.
    """
    behind = [record for _, record in read_tree(lake, run_id) if record is not None and _is_behind(lake, record, clock)]
    if not behind:
        return
    loads = ledger.loads_of(run_id)
    loaded = {entry.version.name for entry in loads if entry.quarantine_reason is None}
    set_aside = {entry.version.name for entry in loads if entry.quarantine_reason is not None}
    for record in behind:
        if {part.name for part in record.parts} <= loaded - set_aside:
            _advance_cursor(lake, record, clock)


def _is_behind(lake: Lake, record: TaskRecord, clock: Callable[[], datetime] | None) -> bool:
    """Whether the table's cursor is older than what this task read."""
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
