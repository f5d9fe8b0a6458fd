"""A warehouse that publishes, and a reader of its published data, on either engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.contract.on_snowflake import open_warehouse
from tests.warehouse.publishing import Either, open_files

from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import Reader
from millrace.warehouse.snowflake.reader import SnowflakeReader

T0 = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadableWarehouse:
    """A publishing warehouse, and how to open a reader of it."""

    warehouse: Either
    reader: Reader


@pytest.fixture(params=["duckdb", "snowflake"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReadableWarehouse]:
    is_duckdb = request.param == "duckdb"
    place = on_duckdb(tmp_path) if is_duckdb else on_snowflake(request.getfixturevalue("snowflake_at"), tmp_path)
    yield place
    place.reader.close()
    place.warehouse.close()
    assert open_files(tmp_path) == []


def on_duckdb(folder: Path) -> ReadableWarehouse:
    warehouse = DuckDBWarehouse(folder / "it's here" / "warehouse.duckdb", clock=lambda: T0)
    return ReadableWarehouse(warehouse, DuckDBReader(warehouse.published_path))


def on_snowflake(where: str, folder: Path) -> ReadableWarehouse:
    warehouse = open_warehouse(where, folder / "lake", lambda: T0)
    return ReadableWarehouse(warehouse, SnowflakeReader(warehouse._address, patience_s=600))
