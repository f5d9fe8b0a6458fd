"""A warehouse of either engine under test: its fixtures, and the rows and files that its suites load."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake

from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch, LedgerEntry, Warehouse
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COMMITS, REPOS, PULLS, REVIEWS = (TABLES[name] for name in ("commits", "repos", "pull_requests", "reviews"))
Rows = list[dict[str, object]]


@dataclass
class Rig:
    """One warehouse under test, with a folder for its files; `rows` reads a raw table, ordered."""

    folder: Path
    warehouse: Warehouse
    rows: Callable[[str], Rows]
    numbers: Iterator[int]

    def file(self, table: pa.Table) -> Path:
        path = self.folder / f"{next(self.numbers)}.parquet"
        pq.write_table(table, path)
        return path

    def batch(self, content: pa.Table | Path, table: str = "repos", name: str = "", run: str | None = "r1") -> Batch:
        path = content if isinstance(content, Path) else self.file(content)
        return Batch(ObjectVersion("lake", name or path.name, 1), TABLES[table], path, T0, run)

    def load(self, content: pa.Table | Path, table: str = "repos", name: str = "") -> LedgerEntry:
        return self.warehouse.load(self.batch(content, table, name))


Emptied = Callable[[Path], AbstractContextManager[Rig]]


def duckdb_rig(folder: Path) -> Rig:
    path = folder / "warehouse.duckdb"
    return Rig(folder, DuckDBWarehouse(path, clock=lambda: T0), lambda table: duckdb_rows(path, table), count())


def duckdb_rows(path: Path, table: str) -> Rows:
    with duckdb.connect(path) as connection:
        result = connection.execute(f'SELECT * FROM raw."{table}"')  # noqa: S608
        names = [column[0] for column in result.description or ()]
        return sorted((dict(zip(names, row, strict=True)) for row in result.fetchall()), key=repr)


def snowflake_rig(where: str, folder: Path) -> Rig:
    warehouse = on_snowflake.open_warehouse(where, folder / "elsewhere", lambda: T0)
    return Rig(folder, warehouse, lambda table: on_snowflake.rows_of(warehouse, table), count())


@pytest.fixture(params=["duckdb", "snowflake"])
def open_rig(request: pytest.FixtureRequest) -> Callable[[Path], Rig]:
    if request.param == "duckdb":
        return duckdb_rig
    return partial(snowflake_rig, request.getfixturevalue("snowflake_at"))


@pytest.fixture(scope="module")
def one_on_snowflake(snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = snowflake_rig(snowflake_at, tmp_path_factory.mktemp("one"))
    yield rig
    close(rig)


@pytest.fixture(params=["duckdb", "snowflake"])
def emptied(request: pytest.FixtureRequest) -> Emptied:
    """Return a function that opens an empty warehouse. On Snowflake it empties the same one: opening one is slow."""
    one = None if request.param == "duckdb" else request.getfixturevalue("one_on_snowflake")

    @contextmanager
    def opened(folder: Path) -> Iterator[Rig]:
        if one is None:
            rig = duckdb_rig(folder)
            yield rig
            close(rig)
        else:
            on_snowflake.empty(one.warehouse)
            yield one

    return opened


def is_on_duckdb(request: pytest.FixtureRequest) -> bool:
    return bool(request.node.callspec.params["emptied"] == "duckdb")


@pytest.fixture
def rig(open_rig: Callable[[Path], Rig], tmp_path: Path) -> Iterator[Rig]:
    rig = open_rig(tmp_path)
    yield rig
    close(rig)


def close(rig: Rig) -> None:
    if isinstance(rig.warehouse, SnowflakeWarehouse):
        on_snowflake.release(rig.warehouse)
    else:
        assert isinstance(rig.warehouse, DuckDBWarehouse)
        rig.warehouse.close()


def repos(*rows: dict[str, object], at: datetime = T0, run: str = "r1") -> pa.Table:
    return pa.Table.from_batches([to_batch(list(rows), REPOS, at, run)])


def repo(name: str = "o/a", opened: int = 1, **more: object) -> dict[str, object]:
    return {"full_name": name, "open_pull_requests_count": opened, **more}


def counts(entry: LedgerEntry) -> tuple[int | None, int, int, int, int]:
    return (
        entry.rows_read,
        entry.rows_inserted,
        entry.rows_updated,
        entry.rows_unchanged,
        entry.rows_superseded,
    )


def on_both_engines(cases: Sequence[Any], sample: Collection[str]) -> list[Any]:
    """Return the cases for (engine, …). On Snowflake those outside of the sample are proofs: DuckDB shows them too."""
    return [
        pytest.param(
            engine,
            *case.values,
            id=f"{engine}-{case.id}",
            marks=[pytest.mark.proof] * (engine == "snowflake" and case.id not in sample),
        )
        for engine, case in product(("duckdb", "snowflake"), cases)
    ]
