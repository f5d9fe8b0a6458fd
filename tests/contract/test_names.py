"""No column name of a file collides with a name of the engine, and a load reports exactly what it did."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake

from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.load import dropped_files
from millrace.load.dropped_lines import DropCaps
from millrace.tables import TABLES
from millrace.warehouse import Batch, LedgerEntry, Miscounted, SmallObject
from millrace.warehouse.duckdb import merge as duckdb_merge
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.merge_rule import MergeRule
from millrace.warehouse.snowflake import merge as snowflake_merge
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

NOW = datetime(2026, 11, 20, tzinfo=UTC)
REPOS = TABLES["repos"]
Either = DuckDBWarehouse | SnowflakeWarehouse
# Names that the merges have used for columns, tables and aliases, and columns that DuckDB adds to those of a file.
ODD_NAMES = (
    "_object", "object_number", "staged_row", "stored_row", "row_action", "n", "s", "t", "f", "c", "rank", "staged",
    "classified", "filename", "file_row_number", "file_index", "row_number", "excluded", "count",
)  # fmt: skip


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


def load(warehouse: Either, folder: Path, name: str, **columns: Any) -> LedgerEntry:
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(columns), path)
    return warehouse.load(Batch(ObjectVersion("lake", f"drop/repos/{path.name}", 1), REPOS, path, NOW, None))


def small(number: int, name: str, opened: int = 1) -> SmallObject:
    row = {"full_name": [name], "open_pull_requests_count": [opened], "_extracted_at": [NOW]}
    empty = {field.name: pa.nulls(1, field.type) for field in REPOS.schema}
    rows = pa.table({**empty, **row}, schema=REPOS.schema)
    return SmallObject(ObjectVersion("lake", f"drop/repos/{number}.csv", 1), rows)


def query(warehouse: Either, sql: str) -> list[tuple[Any, ...]]:
    return warehouse.query(sql) if isinstance(warehouse, DuckDBWarehouse) else warehouse.execute(sql)


@pytest.mark.parametrize("name", ["rowid", "ROWID", "RowId", "_LOAD_SEQ", "current_date", "LocalTimestamp"])
def test_a_reserved_name_is_refused_in_any_case(warehouse: Either, tmp_path: Path, name: str) -> None:
    with pytest.raises(BadObject, match=name) as refused:
        load(warehouse, tmp_path, "a", full_name=["o/a"], **{name: [1]})
    assert refused.value.reason == "column_name"
    assert load(warehouse, tmp_path, "b", full_name=["o/a", "o/b"]).rows_inserted == 2
    assert query(warehouse, "SELECT count(*) FROM raw.repos") == [(2,)]


@pytest.mark.parametrize(
    ("kind", "content"), [("ndjson", '{"full_name":"o/a","rowid":7}'), ("csv", "full_name,rowid\no/a,7")]
)
def test_a_reserved_name_in_a_line_goes_into_extra(tmp_path: Path, kind: Any, content: str) -> None:
    source = tmp_path / "a"
    source.write_text(content)
    (row,) = dropped_files.to_table(source, REPOS, kind, DropCaps()).to_pylist()
    assert str(json.loads(row["_extra"])["rowid"]) == "7"


def test_columns_with_names_of_the_merge_change_no_count(warehouse: Either, tmp_path: Path) -> None:
    odd = {name: ["x", "x"] for name in ODD_NAMES}
    load(warehouse, tmp_path, "a", full_name=["o/a", "o/b"], **odd)
    more = load(warehouse, tmp_path, "b", full_name=["o/b", "o/c"], _extracted_at=[NOW + timedelta(hours=1)] * 2, **odd)
    assert (more.rows_inserted, more.rows_updated, more.rows_unchanged) == (1, 0, 1)
    bundle = warehouse.load_bundle(REPOS, [small(1, "o/d"), small(2, "o/e"), small(3, "o/e", 2)], NOW)
    assert [entry.rows_inserted for entry in bundle] == [1, 0, 1]
    found = query(warehouse, "SELECT full_name, _object, stored_row FROM raw.repos ORDER BY full_name")
    assert found == [*((f"o/{key}", "x", "x") for key in "abc"), ("o/d", None, None), ("o/e", None, None)]


def stored_with_rowid(path: Path, *names: str) -> None:
    """Create a warehouse as an earlier release did, with a dropped file's column `rowid` in raw.repos."""
    with DuckDBWarehouse(path, clock=lambda: NOW) as old:
        old.ensure_tables()
    with duckdb.connect(path) as connection:
        connection.execute('ALTER TABLE raw.repos ADD COLUMN "RowID" BIGINT')
        for name in names:
            connection.execute(
                'INSERT INTO raw.repos (full_name, "RowID", _extracted_at, _load_seq) VALUES (?, 7, ?, 1)',
                [name, NOW.replace(tzinfo=None) - timedelta(days=9)],
            )


@pytest.mark.parametrize(
    "names", [("o/a",), ("o/a", "o/b"), ("o/a", "o/a", "o/a", "o/b")], ids=["one", "two", "multiplied"]
)
def test_a_warehouse_with_a_column_rowid_is_mended_with_its_data(
    tmp_path: Path, names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "w.duckdb"
    stored_with_rowid(path, *names)
    with DuckDBWarehouse(path, clock=lambda: NOW) as warehouse:
        warehouse.ensure_tables()
        warehouse.ensure_tables()
        assert query(warehouse, "SELECT DISTINCT rowid_of_file FROM raw.repos") == [(7,)]
        entry = load(
            warehouse,
            tmp_path,
            "b",
            full_name=["o/a", *(f"new/{n}" for n in range(100))],
            default_branch=["main"] * 101,
        )
        assert (entry.rows_inserted, entry.rows_updated) == (100, 1)
        assert query(warehouse, "SELECT count(*), count(DISTINCT full_name) FROM raw.repos") == [
            (100 + len(set(names)),) * 2
        ]
    (told,) = [record for record in caplog.records if "mended" in record.getMessage()]
    assert told.__dict__["fields"]["repeated_rows_removed"] == len(names) - len(set(names))


def test_after_mending_the_drops_of_that_table_are_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with DuckDBWarehouse(path, clock=lambda: NOW) as old:
        lost, other = load(old, tmp_path, "lost", full_name=["o/lost"]), ObjectVersion("lake", "drop/repos/bad", 1)
        old.quarantine(other, "repos", None, None, "unreadable")
    with duckdb.connect(path) as connection:
        connection.execute("ALTER TABLE raw.repos ADD COLUMN rowid BIGINT; DELETE FROM raw.repos")
    with DuckDBWarehouse(path, clock=lambda: NOW) as warehouse:
        warehouse.ensure_tables()
        assert list(warehouse.find_all([lost.version, other])) == [other]
        assert warehouse.newest_load_seq() == 2
        assert load(warehouse, tmp_path, "lost", full_name=["o/lost"]).rows_inserted == 1


@pytest.mark.parametrize("spoilt", ["inserted", "updated", "confirmed"])
def test_a_statement_that_changes_other_rows_than_classified_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    apply = duckdb_merge.apply

    def spoil(rule: MergeRule) -> dict[str, str]:
        return {action: sql.replace(f"= '{spoilt}'", "= 'none'") for action, sql in apply(rule).items()}

    with DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: NOW) as warehouse:
        load(warehouse, tmp_path, "a", full_name=["o/a", "o/b"], default_branch=["x", "x"])
        later = [NOW + timedelta(hours=1)] * 3
        columns = {"full_name": ["o/a", "o/b", "o/c"], "default_branch": ["y", "x", "x"], "_extracted_at": later}
        monkeypatch.setattr(duckdb_merge, "apply", spoil)
        with pytest.raises(Miscounted, match=f"expected 1 rows {spoilt}, got 0"):
            load(warehouse, tmp_path, "b", **columns)
        monkeypatch.undo()
        assert query(warehouse, "SELECT count(*), count(*) FILTER (default_branch = 'x') FROM raw.repos") == [(2, 2)]
        assert load(warehouse, tmp_path, "b", **columns).rows_inserted == 1


@pytest.mark.parametrize(
    ("part", "spoilt"), [("WHEN NOT MATCHED THEN", "inserted"), ("AND s.\"ROW ACTION\" = 'updated' THEN", "updated")]
)
def test_a_merge_on_snowflake_that_changes_other_rows_is_undone(
    snowflake_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, spoilt: str
) -> None:
    apply = snowflake_merge.apply
    warehouse = on_snowflake.open_warehouse(snowflake_at, tmp_path / "elsewhere", lambda: NOW)
    load(warehouse, tmp_path, "a", full_name=["o/a"], default_branch=["x"])
    monkeypatch.setattr(
        snowflake_merge,
        "apply",
        lambda merge: apply(merge).replace(part, part.replace("THEN", "AND FALSE THEN")),
    )
    with pytest.raises(Miscounted, match=f"expected 1 rows {spoilt}, got 0"):
        load(
            warehouse,
            tmp_path,
            "b",
            full_name=["o/a", "o/b"],
            default_branch=["y", "x"],
            _extracted_at=[NOW + timedelta(hours=1)] * 2,
        )
    assert warehouse.execute("SELECT full_name, default_branch FROM raw.repos") == [("o/a", "x")]
    warehouse.close()


@pytest.mark.parametrize("copies", [2, 3])
def test_a_key_that_is_stored_twice_stops_a_load_that_meets_it(tmp_path: Path, copies: int) -> None:
    path = tmp_path / "w.duckdb"
    with DuckDBWarehouse(path, clock=lambda: NOW) as warehouse:
        load(warehouse, tmp_path, "a", full_name=["o/a"])
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO raw.repos SELECT r.* FROM raw.repos AS r, range(?)", [copies - 1])
    with DuckDBWarehouse(path, clock=lambda: NOW) as warehouse:
        with pytest.raises(Miscounted, match=f"expected 1 rows classified, got {copies}"):
            load(warehouse, tmp_path, "b", full_name=["o/a"])
        assert load(warehouse, tmp_path, "c", full_name=["o/b"]).rows_inserted == 1
