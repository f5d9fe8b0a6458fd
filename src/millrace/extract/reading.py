"""What a source has to offer so that its endpoints are extracted: readings that pause and continue."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from millrace.extract.deadline import Deadline
from millrace.extract.http_client import RequestStats
from millrace.runs import Cursor, Plan
from millrace.tables import Endpoint

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]
"""Rows by the raw table that they go to."""
Held = Mapping[str, Any]
"""The state of a paused reading, as fields of a JSON object."""
Parents = Callable[[tuple[str, ...]], Iterable[Row]]
"""Returns the named columns of the rows that the parent's task of the same run extracted."""


@dataclass(frozen=True, slots=True)
class Request:
    """What one delivery of a task is to read.

    `partition` is the id of a repository ("" where the endpoint is one list). `cursor` is how far finished runs have
    read the endpoint (None: read everything). `held` is the state in which the last delivery paused. `now` is when this
    delivery began. The reading adds to `stats`, and begins no request after the `deadline`.
    """

    plan: Plan
    endpoint: Endpoint
    partition: str
    cursor: Cursor | None
    parents: Parents
    held: Held | None
    now: datetime
    stats: RequestStats
    deadline: Deadline
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished reading found; the fields are those of its TaskRecord.

    `totals` are the source's numbers of rows by raw table. `children` are the partitions for which the endpoints below
    are started. `mark` is what the next run has to know of the partition.
    """

    plan: str
    source_total: int
    known: int = 0
    repeated: int = 0
    since: date | None = None
    window_start: date | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    mark: Mapping[str, Any] | None = None


class Reading(Protocol):
    """One reading of one task. Iterate `rows`, then ask for its `outcome`."""

    is_page_saved: bool
    """Whether each batch of rows is a page after which the state is saved; else it is saved each minute."""

    @property
    def lists(self) -> tuple[int, int | None]:
        """The number of lists that were read, and of those that are known to be needed (None: unknown)."""

    def rows(self) -> Iterator[Rows]:
        """Yield the rows in batches; when it ends without an error, the reading is complete."""

    def held(self) -> dict[str, Any]:
        """Return the state after the rows that were yielded so far, for `held` of a later request."""

    def outcome(self) -> Outcome:
        """Return what was found, after the last row."""


class Source(Protocol):
    """One configured source."""

    def reading(self, request: Request) -> Reading:
        """Return the reading of a task."""
