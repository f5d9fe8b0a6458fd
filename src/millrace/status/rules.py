"""The rules of health: live, empty, syncing, stale or error. The most severe state that matches is reported.

A rule yields a code and a fact. The next step depends on the place where the status is read: status/remedies.py.

error    the store cannot be read; the last build failed or was abandoned, or its process died; the newest run failed;
         the warehouse is gone; more than MILLRACE_STALE_EVENTS usage events wait, and it is known that no collector
         runs; the extraction time of a row is in the future
stale    objects of the lake are not loaded, or readers do not have the last good build, and no process is at work; an
         object of a run is damaged; more than MILLRACE_STALE_EVENTS usage events wait; anything waits longer than
         MILLRACE_STALE_S; a run has not ended after that time, or its process is gone; a watcher of the agents' logs
         died; no rows of a table were extracted for MILLRACE_SILENT_H; a source refused a part of its data, or it is
         unknown whether all of it is here; the published copy, where only that can be read, is older than what was
         requested, and no process is at work
syncing  a build or a run is in progress; something waits, and it was loaded, or the marts were refreshed, within
         the last 10 seconds
empty    there is no store at all: no warehouse, nothing published, no run
live     everything else, also a store without events

While a build is in progress, MILLRACE_STALE_EVENTS applies only after an event has waited MILLRACE_STALE_S.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from millrace.config import StatusConfig
from millrace.errors import MillraceError, Step

Health = Literal["live", "syncing", "stale", "error", "empty"]


class Code(StrEnum):
    """The name of a rule, for programs: it stays the same when the text changes."""

    STORE_UNREADABLE = "store_unreadable"
    BUILD_FAILED = "build_failed"
    BUILD_ABANDONED = "build_abandoned"
    BUILD_DIED = "build_died"
    RUN_FAILED = "run_failed"
    STAMPED_AHEAD = "stamped_ahead"
    EVENTS_WAITING_NO_COLLECTOR = "events_waiting_no_collector"
    EVENTS_WAITING = "events_waiting"
    WATCHER_DIED = "watcher_died"
    ROWS_WAITING = "rows_waiting"
    RUN_UNFINISHED = "run_unfinished"
    WAREHOUSE_GONE = "warehouse_gone"
    OBJECTS_WAITING = "objects_waiting"
    READERS_BEHIND = "readers_behind"
    OBJECT_DAMAGED = "object_damaged"
    COPY_BEHIND = "copy_behind"
    TABLE_SILENT = "table_silent"
    SOURCE_INCOMPLETE = "source_incomplete"
    BUILDING = "building"
    RUNNING = "running"
    CATCHING_UP = "catching_up"
    AT_WORK = "at_work"
    NOTHING_YET = "nothing_yet"
    MIXED = "mixed"  # of a laptop: rows of a demo and real ones, by an earlier version
    # These need attention, but do not affect health.
    IN_QUARANTINE = "in_quarantine"
    NO_PRICE = "no_price"
    NOTHING_COLLECTED = "nothing_collected"
    SOURCE_PROVISIONAL = "source_provisional"  # its first load is going on


STEPS = {
    Code.STORE_UNREADABLE: Step.FIX_STORE,  # unless the error has a step of its own
    Code.BUILD_FAILED: Step.RETRY_BUILD,
    Code.BUILD_ABANDONED: Step.BUILD,
    Code.BUILD_DIED: Step.BUILD,
    Code.RUN_FAILED: Step.FIX_THEN_RUN,
    Code.STAMPED_AHEAD: Step.FULL_REFRESH,
    Code.EVENTS_WAITING_NO_COLLECTOR: Step.KEEP_COLLECTING,
    Code.EVENTS_WAITING: Step.BUILD,
    Code.WATCHER_DIED: Step.KEEP_COLLECTING,
    Code.ROWS_WAITING: Step.BUILD,
    Code.RUN_UNFINISHED: Step.END_RUN,
    Code.COPY_BEHIND: Step.BUILD,
    Code.WAREHOUSE_GONE: Step.RESTORE,
    Code.OBJECTS_WAITING: Step.RUN,
    Code.READERS_BEHIND: Step.BUILD,
    Code.OBJECT_DAMAGED: Step.REMOVE,
    Code.TABLE_SILENT: Step.RUN,
    Code.SOURCE_INCOMPLETE: Step.COMPLETE_SOURCE,
    Code.BUILDING: Step.WAIT,
    Code.RUNNING: Step.WAIT,
    Code.CATCHING_UP: Step.TRY_AGAIN,
    Code.AT_WORK: Step.WAIT,
    Code.NOTHING_YET: Step.BEGIN,
    Code.MIXED: Step.FIX_STORE,
    Code.IN_QUARANTINE: Step.SEE_QUARANTINE,
    Code.NO_PRICE: Step.ADD_PRICE,
    Code.NOTHING_COLLECTED: Step.COLLECT,
    Code.SOURCE_PROVISIONAL: Step.WAIT,
}


@dataclass(frozen=True, slots=True)
class Reason:
    """The finding of a rule: its code, the fact, and the step that remedies it."""

    code: Code
    text: str
    step: Step

    @classmethod
    def of(cls, code: Code, text: str) -> "Reason":
        """Return the reason with the step of its code."""
        return cls(code, text, STEPS[code])


@dataclass(frozen=True, slots=True)
class Collecting:
    """The collector beside the store, and the process of a watcher that its user did not end; None is unknown."""

    is_running: bool | None = None
    pid: int | None = None
    dead_watcher: str | None = None


@dataclass(frozen=True, slots=True)
class HealthInputs:
    """The facts that the rules check. Seconds are ages; None is unknown or missing."""

    nothing: str | None = None  # set when there is no store at all, to the reason
    at_work: str | None = None  # set when another process holds the store, and nothing is published yet
    is_building: bool = False
    build: int | None = None  # the last one
    build_result: str | None = None
    build_met_damage: bool = False
    run_id: str | None = None  # the newest one
    run_status: str | None = None
    run_reason: str | None = None
    run_age_s: float | None = None
    is_at_work: bool | None = None  # whether a process works on a run, where that can be seen
    damaged: tuple[str, ...] = ()  # objects of the newest runs that cannot be read
    is_gone: bool = False  # no process is at work, readers have a copy, and the warehouse of that copy is missing
    unloaded: tuple[str, ...] = ()  # objects of the lake that are not in the ledger
    build_of_readers: int | None = None
    last_good_build: int | None = None
    is_watching: bool | None = None
    dead_watcher: str | None = None  # the process of a watcher that its user did not end
    lag_events: int = 0
    lag_rows: int = 0
    events_wait_s: float = 0.0
    rows_wait_s: float = 0.0
    published_through: int | None = None  # set when more than that was requested, and only the copy could be read
    asked_through: int | None = None
    since_refresh_s: float | None = None
    since_change_s: float | None = None
    silent: tuple[tuple[str, float], ...] = ()  # tables, and for how long
    ahead: tuple[tuple[str, float], ...] = ()  # tables, and how far in the future the extraction time of their rows is
    incomplete: tuple[str, ...] = ()  # accounts of sources, with what is refused or unknown

    def is_running(self, limits: StatusConfig) -> bool:
        """Return whether the newest run is in progress: a process works on it or, if that is unknown, it is young."""
        is_young = (self.run_age_s or 0.0) <= limits.stale_s
        return self.run_status == "unfinished" and (is_young if self.is_at_work is None else self.is_at_work)

    def is_recent(self, limits: StatusConfig) -> bool:
        """Return whether the marts were refreshed, or the newest waiting row was loaded, within `syncing_s`."""
        ages = [age for age in (self.since_refresh_s, self.since_change_s) if age is not None]
        return any(age <= limits.syncing_s for age in ages)

    @property
    def is_behind(self) -> bool:
        """Whether the published copy lacks something that was requested."""
        return self.published_through is not None


def judge(
    inputs: HealthInputs, store_error: MillraceError | None, limits: StatusConfig
) -> tuple[Health, tuple[Reason, ...]]:
    """Return the most severe state that matches, and the reasons for all that match, most severe first."""
    levels: dict[Health, list[Reason]] = {
        "error": [*_unreadable(store_error), *_errors(inputs, limits)],
        "stale": list(_stales(inputs, limits)),
        "syncing": list(_syncings(inputs, limits)),
    }
    if inputs.nothing is not None and not any(levels.values()):
        return "empty", (Reason.of(Code.NOTHING_YET, inputs.nothing),)
    health: Health = next((level for level, reasons in levels.items() if reasons), "live")
    return health, tuple(reason for reasons in levels.values() for reason in reasons)


def _unreadable(error: MillraceError | None) -> Iterator[Reason]:
    if error is not None:
        code = Code.STORE_UNREADABLE
        yield Reason(code, f"the warehouse cannot be read: {error}", error.step or STEPS[code])


def _failed(inputs: HealthInputs) -> Reason:
    if inputs.build_met_damage:  # no other build mends that
        return Reason(Code.BUILD_FAILED, f"build {inputs.build} failed: the warehouse is damaged", Step.RESTORE)
    return Reason.of(Code.BUILD_FAILED, f"build {inputs.build} failed")


def _errors(inputs: HealthInputs, limits: StatusConfig) -> Iterator[Reason]:
    if not inputs.is_building:
        if inputs.build_result == "failed":
            yield _failed(inputs)
        if inputs.build_result == "abandoned":
            yield Reason.of(Code.BUILD_ABANDONED, f"build {inputs.build} was abandoned")
        if inputs.build_result == "running":
            yield Reason.of(Code.BUILD_DIED, f"build {inputs.build} was never ended, its process died")
    if inputs.is_gone:
        yield Reason.of(Code.WAREHOUSE_GONE, "the warehouse is gone; readers have its last published copy")
    if inputs.run_status == "failed":
        yield Reason.of(Code.RUN_FAILED, f"run {inputs.run_id} failed: {inputs.run_reason or 'no reason is known'}")
    for table, seconds in inputs.ahead:
        yield Reason.of(Code.STAMPED_AHEAD, f"rows of {table} were extracted {age(seconds)} from now, by a wrong clock")
    if _has_too_many(inputs, limits) and inputs.is_watching is False:
        yield Reason.of(Code.EVENTS_WAITING_NO_COLLECTOR, f"{_events(inputs)}, and no collector runs")


def _stales(inputs: HealthInputs, limits: StatusConfig) -> Iterator[Reason]:
    are_too_many = _has_too_many(inputs, limits) and inputs.is_watching is not False
    are_old = 0 < inputs.lag_events <= limits.stale_events and inputs.events_wait_s > limits.stale_s
    if are_too_many or are_old:
        yield Reason.of(Code.EVENTS_WAITING, _events(inputs))
    if inputs.dead_watcher is not None:
        ended = f"the watcher of the coding agents' logs (process {inputs.dead_watcher}) ended without being stopped"
        yield Reason.of(Code.WATCHER_DIED, ended)
    if inputs.lag_rows and inputs.rows_wait_s > limits.stale_s:
        waits = f"{inputs.lag_rows} rows wait for a build, the oldest for {age(inputs.rows_wait_s)}"
        yield Reason.of(Code.ROWS_WAITING, waits)
    if inputs.run_status == "unfinished" and not inputs.is_running(limits):
        why = inputs.run_reason or "nothing was heard of it"
        lasts = age(inputs.run_age_s or 0.0)
        yield Reason.of(Code.RUN_UNFINISHED, f"run {inputs.run_id} has not ended for {lasts}: {why}")
    if inputs.unloaded and not (inputs.is_building or inputs.is_running(limits)):
        first = ascii(inputs.unloaded[0])[1:-1]
        yield Reason.of(Code.OBJECTS_WAITING, f"{len(inputs.unloaded)} objects of the lake are not loaded: {first} …")
    if inputs.build_of_readers != inputs.last_good_build and not inputs.is_building:
        has = "nothing that can be read" if inputs.build_of_readers is None else f"build {inputs.build_of_readers}"
        newest = "no build" if inputs.last_good_build is None else f"build {inputs.last_good_build}"
        yield Reason.of(Code.READERS_BEHIND, f"readers have {has}, and the warehouse has {newest}")
    for message in inputs.damaged:
        yield Reason.of(Code.OBJECT_DAMAGED, message)
    if inputs.is_behind and not (inputs.is_building or inputs.is_running(limits) or inputs.is_recent(limits)):
        behind = f"the marts are published through {inputs.published_through}, {inputs.asked_through} is requested"
        yield Reason.of(Code.COPY_BEHIND, behind)
    for table, seconds in inputs.silent:
        yield Reason.of(Code.TABLE_SILENT, f"nothing was extracted of {table} for {age(seconds)}")
    for account in inputs.incomplete:
        yield Reason.of(Code.SOURCE_INCOMPLETE, account)


def _syncings(inputs: HealthInputs, limits: StatusConfig) -> Iterator[Reason]:
    if inputs.is_building:
        yield Reason.of(Code.BUILDING, "a build is going on")
    if inputs.is_running(limits):
        why = inputs.run_reason or "not all of it is loaded"
        yield Reason.of(Code.RUNNING, f"run {inputs.run_id} is going on: {why}")
    has_ended_badly = inputs.build_result in ("failed", "abandoned", "running") and not inputs.is_building
    is_lagging = inputs.lag_events or inputs.lag_rows or inputs.is_behind
    if is_lagging and inputs.is_recent(limits) and not has_ended_badly:  # then no mart follows
        waiting = (
            f"{inputs.lag_events} events and {inputs.lag_rows} rows wait" if not inputs.is_behind else "more waits"
        )
        yield Reason.of(Code.CATCHING_UP, f"{waiting}, and the marts follow")
    if inputs.at_work is not None and not (inputs.is_building or inputs.is_running(limits)):
        yield Reason.of(Code.AT_WORK, f"{inputs.at_work}, and nothing is published yet")


def _has_too_many(inputs: HealthInputs, limits: StatusConfig) -> bool:
    is_taken_up = inputs.is_building and inputs.events_wait_s <= limits.stale_s
    return inputs.lag_events > limits.stale_events and not is_taken_up


def _events(inputs: HealthInputs) -> str:
    return f"{inputs.lag_events} usage events wait for the marts, the oldest for {age(inputs.events_wait_s)}"


def age(seconds: float) -> str:
    """Return seconds as readable text: 7 s, 12 min, 5 h, 3 days."""
    for limit, unit_s, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"
