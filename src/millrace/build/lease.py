"""The lease on the build: its holder, its expiry and its token.

The lease saves work: it keeps two jobs from building at a time while clocks and processes behave. The token keeps the
marts correct when they do not (a holder that slept past its expiry). It grows with every holder, and the warehouse
notes and publishes nothing under a token that is older than the newest.
"""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from millrace import log
from millrace.errors import MillraceError
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import LeaseKey

_LEASE = str(LeaseKey())


class LeaseLost(MillraceError):
    """Another job took the lease over: its holder did not renew it in time."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The content of the lease object; without an expiry the lease is free."""

    token: int
    holder: str
    expires_at: datetime | None
    generation: int

    @classmethod
    def read(cls, lake: Lake) -> "_Held":
        try:
            content, stored = lake.read(_LEASE)
        except ObjectMissing:
            return cls(0, "", None, 0)
        generation = stored.version.generation

        def make(fields: dict[str, Any]) -> "_Held":
            expires_at = fields["expires_at"] and datetime.fromisoformat(fields["expires_at"])
            return cls(int(fields["token"]), fields["holder"], expires_at, generation)

        try:
            return parsed(content, _LEASE, make)
        except Damaged:  # the lease is free: tokens continue above those in the log of builds
            return cls(0, "", None, generation)


def is_building(lake: Lake, now: datetime) -> bool:
    """Return whether the lease is held; the holder of an expired one died or failed to renew it."""
    expires_at = _Held.read(lake).expires_at
    return expires_at is not None and expires_at > now


class Lease:
    """The right to build. `token` is larger than that of every earlier holder; it stays in the object for good.

    The process that wants the lease compares its expiry with its own clock. A clock that is ahead takes the lease from
    a living holder, which is then fenced and loses only its work; one that is behind waits (see `acquire`).
    """

    def __init__(self, lake: Lake, holder: str, clock: Callable[[], datetime], ttl_s: float, held: _Held) -> None:
        self.holder = holder
        self.token = held.token + 1
        self.ttl_s = ttl_s
        self.is_lost = False
        self._lake = lake
        self._clock = clock
        self._lock = threading.Lock()
        self._when_lost: Callable[[], None] | None = None
        self._generation = held.generation
        self._write(self._expiry())

    def renew(self, above: int = 0) -> None:
        """Hold it for another `ttl_s` seconds, with a token larger than `above`; LeaseLost when it was taken over."""
        with self._lock:
            token, self.token = self.token, max(self.token, above + 1)
            try:
                self._write(self._expiry())
            except ObjectExists:
                self._adopt(token)
                self._write(self._expiry())

    def lose(self) -> None:
        """Note that another job took the lease over, and call what `when_lost` has set."""
        with self._lock:
            self.is_lost = True
            if self._when_lost is not None:
                self._when_lost()

    def when_lost(self, act: Callable[[], None] | None) -> None:
        """Set what is called once the lease is lost, at once if it is. After None, nothing is called any more."""
        with self._lock:
            self._when_lost = act
            if self.is_lost and act is not None:
                act()

    def release(self) -> None:
        """Release the lease; only log a warning when another job took it over."""
        with self._lock:
            try:
                self._write(None)
            except ObjectExists as error:
                log.warning("lease was not ours to give back", token=self.token, error=str(error))

    def _expiry(self) -> datetime:
        return self._clock() + timedelta(seconds=self.ttl_s)

    def _adopt(self, token: int) -> None:
        """Continue from an own write whose response was lost; LeaseLost when another job wrote it."""
        held = _Held.read(self._lake)
        if held.holder != self.holder or held.token not in (token, self.token) or held.expires_at is None:
            raise LeaseLost(f"{held.holder} holds the lease with token {held.token}; {self.holder} had {token}")
        self._generation = held.generation

    def _write(self, expires_at: datetime | None) -> None:
        fields = {"token": self.token, "holder": self.holder, "expires_at": expires_at and expires_at.isoformat()}
        content = json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"
        self._generation = self._lake.write(_LEASE, content, if_generation=self._generation).version.generation


def acquire(
    lake: Lake, holder: str, clock: Callable[[], datetime], sleep: Callable[[float], None], ttl_s: float
) -> Lease | None:
    """Take the lease when it is free, expired, or not renewed for `ttl_s`; None as soon as its holder renews it.

    A holder that renews after this call began has yet to read the build requests, so it is safe to return. After a
    holder's death the next job in line takes over, whatever its clock shows.
    """
    first, waited_s = None, 0.0
    while True:
        held = _Held.read(lake)
        is_free = held.expires_at is None or held.expires_at <= clock()
        if is_free or (held.generation == first and waited_s >= ttl_s):
            try:
                return Lease(lake, holder, clock, ttl_s, held)
            except ObjectExists:
                continue
        if first is None:
            first = held.generation
        elif held.generation != first:
            return None
        sleep(ttl_s / 6)
        waited_s += ttl_s / 6


@contextmanager
def heartbeat(lease: Lease) -> Iterator[None]:
    """Renew a lease in the background, three times within its life; a loss is noticed at the next renewal."""
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(lease.ttl_s / 3):
            try:
                lease.renew()
            except LeaseLost as error:
                log.warning("lease lost", token=lease.token, error=str(error))
                lease.lose()
                return
            except (MillraceError, OSError) as error:
                log.warning("lease not renewed", token=lease.token, error=str(error))

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@contextmanager
def stopped_when_lost(lease: Lease) -> Iterator[None]:
    """Interrupt the block, as Ctrl-C does, as soon as the heartbeat loses the lease; the block then ends in LeaseLost.

    dbt answers Ctrl-C: it starts no further model, and cancels its queries. Python interrupts the main thread only; in
    any other the block ends by itself first.
    """
    is_inside = True
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        if not lease.is_lost:
            if callable(before):
                before(number, frame)
        elif is_inside:  # a signal that arrives later must not stop what follows
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        signal.signal(signal.SIGINT, handle)
    try:
        if is_main:
            lease.when_lost(_interrupt_main)
        yield
    except (KeyboardInterrupt, MillraceError):
        if not lease.is_lost:
            raise
    finally:
        is_inside = False
        lease.when_lost(None)
        if is_main:
            signal.signal(signal.SIGINT, before)
    if lease.is_lost:
        raise LeaseLost(f"another job holds the lease; {lease.holder} had token {lease.token}")


def _interrupt_main() -> None:
    """Send the main thread the signal of Ctrl-C: it also ends a wait, which `_thread.interrupt_main` does not."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
