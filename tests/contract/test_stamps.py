"""An impossible time blocks no later update, and no file writes rows under another owner's name; on both engines."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake

from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.tables import MOST_AHEAD, TABLES
from millrace.warehouse import Batch, LedgerEntry, SmallObject, StampedAhead
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAR = datetime(9999, 12, 31, tzinfo=UTC)
Either = DuckDBWarehouse | SnowflakeWarehouse


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Either]:
    if request.param == "duckdb":
        made: Either = DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: NOW)
    else:
        where = request.getfixturevalue("snowflake_at")
        made = on_snowflake.open_warehouse(where, tmp_path / "elsewhere", lambda: NOW)
    made.ensure_tables()
    yield made
    if isinstance(made, SnowflakeWarehouse):
        on_snowflake.release(made)
    else:
        made.close()


def batch(
    folder: Path, branch: str, at: datetime, latest: datetime | None = NOW + MOST_AHEAD, name: str = "o/a", **more: Any
) -> Batch:
    """A file with one row of repos; without `latest` it is loaded as earlier releases did."""
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    stamps = pa.array([at], pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"full_name": [name], "default_branch": [branch], "_extracted_at": stamps}), path)
    version = ObjectVersion("lake", path.name, 1)
    return Batch(version, TABLES["repos"], path, **{"extracted_at": NOW, "run_id": None, "latest": latest, **more})


def branches(warehouse: Either) -> list[Any]:
    sql = "SELECT default_branch FROM raw.repos ORDER BY full_name"
    found = warehouse.query(sql) if isinstance(warehouse, DuckDBWarehouse) else warehouse.execute(sql)
    return [branch for (branch,) in found]


def extracted(warehouse: Either) -> list[datetime | None]:
    sql = "SELECT extracted_at FROM meta.loads ORDER BY load_seq"
    found = warehouse.query(sql) if isinstance(warehouse, DuckDBWarehouse) else warehouse.execute(sql)
    return [at and at.replace(tzinfo=UTC) for (at,) in found]


@pytest.mark.parametrize("ahead", [MOST_AHEAD + timedelta(microseconds=1), timedelta(days=4000), FAR - NOW])
def test_a_row_from_the_future_is_refused_and_changes_nothing(
    warehouse: Either, tmp_path: Path, ahead: timedelta
) -> None:
    warehouse.load(batch(tmp_path, "main", NOW))
    with pytest.raises(StampedAhead) as refused:
        warehouse.load(batch(tmp_path, "frozen", NOW + ahead))
    assert (refused.value.reason, refused.value.stamp) == ("stamped_ahead", NOW + ahead)
    assert branches(warehouse) == ["main"]


def test_a_file_that_was_itself_extracted_in_the_future_is_refused(warehouse: Either, tmp_path: Path) -> None:
    with pytest.raises(StampedAhead):
        warehouse.load(batch(tmp_path, "frozen", NOW, extracted_at=NOW + HOUR))


def test_a_clock_that_is_a_little_ahead_is_believed(warehouse: Either, tmp_path: Path) -> None:
    assert warehouse.load(batch(tmp_path, "main", NOW + MOST_AHEAD)).rows_inserted == 1
    assert warehouse.load(batch(tmp_path, "older", NOW)).rows_superseded == 1


@pytest.mark.parametrize("frozen_at", [NOW + HOUR, NOW + timedelta(days=4000), FAR])
def test_a_stored_row_from_the_future_loses_against_every_true_one(
    warehouse: Either, tmp_path: Path, frozen_at: datetime
) -> None:
    warehouse.load(batch(tmp_path, "FROZEN", frozen_at, latest=None))
    warehouse.load(batch(tmp_path, "same", frozen_at, latest=None, name="o/b"))
    updated = warehouse.load(batch(tmp_path, "main", NOW - HOUR))
    assert (updated.rows_updated, branches(warehouse)) == (1, ["main", "same"])
    assert extracted(warehouse)[:2] == [frozen_at, frozen_at]  # o/b still has its old time
    same = warehouse.load(batch(tmp_path, "same", NOW - HOUR, name="o/b"))
    assert same.rows_unchanged == 1
    assert max(filter(None, extracted(warehouse))) <= NOW + MOST_AHEAD
    assert warehouse.load(batch(tmp_path, "newer", NOW, name="o/b")).rows_updated == 1
    assert warehouse.load(batch(tmp_path, "older", NOW - 2 * HOUR)).rows_superseded == 1


def test_a_bundle_thaws_a_row_from_the_future(warehouse: Either, tmp_path: Path) -> None:
    warehouse.load(batch(tmp_path, "FROZEN", FAR, latest=None))
    empty = {field.name: pa.nulls(1, field.type) for field in TABLES["repos"].schema}
    row = {"full_name": ["o/a"], "default_branch": ["main"], "_extracted_at": [NOW]}
    rows = pa.table({**empty, **row}, schema=TABLES["repos"].schema)
    (entry,) = warehouse.load_bundle(TABLES["repos"], [SmallObject(ObjectVersion("lake", "x", 1), rows)], NOW)
    assert (entry.rows_updated, branches(warehouse)) == (1, ["main"])


@pytest.mark.parametrize("suspended_for", [HOUR, 18 * HOUR])
def test_suspended_loader_does_not_treat_newer_row_as_future(
    warehouse: Either, tmp_path: Path, suspended_for: timedelta
) -> None:
    warehouse.load(batch(tmp_path, "newer", NOW))
    then = NOW - suspended_for
    older = batch(tmp_path, "older", then, latest=then + MOST_AHEAD, extracted_at=then)
    assert warehouse.load(older).rows_superseded == 1
    assert (branches(warehouse), extracted(warehouse)) == (["newer"], [NOW, then])


def test_suspended_bundle_loader_does_not_treat_newer_row_as_future(warehouse: Either, tmp_path: Path) -> None:
    warehouse.load(batch(tmp_path, "newer", NOW))
    empty = {field.name: pa.nulls(1, field.type) for field in TABLES["repos"].schema}
    row = {"full_name": ["o/a"], "default_branch": ["older"], "_extracted_at": [NOW - 18 * HOUR]}
    rows = pa.table({**empty, **row}, schema=TABLES["repos"].schema)
    small = SmallObject(ObjectVersion("lake", "x", 1), rows)
    (entry,) = warehouse.load_bundle(TABLES["repos"], [small], NOW - 18 * HOUR)
    assert (entry.rows_superseded, branches(warehouse)) == (1, ["newer"])


def usage(folder: Path, *collectors: str) -> Batch:
    path, rows = folder / f"{len(list(folder.iterdir()))}.parquet", len(collectors)
    columns = {"collector_id": list(collectors), "agent": ["a"] * rows, "message_id": [str(n) for n in range(rows)]}
    pq.write_table(pa.table(columns | {"request_id": ["r"] * rows}), path)
    return Batch(
        ObjectVersion("lake", path.name, 1), TABLES["usage_events"], path, NOW, None, owner=("collector_id", "it's")
    )


@pytest.mark.parametrize("others", [1, 3])
def test_rows_of_another_collector_than_the_folders_are_refused(warehouse: Either, tmp_path: Path, others: int) -> None:
    with pytest.raises(BadObject, match=f"{others} of {others + 1} rows have another collector_id") as refused:
        warehouse.load(usage(tmp_path, "it's", *["victim"] * others))
    assert refused.value.reason == "foreign"
    assert own(warehouse.load(usage(tmp_path, "it's", "it's"))) == 2


def own(entry: LedgerEntry) -> int:
    return entry.rows_inserted
