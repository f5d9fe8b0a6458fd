"""The clock of an emulated account: a real one, or one that a test moves."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the account needs of time."""

    def now(self) -> datetime:
        """Return the instant, in UTC."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""

    def wait(self, changed: threading.Condition, timeout_s: float) -> None:
        """Wait until `changed`, which the caller holds, is notified, or the time is over."""


class RealClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the instant, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, timeout_s: float) -> None:
        """Wait until `changed` is notified, or the time is over."""
        changed.wait(min(timeout_s, threading.TIMEOUT_MAX))


class JumpingClock:
    """Simulated time: a wait takes none of the real one, and ends when its time is over."""

    def __init__(self, began: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self._began = began
        self._passed_s = 0.0

    def now(self) -> datetime:
        """Return the simulated instant, in UTC."""
        return self._began + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Return the simulated seconds that have passed."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds

    def wait(self, changed: threading.Condition, timeout_s: float) -> None:
        """Let the whole time pass at once."""
        self.advance(timeout_s)
