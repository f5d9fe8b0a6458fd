"""Builds, one at a time and never stale: who asks for one, who may run it, and what becomes of it.

Whoever has loaded something raises `build/requested.json`, then starts the job. The job takes the lease and builds
until the last build is good and built through what was requested, however many asked; it looks once more after it gave
the lease back. A job that finds another holder leaves as soon as that one shows life: it has yet to look.

The lease keeps two from building at a time as long as clocks and processes behave. What keeps the marts right when
they do not (a holder that slept past its expiry) is the token: it grows with every holder, and the warehouse notes and
publishes nothing under a token that is older than the newest.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from millrace import log
from millrace.build.dbt import Build
from millrace.errors import MillraceError
from millrace.lake import Lake, ObjectExists, ObjectMissing
from millrace.lake.names import ARTIFACTS, ArtifactKey, LeaseKey, RequestedKey
from millrace.warehouse import BuildLog, BuildRow, Fenced, Node, Publisher

_REQUESTED, _LEASE = str(RequestedKey()), str(LeaseKey())


class LeaseLost(MillraceError):
    """Somebody else took the lease over: its holder was silent for too long."""


def request(lake: Lake, load_seq: int, run_id: str | None) -> None:
    """Ask for a build through at least this load sequence; one that goes further was perhaps asked for already."""
    content = json.dumps({"load_seq": load_seq, "run_id": run_id}, indent=1, sort_keys=True).encode() + b"\n"
    while True:
        try:
            held, stored = lake.read(_REQUESTED)
            generation = stored.version.generation
            if json.loads(held)["load_seq"] >= load_seq:
                return
        except ObjectMissing:
            generation = 0
        try:
            lake.write(_REQUESTED, content, if_generation=generation)
        except ObjectExists:
            continue
        log.info("build requested", load_seq=load_seq, run_id=run_id)
        return


def requested(lake: Lake) -> int | None:
    """Give the load sequence through which a build is wanted; None when nobody ever asked."""
    asked = _asked(lake)
    return None if asked is None else int(asked["load_seq"])


def _asked(lake: Lake) -> dict[str, Any] | None:
    try:
        return dict(json.loads(lake.read(_REQUESTED)[0]))
    except ObjectMissing:
        return None


@dataclass(frozen=True, slots=True)
class _Held:
    """What the lease object says; without an expiry nobody holds it."""

    token: int
    holder: str
    expires_at: datetime | None
    generation: int

    @classmethod
    def read(cls, lake: Lake) -> Self:
        try:
            content, stored = lake.read(_LEASE)
        except ObjectMissing:
            return cls(0, "", None, 0)
        fields = json.loads(content)
        expires_at = fields["expires_at"] and datetime.fromisoformat(fields["expires_at"])
        return cls(fields["token"], fields["holder"], expires_at, stored.version.generation)


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


@dataclass(frozen=True, slots=True)
class Builder:
    """What the build job works with. `dbt` is given the build's number, and that of the failed one it is to retry."""

    lake: Lake
    log: BuildLog
    publisher: Publisher
    dbt: Callable[[int, int | None], Build]
    holder: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    ttl_s: float = 60
    quiet_s: float = 0
    beating: Callable[[Lease], AbstractContextManager[None]] = heartbeat


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `current` when there was nothing to do, `busy` when somebody else builds.

    `build` is the last one that this job ran, with all of its nodes.
    """

    state: Literal["good", "failed", "current", "busy"]
    build: Build | None = None


def run(builder: Builder, retry: bool = False, force: bool = False, anew: bool = False) -> Outcome:
    """Build until the last build is good and through all that was requested, unless somebody else does.

    A build that fails is the last. With `retry`, when nothing came since a failed build, only what failed or was
    skipped in it is done again. With `force`, everything is built once also when nothing new was loaded: the models
    may have changed; with `anew` also the incremental marts are made from nothing. Raises what dbt raises when it
    cannot even start; that is noted as a failed build.
    """
    last: Build | None = None
    while True:
        lease = acquire(builder.lake, builder.holder, builder.clock, builder.sleep, builder.ttl_s)
        if lease is None:
            log.info("somebody else builds", holder=builder.holder)
            return Outcome("busy", last)
        try:
            with builder.beating(lease):
                if anew:
                    builder.log.forget_marts()
                seen, last = _catch_up(builder, lease, last, retry and not (force or anew), force or anew)
                force = anew = False
        except (LeaseLost, Fenced) as error:
            log.warning("build was taken over", token=lease.token, error=str(error))
            last = None
            continue  # the one that took over may have died since
        finally:
            lease.release()
        if last is not None and not last.is_good:
            return Outcome("failed", last)
        if requested(builder.lake) == seen:
            return Outcome("current" if last is None else "good", last)


def _catch_up(
    builder: Builder, lease: Lease, last: Build | None, retry: bool, force: bool
) -> tuple[int | None, Build | None]:
    """Build until nothing newer is requested, with `force` at least once; gives what was requested, and the last."""
    is_quiet = builder.quiet_s == 0
    above = max((build.token for build in builder.log.last_builds(1)), default=0)
    lease.renew(above if above >= lease.token else 0)  # only in a new lake have tokens started anew
    while True:
        wanted, newest = requested(builder.lake), builder.log.newest_load_seq()
        before = next(iter(builder.log.last_builds(1)), None)
        if before is not None and not force and _is_current(before, wanted, newest):
            _publish(builder, before)
            return wanted, last
        if not is_quiet:
            builder.sleep(builder.quiet_s)
            is_quiet = True
            continue
        lease.renew()
        is_retry = retry and before is not None and before.result == "failed" and before.built_through >= newest
        noted, last = _build(builder, lease, wanted, before.number if before is not None and is_retry else None)
        if not last.is_good:
            return wanted, last
        _publish(builder, noted)
        force = False


def _is_current(build: BuildRow, wanted: int | None, newest: int) -> bool:
    """Whether the marts hold all that was requested. No build goes beyond the ledger, which may be a new one."""
    return build.result == "good" and build.built_through >= min(wanted or 0, newest)


def _build(builder: Builder, lease: Lease, wanted: int | None, retry_of: int | None) -> tuple[BuildRow, Build]:
    noted = builder.log.start_build(lease.token, lease.holder, wanted)
    log.info("build started", number=noted.number, token=noted.token, built_through=noted.built_through)
    try:
        with log.step("build", (_asked(builder.lake) or {}).get("run_id"), number=noted.number):
            built = builder.dbt(noted.number, retry_of)
    except MillraceError as error:
        builder.log.end_build(noted, False, None, (Node("dbt", "command", "error", 0, str(error)),))
        raise
    nodes = tuple(node for node in built.nodes if node.kind not in ("test", "unit_test") or not node.is_good)
    ended = builder.log.end_build(noted, built.is_good, built.seconds, nodes)
    if built.artifacts is not None:
        _keep(builder.lake, ended, built.artifacts)
    return ended, built


def _keep(lake: Lake, build: BuildRow, artifacts: Path) -> None:
    """Put what dbt says of a build into the lake, good or not. Nothing depends on it: a failure is a warning."""
    for what in ARTIFACTS:
        path = artifacts / f"{what}.json"
        if path.exists():
            try:
                lake.write(str(ArtifactKey(build.number, build.token, what)), path, if_generation=0)
            except (MillraceError, OSError) as error:
                log.warning("artifact not kept", number=build.number, artifact=what, error=str(error))


def _publish(builder: Builder, build: BuildRow) -> None:
    """Let readers see a good build, unless they do."""
    seen = builder.publisher.published()
    if seen is None or (seen.number, seen.token) != (build.number, build.token):
        builder.publisher.publish(build)
        log.info("published", number=build.number, built_through=build.built_through)
