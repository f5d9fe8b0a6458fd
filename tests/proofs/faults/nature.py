"""The elements of a schedule: time, messages, handlers, and how rough it is."""

import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import duckdb
from tests.proofs.faults.choices import Choices

T = TypeVar("T")
_NEEDING = (
    "lake.write",
    "lake.download",
    *(f"warehouse:{verb}" for verb in ("COMMIT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER")),
)


class Violation(Exception):
    """An invariant does not hold; `rule` is its short name."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


class Clock:
    """Time that moves only when something happens."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """Return the true time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        """Return seconds since 1970."""
        return (self._now - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


@dataclass
class Ailment:
    """A machine's shortage, `left` calls long: space on its disk, write permission, or file handles.

    It affects only calls whose name begins with `at`.
    """

    number: int
    left: int
    at: str

    def strikes(self, name: str) -> bool:
        """Return whether the shortage affects a call: one that creates or opens a file."""
        is_struck = self.left > 0 and name in _NEEDING and name.startswith(self.at)
        self.left -= is_struck
        return is_struck

    def failure(self, name: str) -> Exception:
        """Return the system's error; DuckDB wraps it in an exception of its own."""
        said = os.strerror(self.number)
        if name.startswith("warehouse:"):
            return duckdb.IOException(f'IO Error: Could not write file "warehouse.duckdb": {said}')
        return OSError(self.number, said, name)


@dataclass(frozen=True)
class Message:
    """A message for one function; `attempt` counts the failed deliveries, `copy` the unnecessary ones."""

    number: int
    function: str
    subject: object
    attempt: int = 0
    copy: int = 0


@dataclass(eq=False)
class Handler:
    """One delivery in progress, in a thread of its own."""

    message: Message
    skew_s: int
    go: threading.Lock = field(default_factory=threading.Lock)
    slow_until: int = 0
    is_dead: bool = False
    is_paused: bool = False
    has_paused: bool = False
    stepped_at: datetime | None = None
    is_done: bool = False
    raised: BaseException | None = None


class Nature:
    """How rough this schedule is; the first option of each is the mildest."""

    def __init__(self, choices: Choices) -> None:
        def one_of(name: str, *options: T) -> T:
            return options[choices.draw(name, len(options))]

        self.handlers = one_of("handlers", 1, 2, 2, 10)
        self.fault_share = one_of("faults", 0.0, 0.004, 0.012, 0.04)
        self.switch_share = one_of("switches", 0.0, 0.1, 0.4, 0.4)
        self.again_share = one_of("duplicates", 0.0, 0.1, 0.3)
        self.late_share = one_of("late", 0.0, 0.1, 0.4)
        self.lost_share = one_of("lost", 0.0, 0.0, 0.05, 0.2)
        self.skew_share = one_of("skews", 0.0, 0.3)
        self.pause_share = one_of("pauses", 0.0, 0.0, 0.004)
        self.agenda_share = one_of("overlaps", 0.0, 0.03, 0.15)
        self.is_crowded = one_of("crowded builds", False, True)
        if self.is_crowded:  # several executions at once, and others may overtake at each of their few steps
            self.handlers = max(self.handlers, 4)
        self.source_share = one_of("source troubles", 0.0, 0.0, 0.05, 0.2)
        # The real dbt costs as much as five schedules, so one of twenty builds with it (102 of the first 2,000). Dice
        # always take it where builds are faulty; a schedule written by hand need not.
        self.is_build_faulty = bool(choices.draw("faults of the build", 2, 0.045))
        self.is_on_snowflake = bool(choices.told("on Snowflake"))
        self.has_short_deliveries = bool(choices.told("short deliveries"))
        self.has_real_dbt = self.is_build_faulty and not choices.draw("a stand-in for dbt", 2, 0.0)
