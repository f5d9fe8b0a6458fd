"""Loading one large object, against DuckDB only reading the same Parquet file into a table; checking a small one."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import duckdb
import pyarrow.parquet as pq

from bench.extract import _commit
from bench.measuring import Figure, best_of, stopwatch
from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch, parquet
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

ROWS = 1_000_000
_MEMORY = "200MB"


def large_object() -> list[Figure]:
    """Load 1,000,000 commits, the same object again, then 100,000 rows, half of them known."""
    table = TABLES["commits"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "large.parquet", range(ROWS))
        _write(folder / "delta.parquet", range(ROWS - 50_000, ROWS + 50_000), message="changed")
        floor = best_of(2, lambda: _read_parquet(folder))
        with DuckDBWarehouse(folder / "millrace.duckdb", memory_limit=_MEMORY) as warehouse:
            warehouse.ensure_tables()
            seconds = []
            for generation, file in enumerate(("large", "large", "delta")):
                version = ObjectVersion("lake", f"{file}.parquet", 1)
                now = datetime(2026, 11, 1, generation, tzinfo=UTC)
                with stopwatch() as watch:
                    entry = warehouse.load(Batch(version, table, folder / f"{file}.parquet", now, None))
                seconds.append(watch.s)
        rows = f"{entry.rows_inserted:,} inserted, {entry.rows_updated:,} updated"
    return [
        Figure("load 1,000,000 commits: MERGE and ledger", seconds[0], "s", floor, "CREATE TABLE AS read_parquet", 3.0),
        Figure("load the same object again", seconds[1], "s", notes={"aim": "under 2 s"}),
        Figure("load 100,000 rows into them", seconds[2], "s", notes={"of these": rows}),
    ]


def small_file() -> Figure:
    """Check 200 commits in the child process, as a load does."""
    limits = parquet.ParquetLimits()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.parquet")
        _write(path, range(200))

        def check() -> None:
            parquet.inspect(path, limits)

        def read() -> None:
            with pq.ParquetFile(path) as file:
                file.read(use_threads=False)

        with stopwatch() as start:
            check()
        taken, floor = _median_ms(check), _median_ms(read)
    notes = {"first": f"{start.s:.2f} s, with the start of the child", "limit": "1 ms"}
    return Figure("check a small file, median", taken, "ms", floor, "pyarrow reads it", 3.0, notes)


def _median_ms(action: Callable[[], None], times: int = 500) -> float:
    seconds = []
    for _ in range(times):
        with stopwatch() as watch:
            action()
        seconds.append(watch.s)
    return median(seconds) * 1000


def _write(path: Path, numbers: range, message: str | None = None) -> None:
    table, moment = TABLES["commits"], datetime(2026, 11, 1, 1 if message is None else 2, tzinfo=UTC)
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for start in range(numbers.start, numbers.stop, 50_000):
            rows = [dict(_commit(number)) for number in range(start, min(start + 50_000, numbers.stop))]
            if message is not None:
                rows = [row | {"message": message} for row in rows]
            writer.write_batch(to_batch(rows, table, moment, "20261101T000000Z"))


def _read_parquet(folder: Path) -> float:
    path = folder / "floor.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute("SET preserve_insertion_order = false")
        with stopwatch() as watch:
            connection.execute(
                "CREATE TABLE floor AS SELECT * FROM read_parquet($path)", {"path": str(folder / "large.parquet")}
            )
    return watch.s
