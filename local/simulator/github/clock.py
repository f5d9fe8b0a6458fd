"""The simulator's clock, which tests move."""

import threading
import time

from simulator.github.times import instant, seconds


class Clock:
    """Begins at an instant; moves by `advance`, and with `is_running` by itself too."""

    def __init__(self, start: str, is_running: bool = False) -> None:
        self._lock = threading.Lock()
        self._now_s = float(seconds(start))
        self._started_s = time.monotonic() if is_running else None

    def now_s(self) -> float:
        """Return the seconds since 1970."""
        with self._lock:
            passed_s = time.monotonic() - self._started_s if self._started_s is not None else 0.0
            return self._now_s + passed_s

    def advance(self, by_s: float) -> None:
        """Move the clock forward, as a client's wait or an answer's time does."""
        with self._lock:
            self._now_s += by_s

    def instant(self) -> str:
        """Return now as GitHub writes it."""
        return instant(self.now_s())
