"""The rows of raw.usage_events that one load reads beside a growing history, on the emulator of Snowflake.

DuckDB keeps a table in row groups with the bounds of each column, as Snowflake does in micro-partitions: both leave out
those that a constant range excludes. So the rows that the emulator's plans read show whether a load on Snowflake reads
the history. The floor is the part of the history that lies in the months of the file.
"""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.contract import history, on_snowflake

from bench.measuring import Figure, stopwatch
from emulators import snowflake
from emulators.snowflake.scans import scans
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def loads() -> Iterator[Figure]:
    """Load 1,000 new events, and the same again, beside 10^5, 10^6 and 10^7 events of as many months as they take."""
    for rows in (10**5, 10**6, 10**7):
        with tempfile.TemporaryDirectory() as name, snowflake.serving() as where:
            folder = Path(name)
            with on_snowflake.open_warehouse(where, folder / "lake", lambda: NOW) as warehouse:
                warehouse.ensure_tables()
                history.fill(warehouse._address.database, rows, NOW)
                for what in ("new events", "events that are there"):
                    yield _load(warehouse, folder, rows, what)


def _load(warehouse: SnowflakeWarehouse, folder: Path, rows: int, what: str) -> Figure:
    batch = history.batch_of(folder, what, NOW)
    with scans() as found, stopwatch() as watch:
        warehouse.load(batch)
    read = sum(scan.rows for scan in found)
    notes = {"statements": str(len(found)), "seconds": f"{watch.s:.2f}", "dearest": f"{max(s.rows for s in found):,}"}
    month = NOW.day * 86_400 / history.STEP_S
    return Figure(f"{history.ROWS:,} {what} beside {rows:,}", read, "rows", month, "the month so far", notes=notes)
