"""The life of a build job: it builds the requests, leaves another job's work alone, and retries what failed."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from tests.build.world import FAILED, GOOD, T0, TTL_S, Died, Steps, World

from millrace.build import job as builds
from millrace.build.dbt import Build
from millrace.errors import TerminalError
from millrace.lake import StoredObject
from millrace.lake.local import LocalLake
from millrace.runs import build_requests
from millrace.warehouse import Fenced, Node
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse


def test_many_requests_before_the_job_are_one_build_through_the_newest(world: World) -> None:
    newest = [world.request() for _ in range(20)][-1]
    assert world.run().state == "good"
    assert (world.results(), world.last().built_through) == (["good"], newest)
    assert world.published_load_seq() == newest


def test_a_job_with_nothing_to_do_builds_nothing(world: World) -> None:
    world.request()
    world.run()
    assert (world.run().state, world.results()) == ("current", ["good"])


def test_unrequested_job_builds_when_nothing_was_built(world: World) -> None:
    assert (world.run().state, world.last().requested_load_seq) == ("good", None)


def test_a_request_during_the_build_is_built_at_its_trailing_edge(world: World) -> None:
    world.request()
    asked = iter([world.request])

    def dbt(number: int, retry_of: int | None) -> Build:
        for request in asked:
            request()
            assert world.run().state == "busy"
        return world.dbt(number, retry_of)

    assert world.run(dbt=dbt).state == "good"
    assert world.results() == ["good", "good"]
    assert world.published_load_seq() == build_requests.requested(world.lake)


def test_build_log_records_built_through_and_result(world: World) -> None:
    world.request()
    newest = world.load()
    world.run()
    build = world.last()
    assert (build.number, build.token, build.holder, build.requested_load_seq) == (1, 1, "holder-1", 1)
    assert (build.built_through, build.started_at, build.finished_at, build.seconds) == (newest, T0, T0, 0.2)
    assert build.nodes == GOOD.nodes[:1]  # a passed test is not worth a line


def test_only_models_are_recorded_of_good_build(world: World) -> None:
    """dbt lists exposures among what it built, and does nothing for them."""
    exposure = Node("page", "exposure", "no-op", 0.0, "")

    def dbt(number: int, retry_of: int | None) -> Build:
        return Build((*world.dbt(number, retry_of).nodes, exposure), 0.2)

    assert world.run(dbt=dbt).state == "good"
    assert [node.name for node in world.last().nodes] == ["velocity"]


def test_the_quiet_period_is_waited_once_and_only_before_a_build(world: World) -> None:
    world.request()
    world.run(quiet_s=30)
    world.run(quiet_s=30)
    assert world.now == T0 + timedelta(seconds=30)


def test_request_during_quiet_period_joins_same_build(world: World) -> None:
    world.request()

    def sleep(seconds: float) -> None:
        world.sleep(seconds)
        world.request()

    world.run(quiet_s=30, sleep=sleep)
    assert (world.results(), world.published_load_seq()) == (["good"], 2)


def failing(number: int, retry_of: int | None) -> Build:
    return FAILED


def test_a_failed_build_is_not_published_and_ends_the_job(world: World) -> None:
    world.request()
    world.run()
    world.request()
    assert world.run(dbt=failing).state == "failed"
    assert (world.results(), world.published_load_seq()) == (["good", "failed"], 1)
    assert [node.message for node in world.last().nodes] == ["no such column"]


def telling(world: World, told: list[int | None]) -> Callable[[int, int | None], Build]:
    """Return a dbt that records which build it retries."""

    def dbt(number: int, retry_of: int | None) -> Build:
        told.append(retry_of)
        return world.dbt(number, retry_of)

    return dbt


def test_the_job_after_a_failed_build_builds_everything(world: World) -> None:
    world.request()
    world.run(dbt=failing)
    told: list[int | None] = []
    world.run(dbt=telling(world, told))
    assert (told, world.results()) == ([None], ["failed", "good"])


def test_a_retry_heals_a_failed_build_and_publishes_it(world: World) -> None:
    world.request()
    world.run(dbt=failing)
    told: list[int | None] = []
    job = world.job(dbt=telling(world, told))
    assert builds.run(job, retry=True).state == "good"
    assert (told, world.published_load_seq()) == ([1], 1)


def test_a_forced_job_builds_once_although_nothing_new_was_loaded(world: World) -> None:
    world.request()
    world.run()
    assert builds.run(world.job(), force=True).state == "good"
    assert world.results() == ["good", "good"]
    assert world.warehouse.published() == world.last()


def test_a_forced_job_builds_once_also_when_something_new_was_loaded(world: World) -> None:
    world.request()
    assert builds.run(world.job(), force=True).state == "good"
    assert world.results() == ["good"]


def test_a_forced_job_after_a_failed_build_builds_everything(world: World) -> None:
    world.request()
    world.run(dbt=failing)
    told: list[int | None] = []
    builds.run(world.job(dbt=telling(world, told)), retry=True, force=True)
    assert told == [None]


def test_a_forced_job_that_was_taken_over_builds_again(world: World) -> None:
    world.request()
    world.run()

    def dbt(number: int, retry_of: int | None) -> Build:
        if len(world.results()) == 2:
            world.warehouse.start_build(world.last().token + 1, "another", None)
        return world.dbt(number, retry_of)

    assert builds.run(world.job(dbt=dbt), force=True).state == "good"
    assert world.results() == ["good", "abandoned", "abandoned", "good"]


def test_a_request_after_a_forced_build_is_one_more_build(world: World) -> None:
    world.request()
    world.run()
    assert builds.run(world.job(lake=RequestedAtTheRelease(world)), force=True).state == "good"
    assert world.results() == ["good", "good", "good"]


def test_a_retry_is_a_full_build_when_something_was_loaded_since(world: World) -> None:
    world.request()
    world.run(dbt=failing)
    world.load()
    told: list[int | None] = []
    job = world.job(dbt=telling(world, told))
    builds.run(job, retry=True)
    assert told == [None]


def test_a_dbt_that_cannot_start_is_a_failed_build_with_its_reason(world: World) -> None:
    def dbt(number: int, retry_of: int | None) -> Build:
        raise TerminalError("dbt could not build: two models of one name")

    world.request()
    with pytest.raises(TerminalError):
        world.run(dbt=dbt)
    assert (world.last().result, world.last().nodes[0].message) == (
        "failed",
        "dbt could not build: two models of one name",
    )
    assert world.run().state == "good"


def test_interrupted_job_releases_its_lease(world: World) -> None:
    def dbt(number: int, retry_of: int | None) -> Build:
        raise KeyboardInterrupt

    world.request()
    with pytest.raises(KeyboardInterrupt):
        world.run(dbt=dbt)
    assert world.run().state == "good"
    assert (world.now, world.results()) == (T0, ["abandoned", "good"])


# In the next two, only the tokens keep the marts right: without `duckdb_builds._refuse_older` both fail.


def test_a_slow_holder_that_was_taken_over_can_neither_record_nor_publish(world: World) -> None:
    world.request()
    taken_over: list[str] = []

    def slow(number: int, retry_of: int | None) -> Build:
        if not taken_over:
            world.now += timedelta(hours=1)  # the machine slept, heartbeat included
            taken_over.append(world.run().state)
        return GOOD

    assert world.run(dbt=slow, beating=lambda lease: nullcontext()).state == "current"
    assert taken_over == ["good"]
    assert world.results() == ["abandoned", "good"]
    seen = world.warehouse.published()
    assert seen is not None
    assert (seen.number, seen.token) == (2, 2)


def test_a_good_build_that_was_taken_over_before_it_is_published_stays_unpublished(world: World) -> None:
    world.request()
    world.run()
    old = world.last()
    world.warehouse.start_build(old.token + 1, "another", None)
    world.fill_mart()
    with pytest.raises(Fenced, match="a build with token 2 has started; this one has 1"):
        world.warehouse.publish(old)
    assert world.warehouse.published() == old


def test_a_killed_holder_is_taken_over_and_its_build_is_abandoned(world: World) -> None:
    world.request()

    def killed(number: int, retry_of: int | None) -> Build:
        raise Died

    with pytest.raises(Died):
        world.run(dbt=killed, lake=DeafAfterwards(world))
    assert world.results() == ["running"]
    assert world.run().state == "good"
    assert world.results() == ["abandoned", "good"]
    assert world.now <= T0 + timedelta(seconds=TTL_S * 7 / 6)


class DeafAfterwards:
    """The lake of a process that is killed during its build: the lease is not released."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        if self._world.results() == ["running"]:
            raise Died
        return getattr(self._world.lake, name)


def test_in_a_new_lake_the_tokens_go_on_above_those_of_the_warehouse(world: World) -> None:
    for _ in range(3):
        world.request()
        world.run()
    world.lake = LocalLake(world.folder / "new lake", "lake")
    world.request()
    assert (world.run().state, world.last().token) == ("good", 4)


def test_new_warehouse_ignores_requests_of_old_one(world: World) -> None:
    for _ in range(3):
        world.request()
    world.close()
    world.folder = world.folder / "new"
    world.warehouse = DuckDBWarehouse(world.folder / "millrace.duckdb")
    world.load()
    assert (world.run().state, world.run().state) == ("good", "current")
    world.request()
    assert (world.run().state, world.last().built_through) == ("good", 2)


def steps_of_a_job(folder: Path) -> int:
    """Count the outside calls of a job with one build."""
    world, steps = World(folder), Steps()
    world.request()
    builds.run(world.job(steps))
    world.close()
    return steps.taken


def test_job_after_death_at_any_step_publishes_requested_build_once(tmp_path: Path) -> None:
    deaths = range(steps_of_a_job(tmp_path / "whole"))
    assert len(deaths) > 15
    for death in deaths:
        check_death(tmp_path / str(death), death)


def check_death(folder: Path, death: int) -> None:
    world = World(folder)
    wanted = world.request()
    with pytest.raises(Died):
        builds.run(world.job(Steps(dies_before=death)))
    assert world.run().state in ("good", "current"), death
    seen = world.warehouse.published()
    assert seen is not None
    assert seen == world.last()
    assert (seen.result, seen.built_through, world.published_load_seq()) == ("good", wanted, wanted)
    assert "running" not in world.results()
    world.close()


def test_request_before_lease_release_is_built_by_same_job(world: World) -> None:
    world.request()
    assert world.run(lake=RequestedAtTheRelease(world)).state == "good"
    assert world.published_load_seq() == build_requests.requested(world.lake) == 2


class RequestedAtTheRelease:
    """A lake in which a build is requested just before a job that is already leaving releases the lease."""

    def __init__(self, world: World) -> None:
        self._world, self._is_over = world, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.lake, name)

    def write(self, name: str, content: bytes, if_generation: int) -> StoredObject:
        if b'"expires_at": null' in content and not self._is_over:
            self._is_over = True
            self._world.request()
        return self._world.lake.write(name, content, if_generation)


LAST_STEP = 40


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(0, LAST_STEP), min_size=1, max_size=20))
@example([0, *range(12, 30)])
def test_last_request_is_built_by_at_most_two_builds_in_any_interleaving(
    tmp_path_factory: pytest.TempPathFactory, moments: list[int]
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    steps = Steps()

    def ask() -> None:
        world.request()
        world.run()

    for moment in moments:
        steps.happening.setdefault(moment, []).append(ask)
    builds.run(world.job(steps))
    for late in [happen for several in steps.happening.values() for happen in several]:
        late()
    assert world.last().result == "good"
    assert world.last().built_through == world.published_load_seq() == build_requests.requested(world.lake)
    assert set(world.results()) <= {"good", "abandoned"}  # abandoned: frozen while it renewed its lease
    last_request = len(world.story) - 1 - world.story[::-1].index("request")
    assert world.story[last_request:].count("end") <= 2
    world.close()


@settings(deadline=None, max_examples=6)
@given(st.integers(1, 20), st.integers(0, 11))
def test_requests_until_the_first_build_is_over_are_one_or_two_builds(
    tmp_path_factory: pytest.TempPathFactory, number: int, moment: int
) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    steps = Steps(happening={moment: [world.request] * number + [world.run] * number})
    world.request()
    builds.run(world.job(steps))
    assert 1 <= len(world.results()) <= 2
    assert world.published_load_seq() == build_requests.requested(world.lake)
    world.close()
