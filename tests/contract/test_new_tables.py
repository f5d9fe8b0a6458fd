"""A warehouse of an earlier release gets the raw tables that were added since, and loads them as any other."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake

from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.tables.github import GITHUB_PULL_REQUEST_EVENTS, SOURCE_WINDOWS
from millrace.warehouse import Batch, LedgerEntry
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DAY_BEFORE = datetime(2026, 11, 19, 6, tzinfo=UTC)
ADDED = [name for name in TABLES if name.startswith("github_") or name in ("identities", "source_windows")]
WINDOW = {"source": "github", "account": "acme", "object": "pull_requests", "window": "1", "state": "provisional"}
EVENT = {"account": "acme", "repo_id": 1, "number": 2, "event_id": "e", "kind": "ready_for_review"}
Either = DuckDBWarehouse | SnowflakeWarehouse


@pytest.fixture(params=["duckdb", "snowflake"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Either]:
    """A warehouse without the tables of GitHub and the view over one, opened after an upgrade."""
    if request.param == "duckdb":
        with DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: NOW) as before:
            before.ensure_tables()
            before.run_scripts(["DROP VIEW meta.source_windows", *(f"DROP TABLE raw.{name}" for name in ADDED)])
        with DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: NOW) as duckdb:
            yield duckdb
        return
    where = request.getfixturevalue("snowflake_at")
    snowflake = on_snowflake.open_warehouse(where, tmp_path / "elsewhere", lambda: NOW)
    snowflake.ensure_tables()
    snowflake.execute("DROP VIEW META.SOURCE_WINDOWS")
    for name in ADDED:
        snowflake.execute(f"DROP TABLE RAW.{name}")
    snowflake._tables._seen = None  # another process reads the tables again
    yield snowflake
    on_snowflake.release(snowflake)


def load(warehouse: Either, folder: Path, table: str, row: Mapping[str, object]) -> LedgerEntry:
    path = folder / "part.parquet"
    pq.write_table(pa.Table.from_batches([to_batch([dict(row)], TABLES[table], NOW, "r1")]), path)
    return warehouse.load(Batch(ObjectVersion("lake", f"raw/{table}/{len(row)}", 1), TABLES[table], path, NOW, "r1"))


def test_older_warehouse_gets_tables_that_were_added(older: Either) -> None:
    older.ensure_tables()
    assert {name: older.count(TABLES[name]) for name in ADDED} == dict.fromkeys(ADDED, 0)
    assert rows(older, "SELECT window_id FROM meta.source_windows") == []


def test_newer_note_about_a_window_replaces_the_older_one(older: Either, tmp_path: Path) -> None:
    first = load(older, tmp_path, "source_windows", WINDOW | {"read_at": "2026-11-19T06:00:00Z"})
    newer = WINDOW | {"read_at": "2026-11-20T06:00:00Z", "state": "known", "row_count": 2}
    second = load(older, tmp_path, "source_windows", newer)
    assert (first.rows_inserted, second.rows_inserted, second.rows_updated) == (1, 0, 1)
    assert older.count(SOURCE_WINDOWS) == 1


def test_columns_with_reserved_names_are_loaded(older: Either, tmp_path: Path) -> None:
    load(older, tmp_path, "github_pull_request_events", EVENT | {"at": DAY_BEFORE.isoformat()})
    load(older, tmp_path, "source_windows", WINDOW)
    at, window = (
        rows(older, sql)
        for sql in (
            f"SELECT e.at FROM raw.{GITHUB_PULL_REQUEST_EVENTS.name} AS e",  # noqa: S608 our own name
            f"SELECT w.window FROM raw.{SOURCE_WINDOWS.name} AS w",  # noqa: S608 our own name
        )
    )
    assert (at, window) == ([(DAY_BEFORE.replace(tzinfo=None),)], [("1",)])


def rows(warehouse: Either, sql: str) -> list[tuple[object, ...]]:
    return warehouse.query(sql) if isinstance(warehouse, DuckDBWarehouse) else warehouse.execute(sql)
