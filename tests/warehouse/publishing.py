# ruff: noqa: S608 - the names are this module's own
"""Publications as builds make them: each one's marts carry its number, in each of their rows."""

import os
from pathlib import Path

from millrace.warehouse import BuildRow
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

Either = DuckDBWarehouse | SnowflakeWarehouse
MARTS = ("quality", "velocity")
ROWS = 2_000


def publish(warehouse: Either, marts: tuple[str, ...] = MARTS) -> BuildRow:
    """Build each mart with the number of its build, and publish it."""
    build = warehouse.start_build(1, "somebody", None)
    _run(warehouse, "CREATE SCHEMA IF NOT EXISTS mart", "DELETE FROM meta.mart_watermarks WHERE mart_name = 'quality'")
    _run(warehouse, *(_mart(warehouse, name, build.number) for name in marts))
    _run(
        warehouse,
        "INSERT INTO meta.mart_watermarks (mart_name, load_seq, definition, refreshed_at) "
        f"VALUES ('quality', {build.number}, 'd', TIMESTAMP '2026-11-20 12:00:00')",
    )
    good = warehouse.end_build(build, True, 1.0, ())
    warehouse.publish(good)
    return good


def open_files(folder: Path) -> list[str]:
    """Return the published files below a folder that this process has open, including deleted ones."""
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    files = [link.readlink() for link in links if link.is_symlink()]
    return sorted(str(file) for file in files if file.is_relative_to(folder) and "published" in file.name)


def _mart(warehouse: Either, name: str, number: int) -> str:
    is_snowflake = isinstance(warehouse, SnowflakeWarehouse)
    rows = f"TABLE(GENERATOR(ROWCOUNT => {ROWS}))" if is_snowflake else f"range({ROWS})"
    instant = "CAST('2026-11-20 12:00:00.000005' AS TIMESTAMP)"
    columns = f"CAST({number} AS BIGINT) AS build, {instant} AS began_at, CAST(1.5 AS DECIMAL(20, 12)) AS cost_usd"
    return f"CREATE OR REPLACE TABLE mart.{name} AS SELECT {columns} FROM {rows}"


def _run(warehouse: Either, *statements: str) -> None:
    if isinstance(warehouse, DuckDBWarehouse):
        warehouse.run_scripts(statements)
        return
    for statement in statements:
        warehouse.execute(statement)
