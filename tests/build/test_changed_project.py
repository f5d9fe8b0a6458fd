"""A build is due when the files of the dbt project changed since the last good one."""

import duckdb
from tests.build.world import FAILED, World

from millrace.build import job as builds
from millrace.build.dbt import Build


def test_changed_project_makes_a_build_due_once(world: World) -> None:
    world.request()
    assert world.run(project_hash="one").because == "requested"
    assert world.run(project_hash="one").state == "current"
    changed = world.run(project_hash="two")
    assert (changed.state, changed.because, world.last().project_hash) == ("good", "changed", "two")
    assert world.run(project_hash="two").state == "current"


def test_build_of_an_earlier_release_is_not_of_this_project(world: World) -> None:
    world.run()
    assert world.run(project_hash="one").because == "changed"


def test_failed_build_of_another_project_is_not_retried(world: World) -> None:
    """What it built is of other models, so all of it is built again."""
    retried: list[int | None] = []

    def dbt(number: int, retry_of: int | None) -> Build:
        retried.append(retry_of)
        return FAILED

    world.request()
    for project_hash in ("one", "one", "two"):
        builds.run(world.job(dbt=dbt, project_hash=project_hash), retry=True)
    assert retried == [None, 1, None]


def test_changed_project_is_tested_in_full(world: World) -> None:
    def marts_tested() -> list[str]:
        with duckdb.connect(world.folder / "millrace.duckdb") as connection:
            rows = connection.execute("SELECT mart_name FROM meta.mart_watermarks WHERE mart_name LIKE 'tested.%'")
            return [name for (name,) in rows.fetchall()]

    seen = []

    def dbt(number: int, retry_of: int | None) -> Build:
        seen.append(marts_tested())
        return world.dbt(number, retry_of)

    world.run(project_hash="one")
    with duckdb.connect(world.folder / "millrace.duckdb") as connection:
        connection.execute("INSERT INTO meta.mart_watermarks VALUES ('usage_daily', 1, 'd', NULL, 'day')")
    for project_hash in ("one", "two"):
        world.request()
        world.run(dbt=dbt, project_hash=project_hash)
    world.request()
    world.run(dbt=dbt, project_hash="two")
    assert seen == [[], [], ["tested.usage_daily"]]
