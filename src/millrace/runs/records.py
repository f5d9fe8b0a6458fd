"""Records of a run's tasks, and the reasons of failed attempts."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import FailureKey, TaskKey
from millrace.runs.plan import Plan, read_plan, to_json
from millrace.tables import ENDPOINTS, children_of


@dataclass(frozen=True, slots=True)
class Part:
    """One object that a task wrote."""

    name: str
    generation: int
    size_bytes: int
    crc32c: str | None
    rows: int

    @property
    def table(self) -> str:
        """The raw table of the rows, from the name."""
        return self.name.split("/")[1]

    @classmethod
    def of(cls, stored: StoredObject, rows: int) -> Self:
        """Return the part for a written object."""
        return cls(stored.version.name, stored.version.generation, stored.size_bytes, stored.crc32c, rows)

    def version(self, bucket: str) -> ObjectVersion:
        """Return the object's version as in the ledger."""
        return ObjectVersion(bucket, self.name, self.generation)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """The record of one task: the rows of the source, the parts that hold them, and the requests they cost.

    `source_total` rows are in the source (within `since`). `known` of them were not read again, because the source's
    counts show no change since the last run. The others are in the parts, `repeated` of them under another row's key.
    `table` is the endpoint, whose first raw table these numbers are of; `totals` are the source's numbers of rows of
    the other raw tables, as far as it gives them. `children` are the tasks that start after this one. `mark` is what
    the next run has to know of the task's partition (None: it keeps what it knows).
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
    totals: Mapping[str, int] = field(default_factory=dict)
    mark: Mapping[str, Any] | None = None

    def to_json(self) -> bytes:
        """Return the record as an object's content; without totals and mark, as before there were any."""
        fields = asdict(self)
        absent = [name for name in ("totals", "mark") if not fields[name]]
        return to_json({name: value for name, value in fields.items() if name not in absent})

    def parts_of(self, table: str) -> list[Part]:
        """Return the parts of a raw table."""
        return [part for part in self.parts if part.table == table]

    @classmethod
    def parse(cls, content: bytes, name: str) -> "TaskRecord":
        """Read a record; Damaged, with the object's name, when it is not one."""

        def make(fields: dict[str, Any]) -> "TaskRecord":
            parts = tuple(Part(**part) for part in fields["parts"])
            return cls(**fields | {"parts": parts, "children": tuple(fields["children"])})

        return parsed(content, name, make)


def read_record(lake: Lake, run_id: str, task_id: str) -> TaskRecord | None:
    """Return the record of a task; None while it is not done. Raises Damaged when it cannot be read."""
    name = str(TaskKey(run_id, task_id))
    try:
        return TaskRecord.parse(lake.read(name)[0], name)
    except ObjectMissing:
        return None


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why the last attempt of a task failed."""

    task_id: str
    kind: str
    message: str
    failed_at: str


def note_failure(lake: Lake, run_id: str, failure: Failure) -> None:
    """Write why an attempt failed, to explain why a run does not end; the last attempt's reason stays."""
    name = str(FailureKey(run_id, failure.task_id))
    try:
        generation = lake.read(name)[1].version.generation
    except ObjectMissing:
        generation = 0
    with contextlib.suppress(ObjectExists):  # another attempt failed at the same moment
        lake.write(name, to_json(asdict(failure)), if_generation=generation)


def read_failure(lake: Lake, run_id: str, task_id: str) -> Failure | None:
    """Return why the last attempt of a task failed; None when none failed, or when the reason cannot be read."""
    name = str(FailureKey(run_id, task_id))
    try:
        return parsed(lake.read(name)[0], name, lambda fields: Failure(**fields))
    except (ObjectMissing, Damaged):
        return None


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks that the plan and the finished tasks of a run name, in their order.

    `recorded` are those with a record, and the generation of that.
    """

    run_id: str
    known: tuple[str, ...]
    recorded: Mapping[str, int]

    @property
    def waiting(self) -> list[str]:
        """The tasks without a record."""
        return [task_id for task_id in self.known if task_id not in self.recorded]

    def newest_first(self) -> list[str]:
        """Return the recorded tasks, the one whose record was written last first."""
        return sorted((each for each in self.known if each in self.recorded), key=lambda each: -self.recorded[each])


def tasks_of(lake: Lake, plan: Plan) -> Tasks:
    """Return the tasks of a run: one listing, and only the records that may name further tasks are read."""
    recorded = dict(_recorded(lake, plan.run_id))
    known = [task.task_id for task in plan.tasks()]
    for task_id in known:  # grows
        if task_id in recorded and _may_have_children(task_id):
            record = read_record(lake, plan.run_id, task_id)
            known += _new(record, set(known))
    return Tasks(plan.run_id, tuple(known), recorded)


def _recorded(lake: Lake, run_id: str) -> Iterator[tuple[str, int]]:
    folder = f"runs/{run_id}/tasks/"
    for stored in lake.list(folder):
        yield stored.version.name.removeprefix(folder).removesuffix(".json"), stored.version.generation


def _may_have_children(task_id: str) -> bool:
    endpoint = ENDPOINTS.get(task_id.partition("__")[0])
    return endpoint is None or bool(children_of(endpoint.name, endpoint.source))


def read_tree(lake: Lake, run_id: str) -> Iterator[tuple[str, TaskRecord | None]]:
    """Yield every task that the plan and the finished tasks name, with its record or None."""
    plan = read_plan(lake, run_id)
    recorded = dict(_recorded(lake, run_id))
    waiting = [task.task_id for task in plan.tasks()]
    met = set(waiting)
    while waiting:
        task_id = waiting.pop(0)
        record = read_record(lake, run_id, task_id) if task_id in recorded else None
        yield task_id, record
        children = _new(record, met)
        met.update(children)
        waiting += children


def _new(record: TaskRecord | None, met: Collection[str]) -> list[str]:
    """Return the children of a record that were not met, each once: a damaged record may name itself."""
    return [child for child in dict.fromkeys(record.children) if child not in met] if record else []
