"""A warehouse that publishes, and a reader of what it published, on either engine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.reading.publishing import Either

from millrace.warehouse.duckdb import DuckDBWarehouse
from millrace.warehouse.duckdb_reader import DuckDBReader
from millrace.warehouse.reading import Reader


@dataclass(frozen=True, slots=True)
class Place:
    """Where is published, and who reads it."""

    warehouse: Either
    reader: Reader


@pytest.fixture(params=["duckdb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made: dict[str, Callable[[], Place]] = {"duckdb": lambda: on_duckdb(tmp_path)}
    place = made[request.param]()
    yield place
    place.reader.close()
    place.warehouse.close()


def on_duckdb(folder: Path) -> Place:
    warehouse = DuckDBWarehouse(
        folder / "it's here" / "warehouse.duckdb", clock=lambda: datetime(2026, 11, 20, tzinfo=UTC)
    )
    return Place(warehouse, DuckDBReader(warehouse.published_path))
