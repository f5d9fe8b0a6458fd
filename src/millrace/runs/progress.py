"""How far a task has read, so that its next delivery continues there."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from millrace import log
from millrace.errors import TransientError
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import ProgressKey
from millrace.runs.plan import to_json
from millrace.runs.records import Part


class Overtaken(TransientError):
    """Another delivery of the same task wrote its progress meanwhile."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The delivery that reads a task: its message, and the time after which it is certainly over."""

    message: str
    until: str

    def is_active(self, now: datetime) -> bool:
        """Return whether the delivery may still be reading."""
        return now < datetime.fromisoformat(self.until)


@dataclass(frozen=True, slots=True)
class Progress:
    """A task that is not done: the state of its listing (None: it begins), and the parts with the rows read so far.

    `pending` are rows that were read and are in no part yet, by raw table; `pending_at` is when the delivery that read
    them began. `started_at` is the time of its first delivery, `saved_at` that of the last advance. `idle` of the
    `deliveries`, the last ones, read nothing. Of its lists `lists_done` are read; `lists_total` None is unknown. `cost`
    is what its requests cost.
    """

    run_id: str
    task_id: str
    table: str
    started_at: str
    saved_at: str
    listing: Mapping[str, Any] | None = None
    parts: tuple[Part, ...] = ()
    lists_done: int = 0
    lists_total: int | None = None
    deliveries: int = 0
    idle: int = 0
    cost: Mapping[str, float] = field(default_factory=dict)
    claim: Claim | None = None
    pending: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    pending_at: str | None = None

    @property
    def rows(self) -> int:
        """The number of rows that were read."""
        return sum(part.rows for part in self.parts) + sum(len(rows) for rows in self.pending.values())

    def to_json(self) -> bytes:
        """Return the progress as an object's content; `rows` is for people and other programs."""
        # asdict would copy every row
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        fields |= {"parts": [asdict(part) for part in self.parts], "claim": self.claim and asdict(self.claim)}
        if not self.pending:
            del fields["pending"], fields["pending_at"]
        return to_json(fields | {"rows": self.rows})

    @classmethod
    def parse(cls, content: bytes, name: str) -> "Progress":
        """Read a progress; Damaged, with the object's name, when it is not one."""

        def make(fields: dict[str, Any]) -> "Progress":
            fields.pop("rows")
            claim = Claim(**fields["claim"]) if fields["claim"] else None
            times = [fields.get("pending_at"), claim and claim.until]
            for time in (fields["started_at"], fields["saved_at"], *filter(None, times)):
                if datetime.fromisoformat(time).tzinfo is None:
                    raise ValueError(time)
            if bool(sum(map(len, fields.get("pending", {}).values()))) and not fields["pending_at"]:
                raise ValueError("rows of an unknown time")
            return cls(**fields | {"parts": tuple(Part(**part) for part in fields["parts"]), "claim": claim})

        return parsed(content, name, make)

    def from_the_beginning(self) -> Self:
        """Return the progress of a task that has to read everything again."""
        return replace(self, listing=None, parts=(), pending={}, pending_at=None, lists_done=0, lists_total=None)


def read_progress(lake: Lake, run_id: str, task_id: str) -> tuple[Progress | None, int]:
    """Return the progress of a task and its generation; None (and 0: no object) before it is saved.

    A damaged one counts as none: it only saves reading rows again.
    """
    name = str(ProgressKey(run_id, task_id))
    try:
        content, stored = lake.read(name)
    except ObjectMissing:
        return None, 0
    try:
        return Progress.parse(content, name), stored.version.generation
    except Damaged as error:
        log.warning("a task begins again", task_id=task_id, error=str(error))
        return None, stored.version.generation


def save_progress(lake: Lake, progress: Progress, generation: int) -> int:
    """Replace the progress at that generation, and return the new one; Overtaken when it has changed."""
    name = str(ProgressKey(progress.run_id, progress.task_id))
    try:
        return lake.write(name, progress.to_json(), if_generation=generation).version.generation
    except ObjectExists:
        raise Overtaken(
            f"{progress.task_id} of run {progress.run_id} is read by another delivery of its message"
        ) from None
