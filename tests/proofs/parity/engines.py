"""The two engines: a warehouse of each, loaded with the parts of one lake, built by dbt, and read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import duckdb
from tests.contract import on_snowflake
from tests.proofs.parity.extracted import END

from emulators import snowflake
from millrace.errors import TerminalError
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.lake.names import DroppedFile, RawPart, parse
from millrace.load import handler
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

PROJECT = Path(__file__).parents[3] / "jobs" / "dbt-runner" / "dbt"
_THERE = "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
Row = Mapping[str, Any]


class Parameters(TypedDict, total=False):
    """Parameters of an emulated account, as `emulators.snowflake.serving` takes them."""

    timezone: str
    timestamp_type_mapping: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one seed, model or test; `message` is the engine's own."""

    node: str
    status: str
    message: str

    @property
    def is_good(self) -> bool:
        """Return whether it was built, or passed; an exposure is neither."""
        return self.status in ("success", "pass", "no-op")

    @property
    def kind(self) -> str:
        """Its kind: seed, model, test or unit_test."""
        return self.node.split(".")[0]


@dataclass(frozen=True)
class Engine:
    """One engine. `rows` returns a table's rows, with columns in lower case, and none if it could not be built.

    `target` is where dbt leaves its artifacts, and `project` is what it builds.
    """

    name: str
    warehouse: DuckDBWarehouse | SnowflakeWarehouse
    target: Path
    rows: Callable[[str], list[Row]]
    project: Path = PROJECT

    def load(self, lake: LocalLake, versions: Iterable[ObjectVersion]) -> int:
        """Load the parts and dropped files among the objects; return the number of their rows."""
        read = 0
        for version in versions:
            key = parse(version.name)
            if isinstance(key, RawPart | DroppedFile):
                with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
                    path = Path(folder, "part.parquet")
                    stored = lake.download(version, path)
                    entry = self.warehouse.load(handler.batch_of(stored, key, path, END))
                read += entry.rows_read or 0
        return read

    def build(self, *options: str) -> list[Outcome]:
        """Build the dbt project with its tests, or the part selected by dbt's options; dbt runs in its own process.

        Return the outcome of each node. Raise TerminalError if dbt cannot even start to build.
        """
        (self.target / "run_results.json").unlink(missing_ok=True)
        with self.warehouse.released_for_dbt() as given:
            command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "build", "--target", given.name, *options]
            command += ["--project-dir", str(self.project), "--profiles-dir", str(self.project)]
            places = {"DBT_TARGET_PATH": str(self.target), "DBT_LOG_PATH": str(self.target)}
            environment = os.environ | given.settings | places
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        results = self.target / "run_results.json"
        if not results.exists():
            raise TerminalError(f"dbt could not build on {self.name}: {done.stdout}{done.stderr}")
        return [
            Outcome(each["unique_id"], each["status"], each["message"] or "")
            for each in json.loads(results.read_text())["results"]
        ]

    @property
    def manifest(self) -> dict[str, Any]:
        """dbt's manifest of the project, after a build."""
        manifest: dict[str, Any] = json.loads((self.target / "manifest.json").read_text())
        return manifest


@contextmanager
def on_duckdb(folder: Path) -> Iterator[Engine]:
    """Yield DuckDB, on a new file."""
    path = folder / "millrace.duckdb"
    with DuckDBWarehouse(path, clock=lambda: END) as warehouse:
        yield of_duckdb(warehouse, path, folder)


def of_duckdb(warehouse: DuckDBWarehouse, path: Path, folder: Path) -> Engine:
    """Return the engine of a warehouse in this DuckDB file; dbt leaves its artifacts in the folder."""

    def rows(table: str) -> list[Row]:
        warehouse.close()
        with duckdb.connect(path, read_only=True) as connection:
            if not connection.execute(_THERE, table.split(".")).fetchall():
                return []
            result = connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own names
            names = [column[0].lower() for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    return Engine("DuckDB", warehouse, folder / "dbt-duckdb", rows)


@contextmanager
def on_the_emulator(folder: Path, lake: Path, **parameters: Unpack[Parameters]) -> Iterator[Engine]:
    """Yield the Snowflake emulator with a new database, whose external stage is over the folder `lake`."""
    with (
        snowflake.serving(**parameters) as where,
        on_snowflake.open_warehouse(where, lake, lambda: END) as warehouse,
    ):
        yield _snowflake("the Snowflake emulator", warehouse, folder)


def _snowflake(name: str, warehouse: SnowflakeWarehouse, folder: Path) -> Engine:
    """Return the engine of a warehouse on Snowflake; dbt leaves its artifacts in the folder."""
    warehouse.ensure_tables()

    def rows(table: str) -> list[Row]:
        kinds = _kinds(warehouse, *table.split("."))
        if not kinds:
            return []
        selected = ", ".join(f'"{column}"' for column in kinds)
        return [
            {
                column.lower(): json.loads(value) if value is not None and kind in ("ARRAY", "VARIANT") else value
                for (column, kind), value in zip(kinds.items(), row, strict=True)
            }
            for row in warehouse.execute(f"SELECT {selected} FROM {table}")  # noqa: S608 - our own names
        ]

    return Engine(name, warehouse, folder / "dbt-snowflake", rows)


def _kinds(warehouse: SnowflakeWarehouse, schema: str, table: str) -> dict[str, str]:
    columns = "SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS"
    where = "WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION"
    return dict(warehouse.execute(f"{columns} {where}", schema.upper(), table.upper()))
