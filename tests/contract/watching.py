"""A warehouse on Snowflake that records its statements, and a part of the lake for it to load."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import Error

from millrace.arrow import to_batch
from millrace.lake.local import LocalLake
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
REPOS = TABLES["repos"]
RUN = "20261120T120000Z"
PART = f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet"


class Watched(SnowflakeWarehouse):
    """A warehouse that records its statements; `before` is called with each of them first."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sent: list[str] = []
        self.before: Callable[[int, str], None] = lambda number, statement: None

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        self.sent.append(" ".join(statement.split()))
        self.before(len(self.sent), self.sent[-1])
        return super().execute(statement, *values)


def part(lake: LocalLake, folder: Path, *names: str, key: str = PART, run: str | None = RUN) -> Batch:
    """Write a part into the lake, and return it as the load function does."""
    path = folder / "part.parquet"
    pq.write_table(pa.Table.from_batches([to_batch([{"full_name": name} for name in names], REPOS, T0, RUN)]), path)
    return Batch(lake.write(key, path, 0).version, REPOS, path, T0, run)


def names(warehouse: SnowflakeWarehouse) -> list[str]:
    return [name for (name,) in sorted(warehouse.execute("SELECT FULL_NAME FROM RAW.REPOS"))]


def refuse(monkeypatch: pytest.MonkeyPatch, word: str, answer: Callable[[], Error | None]) -> None:
    """Answer each statement that begins with a word by an error of the service; None: let it run."""
    execute = SnowflakeCursor.execute

    def answered(cursor: SnowflakeCursor, command: str, *arguments: object, **named: object) -> object:
        error = answer() if command.split()[0] == word else None
        if error is not None:
            raise error
        return execute(cursor, command, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(SnowflakeCursor, "execute", answered)
