# ruff: noqa: S608 - our own names
"""The tests of a build read what changed since the last good one, and still find a new row that repeats an old one."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from tests.dbt.conftest import Build, Dbt

from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OLD, NEW = 1, 2  # load sequences: up to the last good build, and after it
GRAINS = {
    "unique_grain_stg_usage_events_usage_events__agent__message_id__request_id__collector_id__occurred_month"
    "__request_id__occurred_month",
    "unique_grain_usage_events_usage_events__event_id",
}
LIMITED = {*GRAINS, "usage_events_is_plausible", "usage_marts_add_up", "usage_rows_are_usable"}
LOADED = "update meta.loads set load_seq = {seq}"
UNKNOWN_KEY = "update raw.usage_events set message_id = null, _load_seq = {seq} where rowid = 3"
FAULTS = (
    "insert into raw.usage_events select * replace ({seq} as _load_seq) from raw.usage_events limit 1",
    "update raw.usage_events set speed = 'warp', _load_seq = {seq} where rowid = 4",
    "insert into mart.usage_events select * replace ({seq} as _load_seq) from mart.usage_events limit 1",
    "update mart.usage_events set total_tokens = -1, _load_seq = {seq} where rowid = 2",
)
VANISHED = """
    insert into meta.usage_old_keys (event_id, day, load_seq)
    select event_id, day, {seq} from mart.usage_events where rowid = 1;
    delete from mart.usage_events where rowid = 1
"""


@pytest.fixture
def database(built: Build, tmp_path: Path) -> Path:
    """The sample rows, loaded and built, and tested by a good build."""
    copy = Path(shutil.copy(built.database, tmp_path / "millrace.duckdb"))
    do(copy, LOADED.format(seq=OLD), "update meta.mart_watermarks set load_seq = 1")
    do(copy, *(f"update {table} set _load_seq = 1" for table in ("raw.usage_events", "mart.usage_events")))
    end_build(copy, is_good=True)
    return copy


def do(database: Path, *statements: str) -> None:
    with duckdb.connect(database) as connection:
        for statement in statements:
            connection.execute(statement)


def end_build(database: Path, is_good: bool) -> None:
    """Note in the log that a build of all that is loaded ended."""
    with DuckDBWarehouse(database, clock=lambda: NOW) as warehouse:
        warehouse.end_build(warehouse.start_build(1, "a", None), is_good, 1.0, ())


def failing(dbt: Dbt, database: Path) -> set[str]:
    """Run the tests that are limited to changes; return those that found something."""
    run = dbt(database, "test", "--select", "stg_usage_events", "usage_events", "usage_marts_add_up")
    assert run.outcomes.keys() >= LIMITED
    return {name for name, status in run.outcomes.items() if status in ("fail", "warn")} & LIMITED


def test_faults_of_new_rows_are_found_until_they_are_mended(dbt: Dbt, database: Path, tmp_path: Path) -> None:
    mended = shutil.copy(database, tmp_path / "mended.duckdb")
    do(database, *(fault.format(seq=NEW) for fault in FAULTS), LOADED.format(seq=NEW))
    assert failing(dbt, database) == LIMITED
    end_build(database, is_good=False)
    assert failing(dbt, database) == LIMITED
    do(
        database,
        *(
            mend
            for table in ("raw.usage_events", "mart.usage_events")
            for mend in (
                f"attach if not exists '{mended}' as mended (read_only)",
                f"truncate {table}",
                f"insert into {table} from mended.{table}",
            )
        ),
    )
    assert failing(dbt, database) == set()


def test_faults_of_rows_that_were_tested_are_found_by_next_test_of_all(dbt: Dbt, database: Path) -> None:
    do(database, *(fault.format(seq=OLD) for fault in FAULTS))
    assert failing(dbt, database) == set()
    with DuckDBWarehouse(database, clock=lambda: NOW) as warehouse:
        warehouse.reset_tested()
    assert failing(dbt, database) == LIMITED


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        pytest.param(VANISHED, {"usage_marts_add_up"}, id="an event vanished from the fact alone"),
        pytest.param(UNKNOWN_KEY, {name for name in GRAINS if "stg" in name}, id="a part of a key is unknown"),
    ],
)
def test_fault_that_only_one_test_finds_is_found(dbt: Dbt, database: Path, fault: str, found: set[str]) -> None:
    do(database, fault.format(seq=NEW))
    assert failing(dbt, database) == found
