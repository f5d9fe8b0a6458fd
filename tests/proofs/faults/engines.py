"""The warehouse of a schedule on either engine, behind the gate, with the queries of checks and builds."""

import atexit
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from tests.contract import on_snowflake
from tests.proofs.faults.boundaries import Gate, GatedSnowflake, GatedWarehouse

from emulators import snowflake
from millrace.tables import EXTRACTED_AT, LOAD_SEQ, RUN_ID, TABLES
from millrace.warehouse import BuildRow
from millrace.warehouse.duckdb import builds

Rows = list[tuple[Any, ...]]


class Clocked(Gate, Protocol):
    """A gate with the time of the current handler's machine."""

    def now(self) -> datetime:
        """Return the time."""


class Engine(Protocol):
    """One warehouse."""

    @property
    def warehouse(self) -> GatedWarehouse | GatedSnowflake:
        """The pipeline's warehouse."""

    def query(self, sql: str) -> Rows:
        """Query it without faults."""

    def change(self, sql: str) -> None:
        """Change it without faults."""

    def rows(self, table: str) -> Rows:
        """Return the rows of a raw table, ordered, without the columns that depend on how a row arrived."""

    def make(self, name: str, select: str) -> None:
        """Build a model in `mart`, in one statement."""

    def publish(self, build: BuildRow, models: tuple[str, ...]) -> dict[str, Rows]:
        """Publish a build; return the published rows."""


class OnDuckDB:
    """In a file if dbt opens it as well, otherwise in memory: the engine survives every fault of a handler."""

    def __init__(self, database: Path, gate: Clocked) -> None:
        self.warehouse = GatedWarehouse(database, gate, clock=gate.now)

    def query(self, sql: str) -> Rows:
        with self.warehouse._transaction() as connection:
            return connection.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        self.query(sql)

    def rows(self, table: str) -> Rows:
        how = f"{LOAD_SEQ}, {EXTRACTED_AT}, {RUN_ID}"
        return sorted(self.query(f"SELECT * EXCLUDE ({how}) FROM raw.{table}"), key=repr)  # noqa: S608

    def make(self, name: str, select: str) -> None:
        self.warehouse.ensure_tables()
        with self.warehouse._transaction() as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS mart")
            connection.execute(f"CREATE OR REPLACE TABLE mart.{name} AS {select}")

    def publish(self, build: BuildRow, models: tuple[str, ...]) -> dict[str, Rows]:
        """Publish in memory, by the warehouse's own rule; tests/build has the real copy of the file."""
        with self.warehouse._transaction() as connection:
            builds._refuse_older(connection, build.token)
            return {
                name: connection.execute(f"SELECT * FROM mart.{name} ORDER BY ALL").fetchall()  # noqa: S608
                for name in models
            }


class OnSnowflake:
    """On the emulator, in a database of its own."""

    def __init__(self, lake: Path, gate: Clocked) -> None:
        plain = on_snowflake.open_warehouse(served(), lake, gate.now)
        self._plain = plain
        self.warehouse = GatedSnowflake(plain._address, lake.name, gate)

    def query(self, sql: str) -> Rows:
        return [tuple(row) for row in self._plain.execute(sql)]

    def change(self, sql: str) -> None:
        self._plain.execute(sql)

    def rows(self, table: str) -> Rows:
        names = [name for name in TABLES[table].schema.names if name not in (EXTRACTED_AT, RUN_ID)]
        found = on_snowflake.rows_of(self._plain, table)
        return sorted((tuple(row[name] for name in names) for row in found), key=repr)

    def make(self, name: str, select: str) -> None:
        self._plain.ensure_tables()
        self._plain.execute(f"CREATE OR REPLACE TABLE mart.{name} AS {select}")

    def publish(self, build: BuildRow, models: tuple[str, ...]) -> dict[str, Rows]:
        self.warehouse.publish(build)
        return {name: sorted(self.query(f"SELECT * FROM published.{name}")) for name in models}  # noqa: S608


@cache
def served() -> str:
    """Serve the emulator until the process ends."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(snowflake.serving())
