"""The guarantees of every build log: numbers that grow, one running build, and no write under an older token."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake

from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch, Fenced, Node
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC)
FAILED = Node("velocity", "model", "error", 0.5, 'it\'s "broken"')
Either = DuckDBWarehouse | SnowflakeWarehouse
Readers = Callable[[], list[int]]


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Either]:
    made: Either
    if request.param == "duckdb":
        made = DuckDBWarehouse(tmp_path / "warehouse.duckdb", clock=lambda: T0)
    else:
        made = on_snowflake.open_warehouse(request.getfixturevalue("snowflake_at"), tmp_path / "lake", lambda: T0)
    made.ensure_tables()
    yield made
    if isinstance(made, SnowflakeWarehouse):
        on_snowflake.release(made)
    else:
        made.close()


def load(warehouse: Either, tmp_path: Path, table: str, number: float) -> int:
    path = tmp_path / f"{number}.parquet"
    key: dict[str, list[object]] = {name: [1] if name in ("number", "repo_id") else ["x"] for name in TABLES[table].key}
    pq.write_table(pa.table(key), path)
    at = T0 - timedelta(hours=number)
    return warehouse.load(Batch(ObjectVersion("b", str(number), 1), TABLES[table], path, at, "r1")).load_seq


def mart(warehouse: Either, value: int) -> None:
    """Build a mart of one row, as dbt does."""
    statement = f"CREATE OR REPLACE TABLE mart.velocity AS SELECT {value} AS total_prs"
    if isinstance(warehouse, SnowflakeWarehouse):
        warehouse.execute(statement)
    else:
        with warehouse._transaction() as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS mart")
            connection.execute(statement)


def seen(warehouse: Either) -> list[int]:
    """Return the rows of the published mart."""
    if isinstance(warehouse, SnowflakeWarehouse):
        return [int(value) for (value,) in warehouse.execute("SELECT total_prs FROM published.velocity")]
    with duckdb.connect(warehouse.published_path, read_only=True) as connection:
        return [value for (value,) in connection.execute("SELECT total_prs FROM mart.velocity").fetchall()]


def test_build_records_newest_load_and_newest_pull_request_time(warehouse: Either, tmp_path: Path) -> None:
    load(warehouse, tmp_path, "pull_requests", 2)
    newest = load(warehouse, tmp_path, "repos", 1)
    build = warehouse.start_build(7, "somebody", newest)
    assert (build.number, build.token, build.built_through, build.requested_load_seq) == (1, 7, newest, newest)
    assert (build.as_of, build.started_at, build.result) == (T0 - timedelta(hours=2), T0, "running")
    assert warehouse.newest_load_seq() == newest
    assert warehouse.last_builds(5) == [build]


@pytest.mark.parametrize("table", ["github_pull_requests", "source_windows"])
def test_build_is_as_of_newest_extraction_of_any_source(warehouse: Either, tmp_path: Path, table: str) -> None:
    load(warehouse, tmp_path, "pull_requests", 2)
    load(warehouse, tmp_path, table, 1)
    load(warehouse, tmp_path, "repos", 0)
    assert warehouse.start_build(7, "somebody", None).as_of == T0 - timedelta(hours=1)


@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(days=4000), datetime(9999, 12, 1, tzinfo=UTC) - T0])
def test_build_is_as_of_now_when_extraction_time_is_ahead(warehouse: Either, tmp_path: Path, ahead: timedelta) -> None:
    load(warehouse, tmp_path, "pull_requests", -(ahead / timedelta(hours=1)))
    assert warehouse.start_build(7, "somebody", None).as_of == T0


def test_build_of_empty_warehouse_has_no_as_of(warehouse: Either) -> None:
    build = warehouse.start_build(1, "somebody", None)
    assert (build.as_of, build.built_through, build.requested_load_seq) == (None, 0, None)
    assert warehouse.last_builds() == [build]


def test_how_it_ended_comes_back_word_for_word(warehouse: Either) -> None:
    ended = warehouse.end_build(warehouse.start_build(1, "a", None), False, 1.5, (FAILED,))
    assert (ended.result, ended.seconds, ended.finished_at, ended.nodes) == ("failed", 1.5, T0, (FAILED,))
    assert warehouse.last_builds() == [ended]


def test_who_takes_over_abandons_what_runs(warehouse: Either) -> None:
    warehouse.start_build(1, "a", None)
    warehouse.start_build(2, "b", None)
    assert [(build.number, build.result) for build in warehouse.last_builds(2)] == [(2, "running"), (1, "abandoned")]


def test_nothing_is_noted_or_published_under_an_older_token(warehouse: Either) -> None:
    mart(warehouse, 1)
    older = warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
    warehouse.start_build(2, "b", None)
    with pytest.raises(Fenced, match="token 2"):
        warehouse.start_build(1, "a", None)
    with pytest.raises(Fenced, match="token 2"):
        warehouse.end_build(older, True, 1.0, ())
    with pytest.raises(Fenced, match="token 2"):
        warehouse.publish(older)
    assert warehouse.published() is None
    assert len(warehouse.last_builds(9)) == 2


def test_readers_see_a_build_only_once_it_is_published(warehouse: Either) -> None:
    mart(warehouse, 1)
    first = warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
    warehouse.publish(first)
    mart(warehouse, 2)
    assert seen(warehouse) == [1]
    second = warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
    assert seen(warehouse) == [1]
    warehouse.publish(second)
    assert seen(warehouse) == [2]
    assert warehouse.published() == second


def note_watermark(warehouse: Either, name: str, load_seq: int) -> None:
    """Note a watermark, as dbt does for a mart."""
    statement = "INSERT INTO meta.mart_watermarks (mart_name, load_seq, definition) VALUES"
    values = f"('{name}', {load_seq}, 'd')"
    if isinstance(warehouse, SnowflakeWarehouse):
        warehouse.execute(f"{statement} {values}")
    else:
        with warehouse._transaction() as connection:
            connection.execute(f"{statement} {values}")


def through(warehouse: Either) -> dict[str, int]:
    """Return how far each mart was tested."""
    query = "SELECT mart_name, load_seq FROM meta.mart_watermarks WHERE mart_name LIKE 'tested.%'"
    rows = warehouse.execute(query) if isinstance(warehouse, SnowflakeWarehouse) else warehouse.query(query)
    return {name: int(load_seq) for name, load_seq in rows}


def test_good_build_notes_how_far_each_mart_was_tested(warehouse: Either, tmp_path: Path) -> None:
    """A load may be committed after the tests of the raw table and before the mart is refreshed."""
    newest = load(warehouse, tmp_path, "repos", 1)
    note_watermark(warehouse, "usage_events", newest + 1)
    note_watermark(warehouse, "usage_daily", newest - 1)
    note_watermark(warehouse, "published.usage_daily", newest)
    for _ in range(2):
        warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
        assert through(warehouse) == {"tested.usage_events": newest, "tested.usage_daily": newest - 1}


def test_failed_build_leaves_how_far_marts_were_tested(warehouse: Either, tmp_path: Path) -> None:
    note_watermark(warehouse, "usage_events", load(warehouse, tmp_path, "repos", 1))
    good = warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
    load(warehouse, tmp_path, "repos", 2)
    note_watermark(warehouse, "usage_events", good.built_through + 1)
    warehouse.end_build(warehouse.start_build(1, "a", None), False, 1.0, (FAILED,))
    assert through(warehouse) == {"tested.usage_events": good.built_through}


def test_reset_of_tests_leaves_watermarks(warehouse: Either) -> None:
    note_watermark(warehouse, "usage_events", 0)
    warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
    assert through(warehouse) == {"tested.usage_events": 0}
    warehouse.reset_tested()
    assert through(warehouse) == {}
    warehouse.end_build(warehouse.start_build(1, "a", None), True, 1.0, ())
    assert through(warehouse) == {"tested.usage_events": 0}
