"""In any order of jobs, requests, clocks and deaths: tokens only grow, readers never go back, requests are built."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.proofs.stateful.effort import check
from tests.proofs.stateful.jobs import Died, Job

from millrace.build import job as builds
from millrace.build.dbt import Build, Node
from millrace.build.job import Builder, Outcome
from millrace.errors import TerminalError
from millrace.lake import Lake, ObjectMissing, ObjectVersion
from millrace.lake.local import LocalLake
from millrace.lake.names import LeaseKey
from millrace.runs import build_requests
from millrace.warehouse import BuildLog, BuildRow, Publisher, Warehouse
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

T0 = datetime(2026, 11, 20, tzinfo=UTC)
TTL_S = 60.0
MOST_JOBS = 3
MOST_STEPS = 20
MOST_ROUNDS = 500
BUILT = {
    "good": Build((Node("velocity", "model", "success", 0.1, ""),), 0.1),
    "failed": Build((Node("velocity", "model", "error", 0.1, "no such column"),), 0.1),
}
FREE: dict[str, Any] = {"token": 0, "holder": "", "expires_at": None}


@dataclass(frozen=True)
class Begun:
    """How a job begins: with this clock skew, and with these results of its builds (after them: good)."""

    skew_s: int = 0
    results: tuple[str, ...] = ()
    retry: bool = False


BEGUN = st.builds(
    Begun,
    st.sampled_from([0, 3600, -3600]),
    st.lists(st.sampled_from(["good", "good", "failed", "unable"]), max_size=2).map(tuple),
    st.booleans(),
)
EVENTS = st.sampled_from(
    [
        "",
        "request and begin",
        "begin",
        "request and begin",
        "request",
        "die",
        "die",
        "beat",
        "pause",
        "request less",
        "move",
    ]
)
PLACES = st.sampled_from(
    ["its end", "the next", "read", "write", "sleep", "start_build", "dbt", "end_build", "published", "publish"]
)
JOBS = st.integers(0, MOST_JOBS - 1)


class BuildWarehouse(Warehouse, BuildLog, Publisher, Protocol):
    """The three parts of a warehouse that builds use."""


@dataclass
class Ground:
    """The shared parts of jobs: a warehouse, and numbered buckets that are empty at first."""

    warehouse: BuildWarehouse
    bucket: Callable[[int], Lake]
    close: Callable[[], None]


Open = Callable[[Path, Callable[[], datetime]], Ground]


def open_local(folder: Path, clock: Callable[[], datetime]) -> Ground:
    warehouse = DuckDBWarehouse(folder / "millrace.duckdb", clock=clock)
    return Ground(warehouse, lambda number: LocalLake(folder / str(number), "lake"), warehouse.close)


class BuildsMachine(RuleBasedStateMachine):
    """Up to three jobs at a time, each run step by step. The model: the requests, and the token of each record.

    While it is calm, every heartbeat renews as time passes.
    """

    def __init__(self, open_ground: Open) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="builds-"))
        self.now = T0
        self.ground = open_ground(self.folder, lambda: self.now)
        self.numbers = count(1)
        self.lake = self.ground.bucket(next(self.numbers))
        self.jobs: list[Job] = []
        self.requested: int | None = None
        self.notes: list[int] = []  # the token of every record or publication, in that order
        self.published_build: BuildRow | None = None
        self.lease = FREE
        self.lease_at = T0
        self.is_promised = self.is_calm = False

    # Steps of jobs

    def begin_job(self, begun: Begun) -> Job:
        def work(job: Job) -> Outcome:
            return builds.run(self.builder(job, list(begun.results)), begun.retry)

        job = Job(f"holder-{next(self.numbers)}", begun.skew_s, work)
        self.is_promised = not any(each.is_failing for each in self.alive)  # a failed job does not check again
        self.jobs.append(job)
        return job

    def builder(self, job: Job, results: list[str]) -> Builder:
        def sleep(seconds: float) -> None:
            job.stand("sleep")
            self.pass_time(seconds)

        def dbt(number: int, retry_of: int | None) -> Build:
            job.stand("dbt")
            result = results.pop(0) if results else "good"
            if result != "good":
                self.is_promised, job.is_failing = False, True
            if result == "unable":
                raise TerminalError("dbt could not build: two models of one name")
            return BUILT[result]

        return Builder(
            lake=job.around(self.lake, partial(self.written, job)),
            log=job.around(self.ground.warehouse, self.noted),
            publisher=job.around(self, self.noted),
            dbt=dbt,
            holder=job.holder,
            clock=lambda: self.now + timedelta(seconds=job.skew_s),
            sleep=sleep,
            ttl_s=TTL_S,
            beating=job.beating,
        )

    def publish(self, build: BuildRow) -> None:
        """Act as the Publisher: publish in the warehouse, and remember the last publication."""
        self.ground.warehouse.publish(build)
        assert self.published_build is None or build.number >= self.published_build.number
        self.published_build = build

    def published(self) -> BuildRow | None:
        """Act as the Publisher without the warehouse; the end of the test compares the two."""
        return self.published_build

    def noted(self, name: str, given: Any) -> None:
        if name in ("start_build", "end_build", "publish"):
            self.notes.append(given if name == "start_build" else given.token)

    def written(self, job: Job, name: str, given: Any) -> None:
        """Check that a lease is taken only from a holder silent for its whole life, unless by a clock that is ahead."""
        if (name, given) == ("write", str(LeaseKey())):
            before, self.lease = self.lease, self.held()
            if before["expires_at"] and before["holder"] != job.holder:
                expires_at = datetime.fromisoformat(before["expires_at"])
                silent_s = (self.now - self.lease_at).total_seconds()
                assert silent_s >= TTL_S or expires_at <= self.now + timedelta(seconds=job.skew_s)
            assert self.lease["token"] >= before["token"] + (before["holder"] != job.holder)
            self.lease_at = self.now

    @property
    def alive(self) -> list[Job]:
        return [job for job in self.jobs if not job.is_over]

    # Events of jobs

    @initialize(is_calm=st.booleans())
    def set_out(self, is_calm: bool) -> None:
        self.is_calm = is_calm
        self.request()

    @rule(event=EVENTS, begun=BEGUN, number=JOBS, place=PLACES)  # one rule: Hypothesis leaves out some of several
    def let_something_happen_and_a_job_go_on(self, event: str, begun: Begun, number: int, place: str) -> None:
        if event in ("request", "request and begin"):
            self.request()
        if not self.alive and event == "move":
            self.lake, self.requested, self.lease = self.ground.bucket(next(self.numbers)), None, FREE
        if not self.alive or (event in ("begin", "request and begin") and len(self.alive) < MOST_JOBS):
            job = self.begin_job(begun)
        else:
            job = self.alive[number % len(self.alive)]
        self.happen(event, job)
        job.go_to(place, 0 if place == "the next" else MOST_STEPS)

    def happen(self, event: str, job: Job) -> None:
        match event:
            case "die":
                self.is_promised = False
                job.die()
            case "beat":
                job.beat()
            case "pause":
                self.pass_time(TTL_S / 6 if self.is_calm else TTL_S + 1)
            case "request less":
                build_requests.request(self.lake, max((self.requested or 0) - 1, 0), None)
                self.requested = self.requested or 0

    def load(self) -> int:
        version = ObjectVersion("lake", f"drop/repos/{next(self.numbers)}.csv", 1)
        return self.ground.warehouse.quarantine(version, "repos", None, 1, "it takes a row of the ledger").load_seq

    def request(self) -> None:
        self.requested = self.load()
        build_requests.request(self.lake, self.requested, "run")
        self.is_promised = False  # until a job begins

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for job in self.jobs if self.is_calm else ():
            job.beat()

    # Invariants

    @invariant()
    def nothing_is_noted_under_a_smaller_token_than_before(self) -> None:
        assert self.notes == sorted(self.notes)

    @invariant()
    def whoever_is_over_holds_no_lease(self) -> None:
        assert all(job.error is None or isinstance(job.error, Died | TerminalError) for job in self.jobs)
        holder = self.held()["holder"] if self.held()["expires_at"] else None
        assert holder not in [job.holder for job in self.jobs if job.is_over and not job.is_dead]

    @invariant()
    def what_is_requested_never_goes_back(self) -> None:
        assert build_requests.requested(self.lake) == self.requested

    @precondition(lambda self: self.is_promised and not self.alive)
    @invariant()
    def once_all_jobs_are_over_the_last_request_is_built(self) -> None:
        self.is_built()

    @precondition(lambda self: self.notes)
    @invariant()
    def the_log_has_one_running_build_at_most_and_what_is_published_is_good_in_it(self) -> None:
        log = self.ground.warehouse.last_builds(1000)
        assert [build.result for build in log[1:]].count("running") == 0
        assert [build.token for build in log] == sorted((build.token for build in log), reverse=True)
        assert self.published_build is None or self.published_build in log
        assert self.published_build is None or self.published_build.result == "good"

    def held(self) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = json.loads(self.lake.read(str(LeaseKey()))[0])
        except ObjectMissing:
            return FREE
        return fields

    # The end

    def teardown(self) -> None:
        try:
            self.is_calm = True
            self.finish()
            if self.is_promised:
                self.is_built()
            last = self.begin_job(Begun())
            self.finish()
            assert last.outcome is not None
            assert last.outcome.state in ("good", "current")
            self.is_built()
            assert self.ground.warehouse.published() == self.published_build
        finally:
            for job in self.alive:
                job.die()
            for job in self.jobs:
                job.join()
            self.ground.close()
            shutil.rmtree(self.folder)

    def finish(self) -> None:
        """Run all jobs in turn, with heartbeats, until they are over."""
        rounds = 0
        while self.alive:
            for job in self.alive:
                job.go()
            rounds += 1
            assert rounds < MOST_ROUNDS
        self.nothing_is_noted_under_a_smaller_token_than_before()
        self.whoever_is_over_holds_no_lease()

    def is_built(self) -> None:
        (last,) = self.ground.warehouse.last_builds(1)
        assert last.result == "good"
        assert last.built_through >= (self.requested or 0)
        assert self.published_build == last


@pytest.mark.parametrize("open_ground", [pytest.param(open_local, id="local")])
def test_however_jobs_meet_tokens_only_grow_and_the_last_request_is_built(open_ground: Open) -> None:
    check(partial(BuildsMachine, open_ground), rounds=4, steps=24)
