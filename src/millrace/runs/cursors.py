"""How far finished runs have read each table: where the next run starts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.names import CursorKey
from millrace.runs.plan import to_json
from millrace.runs.records import TaskRecord, read_tree
from millrace.tables import MOST_AHEAD
from millrace.warehouse import Ledger


@dataclass(frozen=True, slots=True)
class Cursor:
    """How much of a table the finished runs have read.

    `counts` maps `<day> <state>` (dated listings) or a value of `by` (the others) to a number of rows.
    """

    since: str | None
    extracted_at: str
    counts: Mapping[str, int]


def read_cursor(lake: Lake, table: str, since: str | None, now: datetime | None = None) -> Cursor | None:
    """Give how far finished runs of the same scope have read a table; None: read everything.

    One of a time that has not come `now` is of a clock that was ahead, and not followed.
    """
    try:
        cursor = Cursor(**json.loads(lake.read(str(CursorKey(table)))[0]))
    except ObjectMissing:
        return None
    return cursor if cursor.since == since and not _is_ahead(cursor.extracted_at, now) else None


def advance_cursors(lake: Lake, ledger: Ledger, run_id: str, now: datetime | None = None) -> None:
    """Let the next runs start where a final run ended; a cursor never goes back to an older run's.

    But one of a time that has not come `now` does.

    A table of which a part is in quarantine keeps its cursor: the next run reads these rows again. The warehouse is
    asked only when a cursor is behind: every sweep looks, and a warehouse that is woken for nothing costs all the same.
    """
    behind = [record for _, record in read_tree(lake, run_id) if record is not None and _is_behind(lake, record, now)]
    if not behind:
        return
    set_aside = {entry.version.name for entry in ledger.loads_of(run_id) if entry.quarantine_reason is not None}
    for record in behind:
        if set_aside.isdisjoint(part.name for part in record.parts):
            _advance_cursor(lake, record, now)


def _is_ahead(extracted_at: str, now: datetime | None) -> bool:
    return now is not None and datetime.fromisoformat(extracted_at) > now + MOST_AHEAD


def _is_behind(lake: Lake, record: TaskRecord, now: datetime | None) -> bool:
    """Whether the table's cursor is older than what this task read."""
    try:
        held = json.loads(lake.read(str(CursorKey(record.table)))[0])
    except ObjectMissing:
        return True
    return held["extracted_at"] < record.extracted_at or _is_ahead(held["extracted_at"], now)


def _advance_cursor(lake: Lake, record: TaskRecord, now: datetime | None) -> None:
    name = str(CursorKey(record.table))
    content = to_json(asdict(Cursor(record.since, record.extracted_at, record.counts)))
    while True:
        try:
            held, stored = lake.read(name)
            generation = stored.version.generation
            at = json.loads(held)["extracted_at"]
            if at >= record.extracted_at and not _is_ahead(at, now):
                return
        except ObjectMissing:
            generation = 0
        try:
            lake.write(name, content, if_generation=generation)
            return
        except ObjectExists:
            continue
