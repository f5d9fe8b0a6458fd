"""The dbt job of a schedule: executions that the load function starts, heartbeats, and the result of each build."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.proofs.faults import dbt_sim
from tests.proofs.faults.boundaries import gated
from tests.proofs.faults.dbt_sim import Marts
from tests.proofs.faults.nature import Handler, Violation

from millrace.build import job
from millrace.build.dbt import Build
from millrace.build.job import Builder
from millrace.build.lease import Lease, LeaseLost
from millrace.errors import TransientError
from millrace.warehouse import BuildRow, Node

if TYPE_CHECKING:
    from tests.proofs.faults.world import World

TTL_S = 60.0
_GOOD = Build((Node("model", "model", "success", 0.1, ""),), 0.1)
_BAD = Build((Node("model", "model", "error", 0.1, "the machine was out of memory"),), 0.1)


class Builds:
    """The job's executions and the results of their builds; also the pipeline's Job, BuildLog and Publisher."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._executions = 0
        self._beating: dict[Lease, Handler | None] = {}
        self._newest_token = 0
        self.published: BuildRow | None = None
        self.seen: Marts = {}
        self.building: dict[int, Handler | None] = {}
        world.scheduler.beat = self._renew
        self.job = gated(self, "job", world.scheduler)
        self.dbt = dbt_sim.Project(world) if world.scheduler.nature.has_real_dbt else dbt_sim.TwoModels(world)
        self._dbt = gated(self.dbt, "dbt", world.scheduler)

    def start(self, run_id: str | None) -> None:
        """Act as the Job: begin an execution."""
        for _ in range(1 + self._world.scheduler.more_executions()):
            self._executions += 1
            self._world.scheduler.send("build", self._executions, may_be_lost=False)

    def run(self, execution: int) -> None:
        """Run one execution of the job; the platform repeats a failed one."""
        scheduler = self._world.scheduler
        attempt = scheduler.current.message.attempt if scheduler.current else 0
        log: Any = gated(_Noted(self._world, self), "warehouse", scheduler)
        builder = Builder(
            lake=self._world.lake,
            log=log,
            publisher=log,
            dbt=self._build,
            holder=f"execution-{execution}.{attempt}.{scheduler.current.message.number if scheduler.current else 0}",
            clock=scheduler.now,
            sleep=self._sleep,
            ttl_s=TTL_S,
            beating=self._beat,
        )
        if job.run(builder).state == "failed":
            raise TransientError("a model failed; the execution is tried again")

    def _build(self, number: int, retry_of: int | None) -> Build:
        here = self._world.scheduler.current
        for other, there in self.building.items():
            # A handler that slept, or whose clock is wrong, may have been overtaken: then the token has to keep order.
            if here and there and not (here.has_paused or there.has_paused) and there.skew_s == here.skew_s:
                raise Violation("one build at a time", f"build {number} began while {other} ran")
        self.building[number] = here
        try:
            for step in self.dbt.steps:
                if self._world.scheduler.build_trouble("dbt fails", 2):
                    return _BAD
                getattr(self._dbt, step)()
            return _GOOD
        finally:
            del self.building[number]

    def _sleep(self, seconds: float) -> None:
        self._world.scheduler.pass_time(seconds)
        self._world.scheduler.give_way()

    def _renew(self) -> None:
        """Send the heartbeats: every live holder renews its lease."""
        scheduler = self._world.scheduler
        for lease, handler in list(self._beating.items()):
            is_alive = handler is not None and not (handler.is_dead or handler.is_paused)
            if is_alive and handler is not scheduler.current and not lease._lock.locked():  # else it is renewing now
                with scheduler.outside(handler), contextlib.suppress(LeaseLost):
                    lease.renew()

    @contextlib.contextmanager
    def _beat(self, lease: Lease) -> Iterator[None]:
        self._beating[lease] = self._world.scheduler.current
        try:
            yield
        finally:
            del self._beating[lease]

    def note(self, token: int, what: str) -> None:
        """Check a write under a token, which must not be older than the newest one."""
        if token < self._newest_token:
            raise Violation("fenced", f"{what} under token {token}, after {self._newest_token} had begun")
        self._newest_token = token

    def check(self, clean: Marts | None) -> None:
        """Check that readers see a build through the last change, as logged; `clean` are the marts of a clean run."""
        warehouse = self._world.warehouse
        last = next(iter(warehouse.last_builds(1)), None)
        if last is None or last.result != "good":
            raise Violation("builds end", f"the last build is {last}")
        wanted = dbt_sim.wanted(self._world.engine.query, clean, self.dbt)
        if wanted is not None and self.seen != wanted:
            raise Violation("marts", f"readers see {self.seen}; they should see {wanted}; the last build is {last}")
        newest = max(load_seq for _, _, load_seq in self._world.engine.query(dbt_sim.STATE))
        if last.built_through < newest:
            raise Violation("marts", f"the last build is through {last.built_through}, the last change is {newest}")


class _Noted:
    """The warehouse's part in a build, which records each write with its token."""

    def __init__(self, world: World, builds: Builds) -> None:
        self._warehouse, self._engine, self._builds = world.warehouse, world.engine, builds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def start_build(
        self, token: int, holder: str, requested_load_seq: int | None, project_hash: str | None = None
    ) -> BuildRow:
        build = self._warehouse.start_build(token, holder, requested_load_seq, project_hash)
        self._builds.note(token, "a build began")
        return build

    def end_build(self, build: BuildRow, is_good: bool, seconds: float | None, nodes: tuple[Node, ...]) -> BuildRow:
        ended = self._warehouse.end_build(build, is_good, seconds, nodes)
        self._builds.note(build.token, "a build ended")
        return ended

    def published(self) -> BuildRow | None:
        return self._builds.published

    def publish(self, build: BuildRow) -> None:
        """Record the published rows."""
        self._builds.seen = self._engine.publish(build, self._builds.dbt.marts)
        self._builds.published = build
        self._builds.note(build.token, "a build was published")
