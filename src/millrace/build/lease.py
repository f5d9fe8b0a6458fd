"""The lease on the build: who may build, for how long, and under which token.

The lease keeps two from building at a time as long as clocks and processes behave. What keeps the marts right when
they do not (a holder that slept past its expiry) is the token: it grows with every holder, and the warehouse notes and
publishes nothing under a token that is older than the newest.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from millrace import log
from millrace.errors import MillraceError
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import LeaseKey

_LEASE = str(LeaseKey())


class LeaseLost(MillraceError):
    """Somebody else took the lease over: its holder was silent for too long."""


@dataclass(frozen=True, slots=True)
class _Held:
    """What the lease object says; without an expiry nobody holds it."""

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
        except Damaged:  # nobody holds it: the tokens go on above those that the warehouse has noted
            return cls(0, "", None, generation)


def is_building(lake: Lake, now: datetime) -> bool:
    """Whether somebody holds the lease; one that has expired has died, or been silent for too long."""
    expires_at = _Held.read(lake).expires_at
    return expires_at is not None and expires_at > now


class Lease:
    """The right to build. `token` is larger than that of every holder before; it stays in the object for good.

    Expiry is compared on the clock of whoever wants the lease: a clock that is ahead takes it from a living holder
    (which is fenced then, and only its work is lost), one that is behind waits (see `acquire`).
    """

    def __init__(self, lake: Lake, holder: str, clock: Callable[[], datetime], ttl_s: float, held: _Held) -> None:
        self.holder = holder
        self.token = held.token + 1
        self.ttl_s = ttl_s
        self._lake = lake
        self._clock = clock
        self._lock = threading.Lock()
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

    def release(self) -> None:
        """Let others have it; nothing happens when somebody has it already."""
        with self._lock:
            try:
                self._write(None)
            except ObjectExists as error:
                log.warning("lease was not ours to give back", token=self.token, error=str(error))

    def _expiry(self) -> datetime:
        return self._clock() + timedelta(seconds=self.ttl_s)

    def _adopt(self, token: int) -> None:
        """Go on from a write of our own whose answer was lost; LeaseLost when it was somebody else's."""
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
    """Take the lease when it is free, expired, or silent for `ttl_s`; None as soon as its holder shows life.

    Life is a renewal that came after this call began: whoever renews has yet to look at what is requested. So it is
    safe to leave then, and after a holder's death the next one in line takes over, whatever its clock says.
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
    """Renew a lease in the background, three times within its life; a lost one is noticed at the next renewal."""
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(lease.ttl_s / 3):
            try:
                lease.renew()
            except LeaseLost as error:
                log.warning("lease lost", token=lease.token, error=str(error))
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
