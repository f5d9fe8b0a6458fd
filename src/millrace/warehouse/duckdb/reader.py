"""Reads of the published DuckDB file, while newer ones take its place.

A publication renames a new file over the old one. A read that has the old file open continues in it, and the next one
opens the new file beside it. DuckDB shares files that were opened by the same path, and resolves links. But a database
in memory is private, and a file attached to it is opened by itself, whatever else this process has open at that path.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from millrace.errors import ConfigError, Step, TransientError, first_line
from millrace.warehouse import BuildRow
from millrace.warehouse.duckdb import builds
from millrace.warehouse.reading import Answer, Engine, NothingYet, Snapshot, as_dicts, by_table

_TRIES = 20
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'published' AND schema_name = 'mart'"
_COLUMNS = (
    "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'published' AND schema_name = 'mart'"
)
# After these errors DuckDB may refuse the file until it is opened again.
_BREAKING = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)


class DuckDBReader:
    """A Reader (see the protocol) of the file `published_path`; threads may share it, each query has its own cursor.

    `memory_limit` is for one file: while a newer one is read already and an older one still, it counts twice. What
    does not fit is written to disk beside the file. `threads` is the number of computing threads besides the caller's.
    """

    def __init__(self, published_path: Path, memory_limit: str = "400MB", threads: int = 2) -> None:
        self._path = published_path
        self._settings = {"memory_limit": memory_limit, "threads": str(threads)}
        self._lock = threading.Lock()
        self._current: _Published | None = None

    def version(self) -> str:
        """Return the name of the current file, at the cost of a stat; NothingYet when there is none."""
        version = self._seen()
        if version is None:
            raise NothingYet(f"{self._path} is not there yet: nothing was built", step=Step.BEGIN)
        return version

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        """Return the result of `work` over the current file."""
        published = self._take()
        try:
            return work(published)
        finally:
            self._give_back(published)

    def close(self) -> None:
        """Close the file, or let its last read close it."""
        with self._lock:
            self._retire()

    def _seen(self) -> str | None:
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be read: {error.strerror}; see who owns it") from error
        return f"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"

    def _take(self) -> "_Published":
        with self._lock:
            current = self._current
            if current is None or current.is_broken or current.version != self.version():
                self._retire()
                current = self._current = self._open()
            current.users += 1
            return current

    def _give_back(self, published: "_Published") -> None:
        with self._lock:
            published.users -= 1
            if published is not self._current and not published.users:
                published.connection.close()

    def _retire(self) -> None:
        """Hand out the open file no longer, and close it if unused; the caller holds the lock."""
        retired, self._current = self._current, None
        if retired is not None and not retired.users:
            retired.connection.close()

    def _open(self) -> "_Published":
        """Open the current file, whose name must be the same before and after."""
        for _ in range(_TRIES):
            version = self.version()
            connection = duckdb.connect(":memory:", config=self._config(version))
            try:
                _attach(connection, self._path)
                if self._seen() == version:
                    return _published(connection, self._path, version)
                connection.close()
            except duckdb.Error as error:
                connection.close()
                if self._seen() == version:
                    raise ConfigError(f"{self._path} cannot be read: {first_line(error)}", step=Step.BUILD) from error
            except BaseException:
                connection.close()
                raise
        raise TransientError(f"{self._path} was replaced {_TRIES} times while it was opened", step=Step.TRY_AGAIN)

    def _config(self, version: str) -> dict[str, Any]:
        return {
            **self._settings,
            "temp_directory": f"{self._path}.{version}.tmp",  # created when it is needed
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # a name in SQL never is a Python variable
        }


@dataclass(slots=True)
class _Published:
    """One open published file; all reads share it, and the reader counts them."""

    connection: duckdb.DuckDBPyConnection
    path: Path
    version: str
    build: BuildRow
    tables: frozenset[str]
    columns: Mapping[str, frozenset[str]]
    engine: Engine = "duckdb"
    schema: str = "mart"
    users: int = 0
    is_broken: bool = False

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts."""
        try:
            with _cursor(self.connection) as cursor:
                cursor.execute(sql, list(values))
                return as_dicts([column[0] for column in cursor.description or ()], cursor.fetchall())
        except (duckdb.ProgrammingError, duckdb.DataError) as error:
            raise ConfigError(f"{self.path} cannot answer: {first_line(error)}", step=Step.REBUILD) from error
        except duckdb.Error as error:
            self.is_broken = self.is_broken or isinstance(error, _BREAKING)
            raise TransientError(f"{self.path}: {first_line(error)}", step=Step.TRY_AGAIN) from error


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS published (READ_ONLY)")


def _published(connection: duckdb.DuckDBPyConnection, path: Path, version: str) -> _Published:
    for setting in ("GLOBAL TimeZone = 'UTC'", "enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    with _cursor(connection) as cursor:
        build = next(iter(builds.last(cursor, 1)), None)
        if build is None:
            raise ConfigError(f"{path} holds no build", step=Step.BUILD)
        tables = frozenset(name.lower() for (name,) in cursor.execute(_TABLES).fetchall())
        columns = by_table(cursor.execute(_COLUMNS).fetchall())
    return _Published(connection, path, version, build, tables, columns)


@contextmanager
def _cursor(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a cursor for one thread, in which names are those of the published file."""
    with connection.cursor() as cursor:
        cursor.execute("USE published")
        yield cursor
