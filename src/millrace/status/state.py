"""The status as data, for programs and for people."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from millrace.status.completeness import AccountState
from millrace.status.remedies import Location, remedy
from millrace.status.rules import Code, Health, Reason
from millrace.status.store import BuildState, Coverage, Events, MartState, StoreKind


@dataclass(frozen=True, slots=True)
class Check:
    """A finding: a code for programs, the fact, and the remedy for the place."""

    code: Code
    text: str
    remedy: str

    @classmethod
    def of(cls, reason: Reason, place: Location) -> "Check":
        """Return a reason with its remedy for the place."""
        return cls(reason.code, reason.text, remedy(reason.step, place))

    def __str__(self) -> str:
        return f"{self.text}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task that is being read: its lists (`lists_total` None: unknown), rows and deliveries, and its last advance."""

    task: str
    lists_done: int
    lists_total: int | None
    rows: int
    deliveries: int
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class RunState:
    """One run: complete, failed, unfinished or damaged; `reason` is why, if known.

    `tasks` are those of an unfinished run that needed more than one delivery so far, or are in their first one.
    """

    run_id: str
    status: str
    reason: str | None
    tasks: tuple[TaskState, ...] = ()


@dataclass(frozen=True, slots=True)
class Watcher:
    """The collector, and when it (or a build) last refreshed the usage marts."""

    running: bool | Literal["unknown"]
    pid: int | None
    last_refresh_at: datetime | None
    seconds_since_refresh: float | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """One table: when its newest rows were extracted; `is_silent` when a run should have extracted more since.

    `is_connected` when a source was ever asked for it, or a file of it was loaded.
    """

    table: str
    last_extracted_at: datetime | None
    seconds_since: float | None
    rows: int
    is_silent: bool
    is_connected: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The whole status. `runs` are oldest first, `builds` newest first.

    `lag_events` are usage events that were loaded or changed and are not yet in every usage mart, `lag_rows` the rows
    of the other tables that were loaded after the last good build. `lag_seconds` is how long the oldest of both has
    been waiting: 0 when nothing waits. They are None when unknown: no store could be read, or only a published copy
    that is older than what was requested. `store_error` is the reason why no store could be read.

    `is_simulated` when the rows are those of a demo; None is unknown, as in a deployment.

    `completeness` has the accounts of sources that say how much they have; none without such a source.

    `checks` are the reasons, in their order, and then findings that do not affect health; `reasons` are the same
    reasons as text, each with its remedy.
    """

    health: Health
    reasons: tuple[str, ...]
    as_of: datetime | None
    built_through: int | None
    newest_load_seq: int | None
    lag_events: int | None
    lag_rows: int | None
    lag_seconds: float | None
    watcher: Watcher
    marts: tuple[MartState, ...]
    events: Events
    coverage: Coverage
    sources: tuple[SourceState, ...]
    runs: tuple[RunState, ...]
    last_complete: str | None
    builds: tuple[BuildState, ...]
    in_quarantine: int
    store: StoreKind | None
    store_error: str | None
    checks: tuple[Check, ...]
    is_simulated: bool | None = None
    completeness: tuple[AccountState, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing ran here yet."""
        return self.health == "empty"

    @property
    def needs_attention(self) -> bool:
        """Whether a person has to act, even if health is good: review the quarantine, end a run, or build."""
        has_ended = not self.runs or self.runs[-1].status == "complete"
        waits = bool(self.lag_events or self.lag_rows)
        return self.health in ("stale", "error", "empty") or self.in_quarantine > 0 or not has_ended or waits

    def check(self, code: Code) -> Check | None:
        """Return the check of a code; None when there is none."""
        return next((check for check in self.checks if check.code == code), None)

    def to_json(self) -> str:
        """Return the JSON of the API; instants are UTC, with a Z."""
        return json.dumps(asdict(self), indent=1, default=_instant)


def _instant(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{value!r} was not expected in a status")
    return value.isoformat().replace("+00:00", "Z")
