"""The view `meta.source_windows`: the rule of completeness, the same on both engines."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake

from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.tables.github import SOURCE_WINDOWS
from millrace.warehouse import Batch
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEY = {"source": "github", "account": "acme", "object": "pull_requests"}
Either = DuckDBWarehouse | SnowflakeWarehouse


@pytest.fixture(params=["duckdb", "snowflake"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Either]:
    if request.param == "duckdb":
        with DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: NOW) as duckdb:
            yield duckdb
        return
    where = request.getfixturevalue("snowflake_at")
    snowflake = on_snowflake.open_warehouse(where, tmp_path / "lake", lambda: NOW)
    yield snowflake
    on_snowflake.release(snowflake)


def load(warehouse: Either, folder: Path, *noted: Mapping[str, object], number: int = 1) -> None:
    path = folder / f"{number}.parquet"
    rows = to_batch([KEY | dict(each) for each in noted], SOURCE_WINDOWS, NOW, "r1")
    pq.write_table(pa.Table.from_batches([rows]), path)
    warehouse.load(Batch(ObjectVersion("lake", path.name, 1), SOURCE_WINDOWS, path, NOW, "r1"))


def rows(warehouse: Either, sql: str) -> list[tuple[object, ...]]:
    return warehouse.query(sql) if isinstance(warehouse, DuckDBWarehouse) else warehouse.execute(sql)


def test_part_is_known_only_where_no_row_is_missing(warehouse: Either, tmp_path: Path) -> None:
    """Less than the source counts is unknown, as is an undefined word; what the source has removed is not missing."""
    noted: dict[str, tuple[str | None, int | None, int | None]] = {
        "whole": ("known", 3, 3),
        "empty": ("known_empty", 0, 0),
        "uncounted": ("known", 3, None),
        "short": ("known", 2, 3),
        "short_and_empty": ("known_empty", 0, 1),
        "shrunk": ("known", 4, 3),
        "begun": ("provisional", 1, 3),
        "hidden": ("refused", None, 3),
        "odd": ("complete", 3, 3),
        "stateless": (None, 3, 3),
    }
    parts = [
        {"window": window, "state": state, "row_count": count, "source_total": total}
        for window, (state, count, total) in noted.items()
    ]
    warehouse.ensure_tables()
    load(warehouse, tmp_path, *parts)
    found = rows(warehouse, "SELECT window_id, state, missing FROM meta.source_windows")
    assert {window: facts for window, *facts in found} == {
        "whole": ["known", 0],
        "empty": ["known_empty", 0],
        "uncounted": ["known", None],
        "short": ["unknown", 1],
        "short_and_empty": ["unknown", 1],
        "shrunk": ["known", 0],
        "begun": ["provisional", 2],
        "hidden": ["refused", None],
        "odd": ["unknown", 0],
        "stateless": ["unknown", 0],
    }


def test_view_has_what_was_noted_last_of_a_part(warehouse: Either, tmp_path: Path) -> None:
    warehouse.ensure_tables()
    first = {"window": "1", "state": "provisional", "name": "acme/old", "read_at": "2026-11-19T06:00:00Z"}
    later = {"window": "1", "state": "known", "name": "acme/new", "read_at": "2026-11-20T06:00:00Z"}
    load(warehouse, tmp_path, first)
    load(warehouse, tmp_path, later, number=2)
    load(warehouse, tmp_path, first, number=3)
    found = rows(warehouse, "SELECT source, account, object, window_id, name, state FROM meta.source_windows")
    assert found == [("github", "acme", "pull_requests", "1", "acme/new", "known")]


def test_view_of_another_version_is_replaced(warehouse: Either, tmp_path: Path) -> None:
    warehouse.ensure_tables()
    rows(warehouse, "CREATE OR REPLACE VIEW meta.source_windows AS SELECT w.source FROM raw.source_windows AS w")
    warehouse.ensure_tables()
    load(warehouse, tmp_path, {"window": "1", "state": "known"})
    assert rows(warehouse, "SELECT window_id, state FROM meta.source_windows") == [("1", "known")]
