"""Short read-only access to a DuckDB file, which fails at once when the file is open for writing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from millrace.errors import ConfigError, Step, TransientError, first_line
from millrace.warehouse.duckdb.opening import is_damage

Kind = Literal["warehouse", "published"]


class DatabaseLocked(ConfigError):
    """Another process, or another connection of this one, has the file open for writing."""


@dataclass(frozen=True, slots=True)
class ReadOnlyDatabase:
    """An open file, with the interface that the status needs of a store."""

    path: Path
    kind: Kind
    connection: duckdb.DuckDBPyConnection
    marts: str = "mart"

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts; ConfigError when the file is damaged, else TransientError."""
        try:
            found = self.connection.execute(sql, list(values))
            names = [column[0].lower() for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        except duckdb.Error as error:
            if is_damage(self.path, error):
                raise _unreadable(self.path, self.kind, error) from error
            raise TransientError(first_line(error), step=Step.TRY_AGAIN) from error


@contextmanager
def open_read_only(path: Path, kind: Kind) -> Iterator[ReadOnlyDatabase]:
    """Open the file for reading; DatabaseLocked when a writer has it, ConfigError when it is not a DuckDB file."""
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        is_held = isinstance(error, duckdb.ConnectionException) or "lock is held" in str(error)
        if is_held:
            raise DatabaseLocked(f"{path} cannot be read: {first_line(error)}", step=Step.WAIT) from error
        raise _unreadable(path, kind, error) from error
    with connection:
        yield ReadOnlyDatabase(path, kind, connection)


def _unreadable(path: Path, kind: Kind, error: Exception) -> ConfigError:
    # A build publishes a new copy where the published one cannot be read.
    step = Step.BUILD if kind == "published" else Step.RESTORE
    return ConfigError(f"{path} cannot be read: {first_line(error)}", step=step)
