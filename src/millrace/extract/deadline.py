"""The time until which a delivery of a task may read; on a laptop, until Ctrl-C."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from millrace import interrupts
from millrace.errors import MillraceError


class OutOfTime(MillraceError):
    """The next request, or the wait of `wait_s` before it, could last beyond the deadline."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            f"the next request has to wait for {wait_s:,.0f} s" if wait_s else "the time of the delivery is over"
        )
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a delivery on a monotonic clock, in seconds; None: there is none, as on a laptop."""

    ends_at: float | None = None
    clock: Callable[[], float] = time.monotonic

    def require(self, wait_s: float = 0.0) -> None:
        """Raise OutOfTime unless a request may begin after a wait of `wait_s`."""
        if interrupts.is_asked():
            raise OutOfTime(0.0)
        if self.ends_at is not None and self.clock() + wait_s >= self.ends_at:
            raise OutOfTime(wait_s)

    def left_s(self) -> float:
        """Return the seconds until then, at least 0; infinite without a deadline."""
        return float("inf") if self.ends_at is None else max(0.0, self.ends_at - self.clock())
