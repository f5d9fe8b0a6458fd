"""The pace of requests, so that the source's own limit is seldom reached.

A source counts all requests of a key, whichever process sends them. Tasks of one process share a `RateBudget`; those of
a deployment share a `SharedBudget`, whose tokens are in an object of the lake. So a task that reads alone has the
whole limit.
"""

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from millrace import interrupts, log
from millrace.extract.deadline import Deadline
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import RateKey

Clock = Callable[[], float]
Sleep = Callable[[float], None]
NO_DEADLINE = Deadline()

_CAPACITY = 0.75  # of the limit of a minute may be sent at once; with what readers hold, it stays below the limit
_TAKEN_AT_ONCE = 0.05  # of the limit of a minute: three seconds' worth; an object is written once a second at most
_KEPT_S = 15.0  # that a reader may hold tokens which it has not used
_SEEN_S = 5.0  # after which a waiting reader says again that it waits
_MOST_AHEAD_S = 3700.0  # of the end of an hourly limit, by another machine's clock
_RATE_KEY = RateKey()


class Budget(Protocol):
    """Grants requests."""

    def take(self, deadline: Deadline = NO_DEADLINE) -> float:
        """Wait until a request may be sent; return the seconds waited. Raises OutOfTime instead of a longer wait."""

    def refused(self, wait_s: float, deadline: Deadline = NO_DEADLINE) -> None:
        """Wait after the source refused a request for its limit; all who share the budget wait too.

        Raises OutOfTime instead of a longer wait.
        """


class RateBudget:
    """A token bucket for every request of the process.

    `per_minute` None means unpaced: only refusals are waited out. Safe to share between threads.
    """

    def __init__(
        self, per_minute: float | None, burst: int, clock: Clock = time.monotonic, sleep: Sleep = interrupts.wait
    ) -> None:
        self._per_s = None if per_minute is None else per_minute / 60
        self._burst = burst
        self._tokens = float(burst)
        self._clock = clock
        self._sleep = sleep
        self._refilled_at = clock()
        self._closed_until = self._refilled_at
        self._lock = threading.Lock()

    def take(self, deadline: Deadline = NO_DEADLINE) -> float:
        """Wait for the next token; return the seconds waited."""
        with self._lock:
            wait_s = max(0.0, self._closed_until - self._clock())
            if self._per_s is not None:
                self._refill(self._per_s)
                wait_s = max(wait_s, (1 - self._tokens) / self._per_s)
            deadline.require(wait_s)
            if self._per_s is not None:
                self._tokens -= 1
        if wait_s:
            self._sleep(wait_s)
        return wait_s

    def refused(self, wait_s: float, deadline: Deadline = NO_DEADLINE) -> None:
        """Drop what is left of the burst after a 429 of the source, and wait."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + wait_s)
            if self._per_s is not None:
                self._refill(self._per_s)
                self._tokens = min(self._tokens, 0.0)
        deadline.require(wait_s)
        self._sleep(wait_s)

    def _refill(self, per_s: float) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled_at) * per_s)
        self._refilled_at = now


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The content of the object: so many tokens at a time, and when each reader last took some and was last seen."""

    tokens: float
    refilled_at: float
    readers: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class SharedBudget:
    """A token bucket in the lake, for all processes that read the source with one key.

    A reader takes a few tokens at a time by compare-and-swap, and uses them one by one. Tokens of a reader that died
    are lost, which costs seconds. The reader whose last tokens are the oldest is the next one; another one may take
    tokens only if it leaves as many for it. `clock` is the time of day in seconds, `key` the name of the object.
    """

    def __init__(
        self,
        lake: Lake,
        per_minute: float,
        clock: Clock = time.time,
        sleep: Sleep = time.sleep,
        key: RateKey = _RATE_KEY,
    ) -> None:
        self._lake = lake
        self._name = str(key)
        self._per_s = per_minute / 60
        self._capacity = max(1.0, per_minute * _CAPACITY)
        self._batch = max(1, int(per_minute * _TAKEN_AT_ONCE))
        self._clock = clock
        self._sleep = sleep
        self._reader = secrets.token_hex(4)
        self._held = 0
        self._held_until = 0.0
        self._lock = threading.Lock()

    def take(self, deadline: Deadline = NO_DEADLINE) -> float:
        """Use a held token, or take some from the lake as soon as there are; return the seconds waited."""
        waited_s = 0.0
        with self._lock:
            if self._held_until < self._clock():
                self._held = 0
            while not self._held:
                wait_s = self._fetch()
                if wait_s:
                    deadline.require(wait_s)
                    self._sleep(wait_s)
                    waited_s += wait_s
            self._held -= 1
        return waited_s

    def refused(self, wait_s: float, deadline: Deadline = NO_DEADLINE) -> None:
        """Empty the bucket until the source grants requests again, and wait."""
        with self._lock:
            self._held = 0
            while True:
                bucket, generation = self._read()
                ends_at = max(bucket.refilled_at, self._clock() + wait_s)  # of a longer refusal, too
                if self._write(replace(bucket, tokens=0.0, refilled_at=ends_at), generation):
                    break
        deadline.require(wait_s)
        self._sleep(wait_s)

    def _fetch(self) -> float:
        """Take tokens; return 0, or the seconds after which to try again."""
        bucket, generation = self._read()
        now = self._clock()
        if now < bucket.refilled_at:
            return bucket.refilled_at - now + self._batch / self._per_s
        tokens = min(self._capacity, bucket.tokens + (now - bucket.refilled_at) * self._per_s)
        taken, seen = bucket.readers.get(self._reader, (0.0, 0.0))
        others = [other for name, (other, _) in bucket.readers.items() if name != self._reader]
        needed = min(self._capacity, self._batch * (2 if any(other < taken for other in others) else 1))
        if tokens < needed:
            if now - seen > _SEEN_S:  # so that the others see that somebody waits
                self._write(self._with_me(bucket, tokens, now, taken), generation)
            return max(0.01, (needed - tokens) / self._per_s)
        if not self._write(self._with_me(bucket, tokens - self._batch, now, now), generation):
            return random.uniform(0.01, 0.2)  # noqa: S311 - so that two readers do not meet again
        self._held, self._held_until = self._batch, now + _KEPT_S
        return 0.0

    def _with_me(self, bucket: _Bucket, tokens: float, now: float, taken: float) -> _Bucket:
        active = {name: (at, seen) for name, (at, seen) in bucket.readers.items() if now - seen < _KEPT_S}
        return _Bucket(tokens, now, active | {self._reader: (taken, now)})

    def _read(self) -> tuple[_Bucket, int]:
        """Return the bucket and the object's generation."""
        now = self._clock()
        try:
            content, stored = self._lake.read(self._name)
        except ObjectMissing:
            return _Bucket(self._capacity, now), 0
        try:
            bucket = parsed(content, self._name, _bucket)
        except Damaged as error:
            log.warning("the budget of requests starts empty", error=str(error))
            bucket = _Bucket(0.0, now)
        if bucket.refilled_at > now + _MOST_AHEAD_S:  # written by a clock that was ahead
            bucket = _Bucket(0.0, now)
        return bucket, stored.version.generation

    def _write(self, bucket: _Bucket, generation: int) -> bool:
        """Replace the object; return whether it was still at that generation."""
        try:
            self._lake.write(self._name, json.dumps(asdict(bucket)).encode() + b"\n", if_generation=generation)
        except ObjectExists:
            return False
        return True


def _bucket(fields: dict[str, Any]) -> _Bucket:
    readers = {str(name): (float(taken), float(seen)) for name, (taken, seen) in fields["readers"].items()}
    bucket = _Bucket(float(fields["tokens"]), float(fields["refilled_at"]), readers)
    if not (0 <= bucket.tokens < float("inf") and abs(bucket.refilled_at) < float("inf")):
        raise ValueError(bucket)
    return bucket
