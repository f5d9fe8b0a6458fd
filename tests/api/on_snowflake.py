# ruff: noqa: S608 - the names are our own
"""The published marts of a DuckDB file on Snowflake, and the SQL that a route sends there, without it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from millrace.api import definitions
from millrace.warehouse.reading import Answer, Reader, Snapshot
from millrace.warehouse.snowflake.objects import DROPS
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

_TYPES = {"bigint": "NUMBER(38, 0)", "timestamp": "TIMESTAMP_NTZ(6)", "datetime": "TIMESTAMP_NTZ(6)"}
_FORMAT = "(TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE)"


def publish_as_in(published: Path, warehouse: SnowflakeWarehouse, folder: Path) -> None:
    """Fill MART with the marts of a published DuckDB file, typed by their contracts, and publish them."""
    for mart, model in definitions.load().models.items():
        if all(column.type for column in model.columns.values()):
            path = folder / f"{mart}.parquet"
            with duckdb.connect(published, read_only=True) as connection:
                connection.execute(f"COPY (SELECT * FROM mart.{mart}) TO '{path}' (FORMAT parquet)")
            _fill(warehouse, mart, [(name, column.type) for name, column in model.columns.items()], path)
    build = warehouse.start_build(1, "api", None)
    warehouse.publish(warehouse.end_build(build, is_good=True, seconds=1.0, nodes=()))


def _fill(warehouse: SnowflakeWarehouse, mart: str, columns: Sequence[tuple[str, str]], path: Path) -> None:
    """Create a mart as dbt does, and copy a file into it."""
    typed = ", ".join(f"{name} {_TYPES.get(kind, kind)}" for name, kind in columns)
    warehouse.execute(f"CREATE OR REPLACE TRANSIENT TABLE MART.{mart} ({typed})")
    warehouse.execute(f"PUT 'file://{path}' @{DROPS}/marts AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE")
    how = f"FILE_FORMAT = {_FORMAT} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
    warehouse.execute(f"COPY INTO MART.{mart} FROM @{DROPS}/marts/{path.name} {how} PURGE = TRUE")


class Repeated:
    """A reader of DuckDB. It does the work of each read once more as on Snowflake, with the rows that DuckDB returned.

    `sent` has the statements for Snowflake, each once, in the order in which they were first sent.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.sent: dict[str, None] = {}

    def version(self) -> str:
        return self._reader.version()

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        def twice(snapshot: Snapshot) -> Answer:
            kept = _Kept(snapshot)
            answer = work(kept)
            there = _There(snapshot, kept.returned)
            assert work(there) == answer
            self.sent |= dict.fromkeys(there.sent)
            return answer

        return self._reader.read(twice)

    def close(self) -> None:
        self._reader.close()


class _Over:
    """A snapshot over another one."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.engine, self.schema = snapshot.engine, snapshot.schema
        self.version, self.build = snapshot.version, snapshot.build
        self.tables, self.columns = snapshot.tables, snapshot.columns


class _Kept(_Over):
    """A snapshot that keeps the rows of each of its queries."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self.returned: list[list[dict[str, Any]]] = []

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        rows = self.snapshot.query(sql, values)
        self.returned.append([dict(row) for row in rows])  # a route may change its rows
        return rows


class _There(_Over):
    """A snapshot for Snowflake's SQL that returns rows that are known."""

    def __init__(self, snapshot: Snapshot, rows: Sequence[list[dict[str, Any]]]) -> None:
        super().__init__(snapshot)
        self.engine, self.schema = "snowflake", "PUBLISHED"
        self.sent: list[str] = []
        self._rows = list(rows)

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        assert sql.count("?") == len(values)
        self.sent.append(sql)
        return self._rows[len(self.sent) - 1]
