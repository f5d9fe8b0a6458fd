"""Small objects loaded together have the same result as if loaded one by one."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from tests.contract import on_snowflake

from millrace.arrow import to_batch
from millrace.bus.events import ObjectFinalized
from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.lake.names import DroppedFile
from millrace.load import handler, small_files
from millrace.load.handler import Loader
from millrace.tables import TABLES
from millrace.warehouse import Batch, LedgerEntry, SmallObject
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

TABLE = TABLES["repos"]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
Either = DuckDBWarehouse | SnowflakeWarehouse
Opened = Callable[[], Either]


@pytest.fixture(params=["duckdb", "snowflake"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """Return a function that opens an empty warehouse: on Snowflake, where this is slow, the last but one, emptied."""
    made: list[Either] = []

    def new() -> Either:
        before = made.pop(-2) if len(made) > 1 and request.param == "snowflake" else None
        if isinstance(before, SnowflakeWarehouse):
            on_snowflake.empty(before)
            made.append(before)
        elif request.param == "duckdb":
            made.append(DuckDBWarehouse(tmp_path / f"{len(made)}.duckdb"))
        else:
            where = request.getfixturevalue("snowflake_at")
            made.append(on_snowflake.open_warehouse(where, tmp_path / "elsewhere", lambda: NOW))
        return made[-1]

    yield new
    for warehouse in made:
        warehouse.close()


def small(number: int, rows: list[tuple[str, int, int]]) -> SmallObject:
    """An object whose rows are (name, count, minutes after NOW)."""

    batches = [
        to_batch([{"full_name": name, "open_pull_requests_count": n}], TABLE, NOW + timedelta(minutes=at), None)
        for name, n, at in rows
    ]
    return SmallObject(
        ObjectVersion("lake", f"drop/repos/{number}.csv", number + 1), pa.Table.from_batches(batches, TABLE.schema)
    )


def raw(warehouse: Either) -> list[tuple[Any, ...]]:
    columns = ", ".join(TABLE.schema.names)
    if isinstance(warehouse, SnowflakeWarehouse):
        return sorted(warehouse.execute(f"select {columns} from raw.repos"), key=repr)  # noqa: S608
    with warehouse._transaction() as connection:
        return sorted(connection.execute(f"select {columns} from raw.repos").fetchall(), key=repr)  # noqa: S608


def one_by_one(warehouse: Either, objects: list[SmallObject], folder: Path) -> list[LedgerEntry]:
    entries = []
    for each in objects:
        path = folder / "one.parquet"
        pq.write_table(each.rows, path)
        entries.append(warehouse.load(Batch(each.version, TABLE, path, NOW, None)))
    return entries


ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 2)), max_size=4)


def test_bundle_matches_single_loads_and_counts_every_row(
    opened: Opened, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    @settings(max_examples=12 if request.node.callspec.params["opened"] == "duckdb" else 3, deadline=None)
    @given(before=st.lists(ROWS, max_size=2), together=st.lists(ROWS, min_size=1, max_size=4))
    def compare(before: list[list[tuple[str, int, int]]], together: list[list[tuple[str, int, int]]]) -> None:
        first = [small(number, rows) for number, rows in enumerate(before)]
        objects = [small(number + 10, rows) for number, rows in enumerate(together)]
        bundled, single = opened(), opened()
        bundled.ensure_tables()
        one_by_one(bundled, first, tmp_path)
        one_by_one(single, [*first, *objects], tmp_path)
        entries = bundled.load_bundle(TABLE, objects, NOW)
        assert raw(bundled) == raw(single)
        for entry, each in zip(entries, objects, strict=True):
            row_actions = entry.rows_inserted + entry.rows_updated + entry.rows_unchanged + entry.rows_superseded
            assert entry.rows_read == len(each.rows) == row_actions

    compare()


def test_objects_in_ledger_are_not_loaded_again(opened: Opened) -> None:
    warehouse = opened()
    objects = [small(0, [("a", 1, 0)]), small(1, [("b", 1, 0)])]
    first = warehouse.load_bundle(TABLE, objects, NOW)
    again = warehouse.load_bundle(TABLE, [*objects, small(2, [("c", 1, 0)])], NOW)
    assert {entry.version: entry for entry in first}.items() <= {entry.version: entry for entry in again}.items()
    assert [row[0] for row in raw(warehouse)] == ["a", "b", "c"]


def test_a_bad_row_in_one_of_them_changes_nothing(opened: Opened) -> None:

    warehouse = opened()
    nameless = pa.Table.from_batches([to_batch([{"default_branch": "main"}], TABLE, NOW, None)], TABLE.schema)
    bad = SmallObject(ObjectVersion("lake", "drop/repos/bad.csv", 1), nameless)
    with pytest.raises(BadObject):
        warehouse.load_bundle(TABLE, [small(0, [("a", 1, 0)]), bad], NOW)
    assert warehouse.find_all([bad.version, ObjectVersion("lake", "drop/repos/0.csv", 1)]) == {}


def test_only_the_same_generation_is_known(opened: Opened) -> None:
    warehouse = opened()
    (entry,) = warehouse.load_bundle(TABLE, [small(0, [("a", 1, 0)])], NOW)
    newer = ObjectVersion("lake", entry.version.name, entry.version.generation + 1)
    elsewhere = ObjectVersion("other", entry.version.name, entry.version.generation)
    assert warehouse.find_all([entry.version, newer, elsewhere]) == {entry.version: entry}


class NoJob:
    def start(self, run_id: str | None) -> None:
        """No-op: nothing is built here."""


def test_bundle_quarantines_bad_files_and_loads_the_rest(opened: Opened, tmp_path: Path) -> None:
    lake, quarantine = LocalLake(tmp_path / "lake", "lake"), LocalLake(tmp_path / "quarantine", "quarantine")
    loader = Loader(lake, quarantine, opened(), NoJob(), lambda: NOW)
    contents = [json.dumps({"full_name": f"o/{number}"}) for number in range(20)]
    contents[3], contents[7] = "no json", json.dumps({"default_branch": "main"})
    stored = [lake.write(f"drop/repos/{n}.ndjson", text.encode(), 0) for n, text in enumerate(contents)]
    for each in stored:
        handler.answer(loader, ObjectFinalized(each.version, each.crc32c))
    entries = loader.warehouse.find_all([each.version for each in stored])
    assert [n for n, each in enumerate(stored) if entries[each.version].quarantine_reason] == [3, 7]
    assert len({entries[each.version].load_seq for each in stored}) < len(stored)
    assert len(set(loader.warehouse.keys_of(TABLE))) == 18


def test_a_few_files_are_loaded_one_by_one(opened: Opened, tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake", "lake")
    stored = lake.write("drop/repos/a.csv", b"full_name\no/a\n", 0)
    key = DroppedFile("repos", "a.csv", "csv")
    assert small_files.load_neighbours(lake, opened(), stored.version, key, NOW) is None
