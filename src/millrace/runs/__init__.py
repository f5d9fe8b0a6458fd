"""The run protocol: what a run set out to do, what each task did, when all of it is loaded, and where the next starts.

No coordinator and no counter: whoever commits a fact (a task record, a ledger row) reads all facts of the run after
it, and the one that sees them complete writes `final.json`, once. The last to commit always sees everything.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, Self

from millrace import log
from millrace.bus import Bus
from millrace.bus.events import NotAnEvent, TaskEvent
from millrace.errors import TerminalError
from millrace.extract.sources.cursor_sim.listing import Cursor
from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, create_once
from millrace.lake.names import CursorKey, FailureKey, FinalKey, PlanKey, TaskKey
from millrace.tables import children_of
from millrace.warehouse import Warehouse


class PlanMissing(TerminalError):
    """Nobody started the run: its plan is written before anything else, and never deleted."""


@dataclass(frozen=True, slots=True)
class Order:
    """What whoever starts a run asks for: its schedule time names it, `since` bounds it."""

    scheduled_at: datetime
    since: date | None = None
    full_refresh: bool = False

    @classmethod
    def parse(cls, scheduled_at: str | None, body: bytes) -> Self:
        """Read the scheduler's header (none: now) and the JSON body, both of whose fields may be left out."""
        try:
            fields = json.loads(body or b"{}")
            since, full_refresh = fields.pop("since", None), fields.pop("full_refresh", False)
            if fields or not isinstance(full_refresh, bool):
                raise ValueError
            moment = datetime.fromisoformat(scheduled_at) if scheduled_at else datetime.now(UTC)
            if moment.tzinfo is None:
                raise ValueError
            return cls(moment.astimezone(UTC), None if since is None else date.fromisoformat(since), full_refresh)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise NotAnEvent(
                'a JSON object like {"since": "2026-01-31", "full_refresh": true} was expected, and a time by RFC 3339'
            ) from None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run set out to do. Its tasks are the tables without a parent; children follow from the registry."""

    run_id: str
    scheduled_at: str
    since: str | None
    full_refresh: bool

    @property
    def day(self) -> date:
        """The day under which the run's parts are filed."""
        return datetime.fromisoformat(self.scheduled_at).date()

    def tasks(self) -> list[TaskEvent]:
        """Give the tasks that a run starts with."""
        return [TaskEvent(self.run_id, table.name, table.name) for table in children_of(None)]


@dataclass(frozen=True, slots=True)
class Part:
    """One object that a task wrote."""

    name: str
    generation: int
    size_bytes: int
    crc32c: str | None
    rows: int

    @classmethod
    def of(cls, stored: StoredObject, rows: int) -> Self:
        """Note a written object."""
        return cls(stored.version.name, stored.version.generation, stored.size_bytes, stored.crc32c, rows)

    def version(self, bucket: str) -> ObjectVersion:
        """Give the object's version as the ledger knows it."""
        return ObjectVersion(bucket, self.name, self.generation)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """What one task did: the rows the source has, the parts that hold them, and what they cost.

    `source_total` rows are in the source (within `since`): `known` of them were not read again, because the source's
    counts show no change since the last run; the others are in the parts, `repeated` of them under another row's key.
    """

    run_id: str
    task_id: str
    table: str
    plan: str
    extracted_at: str
    finished_at: str
    since: str | None
    window_start: str | None
    source_total: int
    known: int
    repeated: int
    rows: int
    parts: tuple[Part, ...]
    children: tuple[str, ...]
    requests: int
    retries: int
    rate_limited: int
    waited_s: float
    counts: Mapping[str, int]

    def to_json(self) -> bytes:
        """Give the record as an object's content."""
        return _to_json(asdict(self))

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read it back."""
        fields = json.loads(content)
        fields["parts"] = tuple(Part(**part) for part in fields["parts"])
        fields["children"] = tuple(fields["children"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Final:
    """How a run ended: `complete` with the change sequence of its last load, or `failed` with a reason."""

    run_id: str
    status: Literal["complete", "failed"]
    reason: str | None
    tasks: tuple[str, ...]
    load_seq: int


def start(lake: Lake, bus: Bus, order: Order) -> Plan:
    """Start the run of a schedule time; the same time again requests the tasks of the same run again."""
    moment = order.scheduled_at.replace(microsecond=0)
    since = str(order.since) if order.since else None
    plan = Plan(f"{moment.year:04}{moment:%m%dT%H%M%SZ}", moment.isoformat(), since, order.full_refresh)
    with log.step("start run", plan.run_id):
        try:
            create_once(lake, str(PlanKey(plan.run_id)), _to_json(asdict(plan)))
        except ObjectExists:
            plan = read_plan(lake, plan.run_id)
        log.info("run started", since=plan.since, full_refresh=plan.full_refresh)
        for task in plan.tasks():
            task.request(bus)
        return plan


def read_plan(lake: Lake, run_id: str) -> Plan:
    """Give a run's plan; PlanMissing when there is none."""
    try:
        return Plan(**json.loads(lake.read(str(PlanKey(run_id)))[0]))
    except ObjectMissing:
        raise PlanMissing(f"run {run_id} has no plan; start it before asking for its tasks") from None


def read_record(lake: Lake, run_id: str, task_id: str) -> TaskRecord | None:
    """Give what a task did; None while it is not done."""
    try:
        return TaskRecord.parse(lake.read(str(TaskKey(run_id, task_id)))[0])
    except ObjectMissing:
        return None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last attempt of a task did not succeed."""

    task_id: str
    kind: str
    message: str
    failed_at: str


def note_failure(lake: Lake, run_id: str, failure: Failure) -> None:
    """Keep why an attempt failed, for whoever asks why a run does not end; the last attempt's reason stays."""
    name = str(FailureKey(run_id, failure.task_id))
    try:
        generation = lake.read(name)[1].version.generation
    except ObjectMissing:
        generation = 0
    with contextlib.suppress(ObjectExists):  # another attempt failed at the same moment
        lake.write(name, _to_json(asdict(failure)), if_generation=generation)


def read_failure(lake: Lake, run_id: str, task_id: str) -> Failure | None:
    """Give why the last attempt of a task failed; None when none did."""
    try:
        return Failure(**json.loads(lake.read(str(FailureKey(run_id, task_id)))[0]))
    except ObjectMissing:
        return None


def read_tree(lake: Lake, run_id: str) -> Iterator[tuple[str, TaskRecord | None]]:
    """Give every task that the plan and the finished tasks name, with its record as far as there is one."""
    waiting = [task.task_id for task in read_plan(lake, run_id).tasks()]
    while waiting:
        task_id = waiting.pop(0)
        record = read_record(lake, run_id, task_id)
        yield task_id, record
        waiting.extend(record.children if record else ())


def finish_if_complete(lake: Lake, warehouse: Warehouse, run_id: str) -> bool:
    """Write the run's final object if every task is recorded and every part is in the ledger; whether it is there."""
    records = dict(read_tree(lake, run_id))
    if None in records.values():
        return False
    loads = {entry.version: entry for entry in warehouse.loads_of(run_id)}
    parts = [part.version(lake.bucket) for record in records.values() if record for part in record.parts]
    if any(part not in loads for part in parts):
        return False
    load_seq = max((loads[part].load_seq for part in parts), default=0)
    _end(lake, Final(run_id, "complete", None, tuple(sorted(records)), load_seq))
    return True


def fail(lake: Lake, run_id: str, reason: str) -> None:
    """End a run that will not be complete any more; a run that has ended stays as it ended."""
    _end(lake, Final(run_id, "failed", reason, (), 0))


def read_final(lake: Lake, run_id: str) -> Final | None:
    """Give how a run ended; None while it has not."""
    try:
        fields = json.loads(lake.read(str(FinalKey(run_id)))[0])
    except ObjectMissing:
        return None
    return Final(**fields | {"tasks": tuple(fields["tasks"])})


def _end(lake: Lake, final: Final) -> None:
    try:
        create_once(lake, str(FinalKey(final.run_id)), _to_json(asdict(final)))
        log.info("run ended", run_id=final.run_id, status=final.status, reason=final.reason)
    except ObjectExists:
        log.info("run had ended already", run_id=final.run_id)


def read_cursor(lake: Lake, table: str, since: str | None) -> Cursor | None:
    """Give how far finished runs of the same scope have read a table; None: read everything."""
    try:
        cursor = Cursor(**json.loads(lake.read(str(CursorKey(table)))[0]))
    except ObjectMissing:
        return None
    return cursor if cursor.since == since else None


def advance_cursors(lake: Lake, warehouse: Warehouse, run_id: str) -> None:
    """Let the next runs start where a final run ended; a cursor never goes back to an older run's.

    A table of which a part is in quarantine keeps its cursor: the next run reads these rows again. The warehouse is
    asked only when a cursor is behind: every sweep looks, and a warehouse that is woken for nothing costs all the same.
    """
    behind = [record for _, record in read_tree(lake, run_id) if record is not None and _is_behind(lake, record)]
    if not behind:
        return
    set_aside = {entry.version.name for entry in warehouse.loads_of(run_id) if entry.quarantine_reason is not None}
    for record in behind:
        if set_aside.isdisjoint(part.name for part in record.parts):
            _advance_cursor(lake, record)


def _is_behind(lake: Lake, record: TaskRecord) -> bool:
    """Whether the table's cursor is older than what this task read."""
    try:
        held = json.loads(lake.read(str(CursorKey(record.table)))[0])
    except ObjectMissing:
        return True
    return bool(held["extracted_at"] < record.extracted_at)


def _advance_cursor(lake: Lake, record: TaskRecord) -> None:
    name = str(CursorKey(record.table))
    content = _to_json(asdict(Cursor(record.since, record.extracted_at, record.counts)))
    while True:
        try:
            held, stored = lake.read(name)
            generation = stored.version.generation
            if json.loads(held)["extracted_at"] >= record.extracted_at:
                return
        except ObjectMissing:
            generation = 0
        try:
            lake.write(name, content, if_generation=generation)
            return
        except ObjectExists:
            continue


def _to_json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"
