"""When a build tests all rows: the first one of a week, and one that is forced; any other tests what changed."""

from datetime import timedelta

import pytest
from tests.build.world import FAILED, T0, World

from millrace.build import job
from millrace.build.dbt import Build

DAY = timedelta(days=1)
WEEKS_END = T0 + 2 * DAY  # a Sunday


class Watched:
    """A dbt that notes for each build whether all rows are tested: nothing says up to where they are."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.all_rows: list[bool] = []
        self.built = world.dbt

    def dbt(self, number: int, retry_of: int | None) -> Build:
        asked = "SELECT count(*) FROM meta.mart_watermarks WHERE mart_name = 'tested.usage_events'"
        self.all_rows.append(self.world.warehouse.query(asked) == [(0,)])
        with self.world.warehouse._transaction() as connection:
            connection.execute("DELETE FROM meta.mart_watermarks WHERE mart_name = 'usage_events'")
            connection.execute("INSERT INTO meta.mart_watermarks (mart_name, load_seq) VALUES ('usage_events', 1)")
        return self.built(number, retry_of)

    def run(self, **how: bool) -> None:
        """Load something, and build."""
        self.world.request()
        job.run(self.world.job(dbt=self.dbt), **how)

    def fail(self, **how: bool) -> None:
        """Load something; the build of it fails."""
        self.built = lambda number, retry_of: FAILED
        self.run(**how)
        self.built = self.world.dbt


@pytest.fixture
def watched(world: World) -> Watched:
    world.now = WEEKS_END
    return Watched(world)


def test_first_build_of_each_week_tests_all_rows(world: World, watched: Watched) -> None:
    for after in (0 * DAY, timedelta(hours=1), DAY, timedelta(hours=1), 6 * DAY, DAY):
        world.now += after
        watched.run()
    assert watched.all_rows == [True, False, True, False, False, True]


@pytest.mark.parametrize("how", ["force", "full_refresh"])
def test_forced_build_tests_all_rows(watched: Watched, how: str) -> None:
    watched.run()
    watched.run(**{how: True})
    watched.run()
    assert watched.all_rows == [True, True, False]


def test_after_failed_build_all_rows_are_tested_until_build_is_good(world: World, watched: Watched) -> None:
    watched.run()
    world.now += DAY
    watched.fail()
    watched.fail()
    watched.run()
    watched.run()
    assert watched.all_rows == [True, True, True, True, False]


def test_retry_of_build_of_last_week_is_whole_build(world: World, watched: Watched) -> None:
    """Of a retry only the failed tests run, so it would leave the others for another week."""
    retried: list[int | None] = []
    watched.run()
    watched.fail()
    world.now += DAY

    def dbt(number: int, retry_of: int | None) -> Build:
        retried.append(retry_of)
        return watched.dbt(number, retry_of)

    job.run(world.job(dbt=dbt), retry=True)
    assert (retried, watched.all_rows) == ([None], [True, False, True])


def test_retry_in_same_week_keeps_what_its_build_tested(world: World, watched: Watched) -> None:
    watched.fail()
    job.run(world.job(dbt=watched.dbt), retry=True)
    assert watched.all_rows == [True, True]
    assert world.results() == ["failed", "good"]
