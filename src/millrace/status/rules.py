"""Whether the numbers can be trusted: live, syncing, stale or error, by rules of which the worst that holds is said.

error    the store cannot be read; the last build failed, or its process died; the newest run failed; more than
         MILLRACE_STALE_EVENTS usage events wait, and it is known that no collector runs
stale    more than MILLRACE_STALE_EVENTS usage events wait; anything waits longer than MILLRACE_STALE_S; a run has
         not ended after as long; nothing was extracted of a table for MILLRACE_SILENT_H; the published copy, where
         only that can be read, is older than what was asked for, and nobody is at it
syncing  a build or a run is going on; something waits that came, or marts were refreshed, within MILLRACE_SYNCING_S
live     everything else

While a build is going on, the events that it takes up are no reason for worry before they have waited MILLRACE_STALE_S.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from millrace.config import StatusConfig

Health = Literal["live", "syncing", "stale", "error"]
_BUILD = "type: make run ARGS=build"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at. Seconds are ages; None is what is not known, or is not there."""

    is_building: bool = False
    build: int | None = None  # the last one
    build_result: str | None = None
    run_id: str | None = None  # the newest one
    run_status: str | None = None
    run_reason: str | None = None
    run_age_s: float | None = None
    is_watching: bool | None = None
    lag_events: int = 0
    lag_rows: int = 0
    events_wait_s: float = 0.0
    rows_wait_s: float = 0.0
    published_through: int | None = None  # set when more than that was asked for, and only the copy could be read
    asked_through: int | None = None
    since_refresh_s: float | None = None
    since_change_s: float | None = None
    silent: tuple[tuple[str, float], ...] = ()  # tables, and for how long

    def is_running(self, limits: StatusConfig) -> bool:
        """Whether the newest run is going on, as far as its age tells."""
        return self.run_status == "unfinished" and (self.run_age_s or 0.0) <= limits.stale_s

    def is_recent(self, limits: StatusConfig) -> bool:
        """Whether the marts were refreshed, or what waits came, a moment ago."""
        ages = [age for age in (self.since_refresh_s, self.since_change_s) if age is not None]
        return any(age <= limits.syncing_s for age in ages)

    @property
    def is_behind(self) -> bool:
        """Whether the published copy lacks something that was asked for."""
        return self.published_through is not None


def judge(facts: Facts, store_error: str | None, limits: StatusConfig) -> tuple[Health, tuple[str, ...]]:
    """Give the worst that holds, and every reason for it or for less, worst first, each with the next step."""
    unreadable = [] if store_error is None else [f"the warehouse cannot be read: {store_error}"]
    levels: dict[Health, list[str]] = {
        "error": [*unreadable, *_errors(facts, limits)],
        "stale": list(_stales(facts, limits)),
        "syncing": list(_syncings(facts, limits)),
    }
    health: Health = next((level for level, reasons in levels.items() if reasons), "live")
    return health, tuple(reason for reasons in levels.values() for reason in reasons)


def _errors(facts: Facts, limits: StatusConfig) -> Iterator[str]:
    if facts.build_result in ("failed", "abandoned") and not facts.is_building:
        yield f"build {facts.build} {facts.build_result}; {_BUILD}"
    if facts.build_result == "running" and not facts.is_building:
        yield f"build {facts.build} was never ended, its process died; {_BUILD}"
    if facts.run_status == "failed":
        yield f"run {facts.run_id} failed: {facts.run_reason or 'no reason is known'}; mend that, then type: make run"
    if _has_too_many(facts, limits) and facts.is_watching is False:
        yield f"{_events(facts)}, and no collector runs; type: make collect ARGS=--watch, or once: make collect"


def _stales(facts: Facts, limits: StatusConfig) -> Iterator[str]:
    if _has_too_many(facts, limits) and facts.is_watching is not False:
        yield f"{_events(facts)}; if that grows, {_BUILD}"
    elif 0 < facts.lag_events <= limits.stale_events and facts.events_wait_s > limits.stale_s:
        yield f"{_events(facts)}; {_BUILD}"
    if facts.lag_rows and facts.rows_wait_s > limits.stale_s:
        yield f"{facts.lag_rows} rows wait for a build, the oldest for {age(facts.rows_wait_s)}; {_BUILD}"
    if facts.run_status == "unfinished" and not facts.is_running(limits):
        why = facts.run_reason or "nothing was heard of it"
        yield f"run {facts.run_id} has not ended for {age(facts.run_age_s or 0.0)}: {why}; type: make run"
    if facts.is_behind and not (facts.is_building or facts.is_running(limits) or facts.is_recent(limits)):
        yield f"the marts are published through {facts.published_through}, {facts.asked_through} is requested; {_BUILD}"
    for table, seconds in facts.silent:
        yield f"nothing was extracted of {table} for {age(seconds)}; type: make run"


def _syncings(facts: Facts, limits: StatusConfig) -> Iterator[str]:
    if facts.is_building:
        yield "a build is going on; wait for it to end"
    if facts.is_running(limits):
        yield f"run {facts.run_id} is going on: {facts.run_reason or 'not all of it is loaded'}; wait for it to end"
    if (facts.lag_events or facts.lag_rows or facts.is_behind) and facts.is_recent(limits):
        waiting = f"{facts.lag_events} events and {facts.lag_rows} rows wait" if not facts.is_behind else "more waits"
        yield f"{waiting}, and the marts follow; look again in a moment"


def _has_too_many(facts: Facts, limits: StatusConfig) -> bool:
    is_taken_up = facts.is_building and facts.events_wait_s <= limits.stale_s
    return facts.lag_events > limits.stale_events and not is_taken_up


def _events(facts: Facts) -> str:
    return f"{facts.lag_events} usage events wait for the marts, the oldest for {age(facts.events_wait_s)}"


def age(seconds: float) -> str:
    """Say seconds as a person would: 7 s, 12 min, 5 h, 3 days."""
    for limit, unit_s, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds / 86_400:.0f} days"
