"""The build job: one build at a time, repeated until the marts are up to date.

A loader raises `build/requested.json`, then starts the job. The job takes the lease and builds until the last build is
good and includes all that was requested, however many requests there were. It reads the requests once more after it
released the lease. A job that finds another holder exits as soon as that one renews the lease: it has yet to read the
requests.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from millrace import interrupts, log
from millrace.build.dbt import Build
from millrace.build.lease import Lease, LeaseLost, acquire, heartbeat, stopped_when_lost
from millrace.errors import MillraceError
from millrace.lake import Lake
from millrace.lake.names import ARTIFACTS, ArtifactKey
from millrace.runs.build_requests import requested, requested_by
from millrace.warehouse import BuildLog, BuildRow, Fenced, Node, Publisher

_UNNOTED = ("test", "unit_test", "exposure")  # the kinds of nodes that are noted only if they are not good


Reason = Literal["requested", "changed", "forced"]


@dataclass(frozen=True, slots=True)
class Builder:
    """The dependencies of the build job. `dbt` receives the build's number, and that of the failed build to retry.

    A build is due too when the last good one has another `project_hash` (None: the project is not compared).
    """

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
    project_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a job: `current` when there was nothing to do, `busy` when another job builds.

    `build` is the last one that this job ran, with all of its nodes. `because` says why it was due: requested, or the
    last one failed; the dbt project changed; forced.
    """

    state: Literal["good", "failed", "current", "busy"]
    build: Build | None = None
    because: Reason | None = None


def run(builder: Builder, retry: bool = False, force: bool = False, full_refresh: bool = False) -> Outcome:
    """Build until the last build is good and includes all that was requested, unless another job builds.

    A build that fails is the last. With `retry`, when nothing was loaded since a failed build of the same dbt project,
    only its failed and skipped nodes run again. With `force`, everything is built once even when nothing is due. With
    `full_refresh`, that build computes the incremental marts in full. Raises what dbt raises when it cannot even start;
    the build is then noted as failed.
    """
    last: Build | None = None
    because: Reason | None = None
    while True:
        lease = acquire(builder.lake, builder.holder, builder.clock, builder.sleep, builder.ttl_s)
        if lease is None:
            log.info("another build is in progress", holder=builder.holder)
            return Outcome("busy", last, because)
        try:
            with builder.beating(lease):
                if full_refresh:
                    builder.log.reset_watermarks()
                seen, last, because = _catch_up(
                    builder, lease, last, because, retry and not (force or full_refresh), force or full_refresh
                )
                force = full_refresh = False
        except (LeaseLost, Fenced) as error:
            log.warning("build was taken over", token=lease.token, error=str(error))
            last = None
            continue  # the new holder may have died since
        finally:
            lease.release()
        if last is not None and not last.is_good:
            return Outcome("failed", last, because)
        if requested(builder.lake) == seen:
            return Outcome("current" if last is None else "good", last, because)


def _catch_up(
    builder: Builder, lease: Lease, last: Build | None, because: Reason | None, retry: bool, force: bool
) -> tuple[int | None, Build | None, Reason | None]:
    """Build until nothing is due, with `force` at least once.

    Return the request, the last build, and why the first build of this job was due.
    """
    is_quiet = builder.quiet_s == 0
    above = max((build.token for build in builder.log.last_builds(1)), default=0)
    lease.renew(above if above >= lease.token else 0)  # tokens restart in a new lake only
    while True:
        wanted, newest = requested(builder.lake), builder.log.newest_load_seq()
        before = next(iter(builder.log.last_builds(1)), None)
        if before is not None and not force and is_current(before, wanted, newest, builder.project_hash):
            _publish(builder, before)
            return wanted, last, because
        if not is_quiet:
            builder.sleep(builder.quiet_s)
            is_quiet = True
            continue
        lease.renew()
        is_changed = before is not None and not _is_of(before, builder.project_hash)
        is_retry = retry and before is not None and not is_changed and _may_retry(before, newest, builder.clock())
        if not is_retry and (force or is_changed or _tests_all(builder)):
            builder.log.reset_tested()
        because = because or ("forced" if force else "changed" if is_changed else "requested")
        noted, last = _build(builder, lease, wanted, before.number if before is not None and is_retry else None)
        if not last.is_good:
            return wanted, last, because
        _publish(builder, noted)
        force = False


def is_current(build: BuildRow, wanted: int | None, newest: int, project_hash: str | None = None) -> bool:
    """Return whether the marts include all requests, and are of this dbt project.

    No build goes beyond the ledger, which may be a new one.
    """
    includes_all = build.built_through >= min(wanted or 0, newest)
    return build.result == "good" and includes_all and _is_of(build, project_hash)


def _is_of(build: BuildRow, project_hash: str | None) -> bool:
    return project_hash is None or build.project_hash == project_hash


def _may_retry(build: BuildRow, newest: int, now: datetime) -> bool:
    """Return whether to retry a build rather than to build again: nothing was loaded since, and no week began."""
    return build.result == "failed" and build.built_through >= newest and _week(build.started_at) == _week(now)


def _tests_all(builder: Builder) -> bool:
    """Return whether the next build tests all rows, and not only what changed: the first one of an ISO week (UTC)."""
    published = builder.publisher.published()
    return published is None or _week(published.started_at) < _week(builder.clock())


def _week(instant: datetime) -> tuple[int, int]:
    return instant.astimezone(UTC).isocalendar()[:2]


def _build(builder: Builder, lease: Lease, wanted: int | None, retry_of: int | None) -> tuple[BuildRow, Build]:
    noted = builder.log.start_build(lease.token, lease.holder, wanted, builder.project_hash)
    log.info("build started", number=noted.number, token=noted.token, built_through=noted.built_through)
    try:
        with log.step("build", requested_by(builder.lake), number=noted.number), stopped_when_lost(lease):
            built = builder.dbt(noted.number, retry_of)
        if interrupts.is_asked():  # dbt may take no notice of it
            raise KeyboardInterrupt
    except LeaseLost:
        raise  # who took over notes it as abandoned
    except BaseException as error:
        if interrupts.is_asked() or isinstance(error, KeyboardInterrupt):
            with suppress(MillraceError):  # then the status finds that the process is gone
                builder.log.abandon_build(noted)
            raise KeyboardInterrupt from error
        if not isinstance(error, MillraceError):
            raise
        builder.log.end_build(noted, False, None, (Node("dbt", "command", "error", 0, str(error)),))
        raise
    nodes = tuple(node for node in built.nodes if node.kind not in _UNNOTED or not node.is_good)
    ended = builder.log.end_build(noted, built.is_good, built.seconds, nodes)
    if built.artifacts is not None:
        _keep(builder.lake, ended, built.artifacts)
    return ended, built


def _keep(lake: Lake, build: BuildRow, artifacts: Path) -> None:
    """Write dbt's artifacts of a build, good or not, into the lake. Nothing depends on them: a failure is a warning."""
    for what in ARTIFACTS:
        path = artifacts / f"{what}.json"
        if path.exists():
            try:
                lake.write(str(ArtifactKey(build.number, build.token, what)), path, if_generation=0)
            except (MillraceError, OSError) as error:
                log.warning("artifact not kept", number=build.number, artifact=what, error=str(error))


def _publish(builder: Builder, build: BuildRow) -> None:
    """Publish a good build unless it is published already."""
    seen = builder.publisher.published()
    if seen is None or (seen.number, seen.token) != (build.number, build.token):
        builder.publisher.publish(build)
        log.info("published", number=build.number, built_through=build.built_through)
