"""The source's rate limiter: one token bucket for the whole process."""

import threading
import time
from collections.abc import Callable

BURST = 100
TOKENS_PER_S = 100 / 60


class TokenBucket:
    """Grants a token for each request, at most `BURST` at once, refilled with `TOKENS_PER_S`."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._tokens = float(BURST)
        self._filled_at_s = now_s()

    def take(self) -> int | None:
        """Take a token and return None; without a token return the seconds for Retry-After."""
        with self._lock:
            now_s = self._now_s()
            self._tokens = min(BURST, self._tokens + (now_s - self._filled_at_s) * TOKENS_PER_S)
            self._filled_at_s = now_s
            if self._tokens >= 1:
                self._tokens -= 1
                return None
            return int((1 - self._tokens) / TOKENS_PER_S) + 1
