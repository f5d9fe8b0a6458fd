"""How far finished runs have read each endpoint: where the next run starts."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from millrace import log
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import CursorKey, account_of
from millrace.runs.plan import Plan, read_plan, to_json
from millrace.runs.records import TaskRecord, read_record, read_tree
from millrace.tables import MOST_AHEAD, Endpoint, endpoints_of
from millrace.warehouse import Ledger


@dataclass(frozen=True, slots=True)
class Cursor:
    """How much of an endpoint the finished runs of an account have read.

    `counts` maps `<day> <state>` (dated listings) or a value of `by` (the others) to a number of rows. In a forgotten
    cursor only the time is valid: the next run reads everything.

    `marks` are what the readings of the source noted, by partition (the id of a repository, or ""). Of an endpoint with
    a task for each repository, `counts` has the source's number of rows by repository, `run_id` is the newest run that
    the marks are of, and `full_at` the schedule time of the newest run that read everything.
    """

    since: str | None
    extracted_at: str
    counts: Mapping[str, int]
    is_forgotten: bool = False
    marks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    run_id: str = ""
    full_at: str | None = None

    def to_json(self) -> bytes:
        """Return the cursor as an object's content; without the last three fields, as before there were any."""
        fields = asdict(self)
        absent = [name for name in ("marks", "run_id", "full_at") if not fields[name]]
        return to_json({name: value for name, value in fields.items() if name not in absent})


def read_cursor(
    lake: Lake, endpoint: str, since: str | None, now: datetime | None = None, account: str = ""
) -> Cursor | None:
    """Return the cursor of an endpoint for the same scope; None: read everything.

    A cursor whose time lies too far ahead of `now` was written by a clock that was ahead, and is ignored.
    """
    cursor = held_cursor(lake, endpoint, account)
    if cursor is None or cursor.since != since or cursor.is_forgotten or _is_ahead(cursor, now):
        return None
    return cursor


def held_cursor(lake: Lake, endpoint: str, account: str = "") -> Cursor | None:
    """Return the cursor of an endpoint in any scope; None when there is none.

    An unreadable cursor counts as none: a cursor only saves reading rows again.
    """
    name = str(CursorKey(endpoint, account))
    try:
        content, _ = lake.read(name)
    except ObjectMissing:
        return None
    try:
        return parsed(content, name, _cursor)
    except Damaged as error:
        log.warning("unreadable cursor", table=endpoint, error=str(error))
        return None


def _cursor(fields: dict[str, Any]) -> Cursor:
    cursor = Cursor(**fields)
    for time in filter(None, (cursor.extracted_at, cursor.full_at)):
        datetime.fromisoformat(time)
    sum(cursor.counts.values())
    if not all(isinstance(mark, dict) for mark in cursor.marks.values()):
        raise ValueError("a mark is no object")
    return cursor


def forget_cursor(lake: Lake, endpoint: str, account: str = "") -> None:
    """Make the next run read an endpoint from the beginning; the ends of earlier runs do not restore its cursor."""
    name, held = str(CursorKey(endpoint, account)), held_cursor(lake, endpoint, account)
    if held is not None:
        with contextlib.suppress(ObjectMissing, ObjectExists):  # a run has just ended and written a newer cursor
            forgotten = replace(held, counts={}, marks={}, full_at=None, is_forgotten=True)
            lake.write(name, forgotten.to_json(), if_generation=lake.read(name)[1].version.generation)


def _is_ahead(cursor: Cursor, now: datetime | None) -> bool:
    return now is not None and datetime.fromisoformat(cursor.extracted_at) > now + MOST_AHEAD


def advance_cursors(lake: Lake, ledger: Ledger, run_id: str, clock: Callable[[], datetime] | None = None) -> None:
    """Advance the cursors to where a final run ended; a cursor never goes back to an older run's.

    The exception is a cursor whose time lies ahead of `clock`. The clock is read after the cursor: a process may be
    suspended for hours, and with an earlier time the cursors that others wrote meanwhile would seem to lie ahead.

    A task with a part that is not loaded, or in quarantine, moves no cursor: the next run reads these rows again. The
    warehouse is queried, and the records of the repositories are read, only when a cursor is behind, because every
    sweep calls this, and each wake-up of a warehouse costs money.
    """
    plan = read_plan(lake, run_id)
    endpoints = endpoints_of(plan.source)
    single = (read_record(lake, run_id, each.name) for each in endpoints if not each.per_repository)
    behind = [record for record in single if record is not None and _is_behind(lake, record, clock)]
    due = [each for each in endpoints if each.per_repository and _is_due(lake, plan, each, clock)]
    if not behind and not due:
        return
    loads = ledger.loads_of(run_id)
    loaded = {entry.version.name for entry in loads if entry.quarantine_reason is None}
    loaded -= {entry.version.name for entry in loads if entry.quarantine_reason is not None}
    for record in behind:
        if {part.name for part in record.parts} <= loaded:
            _advance_cursor(lake, record, clock)
    if due:
        records = [record for _, record in read_tree(lake, run_id) if record is not None]
        whole = [record for record in records if {part.name for part in record.parts} <= loaded]
        for endpoint in due:
            _merge_into_cursor(lake, plan, endpoint, [each for each in whole if each.table == endpoint.name], clock)


def _is_behind(lake: Lake, record: TaskRecord, clock: Callable[[], datetime] | None) -> bool:
    """Return whether the endpoint's cursor is older than this task's rows, lies ahead of the clock, or is missing."""
    held = held_cursor(lake, record.table, account_of(record.run_id))
    return held is None or held.extracted_at < record.extracted_at or _is_ahead(held, clock and clock())


def _advance_cursor(lake: Lake, record: TaskRecord, clock: Callable[[], datetime] | None) -> None:
    account = account_of(record.run_id)

    def advanced(held: Cursor | None) -> Cursor | None:
        if held is not None and held.extracted_at >= record.extracted_at and not _is_ahead(held, clock and clock()):
            return None
        marks = {"": record.mark} if record.mark else held.marks if held else {}
        return Cursor(record.since, record.extracted_at, record.counts, marks=marks)

    _replace(lake, record.table, account, advanced)


def _is_due(lake: Lake, plan: Plan, endpoint: Endpoint, clock: Callable[[], datetime] | None) -> bool:
    held = held_cursor(lake, endpoint.name, plan.account)
    return held is None or _brings_more(plan, held, clock)


def _brings_more(plan: Plan, held: Cursor, clock: Callable[[], datetime] | None) -> bool:
    """Return whether a run is newer than the cursor, or the first one that read everything since the cursor's."""
    is_same = held.since == plan.since and not held.is_forgotten
    is_first_full = plan.scope == "full" and (held.full_at or "") < plan.scheduled_at and is_same
    return held.run_id < plan.run_id or is_first_full or _is_ahead(held, clock and clock())


def _merge_into_cursor(
    lake: Lake,
    plan: Plan,
    endpoint: Endpoint,
    records: Sequence[TaskRecord],
    clock: Callable[[], datetime] | None,
) -> None:
    """Put the marks of a run's tasks into the one cursor of their endpoint; those of a newer run stay.

    A task without a mark leaves that of its repository as it is.
    """
    marked = {record.task_id.partition("__")[2]: record for record in records if record.mark is not None}
    marks = {partition: record.mark or {} for partition, record in marked.items()}
    counts = {partition: record.source_total - record.repeated for partition, record in marked.items()}

    def merged(held: Cursor | None) -> Cursor | None:
        if held is not None and not _brings_more(plan, held, clock):
            return None
        if held is None or held.since != plan.since or _is_ahead(held, clock and clock()):
            held = Cursor(plan.since, plan.scheduled_at, {})
        is_newer = held.run_id < plan.run_id
        full_at = max(held.full_at or "", plan.scheduled_at) if plan.scope == "full" else held.full_at
        return Cursor(
            plan.since,
            max([held.extracted_at, *(record.extracted_at for record in records)]),
            {**held.counts, **counts} if is_newer else {**counts, **held.counts},
            marks={**held.marks, **marks} if is_newer else {**marks, **held.marks},
            run_id=max(held.run_id, plan.run_id),
            full_at=full_at,
        )

    _replace(lake, endpoint.name, plan.account, merged)


def _replace(lake: Lake, endpoint: str, account: str, change: Callable[[Cursor | None], Cursor | None]) -> None:
    """Write the changed cursor, unless the change is None; the change is made again when another process was faster."""
    name = str(CursorKey(endpoint, account))
    while True:
        try:
            generation = lake.read(name)[1].version.generation
            cursor = change(held_cursor(lake, endpoint, account))
        except ObjectMissing:
            generation, cursor = 0, change(None)
        if cursor is None:
            return
        try:
            lake.write(name, cursor.to_json(), if_generation=generation)
            return
        except ObjectExists:
            continue
