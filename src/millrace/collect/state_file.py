"""The SQLite file of the collector's state: opened, brought up to date, with SQLite's errors translated."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from millrace.errors import ConfigError, MillraceError, TransientError

FILE = "state.sqlite"
_CACHE_KIB = 32 << 10
# Errors that may be gone at another attempt: https://www.sqlite.org/rescode.html, the primary codes.
_PASSING = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    )
)
_NOT_WRITABLE = frozenset((sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH))


class StateFile:
    """The file of a state. Writes become durable with `commit`, all or none.

    Every error is a TransientError when another attempt may succeed (no space, locked), else a ConfigError that
    contains how to repair the state.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Path, ddl: str) -> None:
        self._connection, self._folder = connection, folder
        with self.naming():
            connection.executescript(ddl)
            connection.execute(
                f"pragma cache_size = -{_CACHE_KIB}"
            )  # fits a batch's pages, so that none is written twice

    @classmethod
    def open(cls, folder: Path, ddl: str) -> Self:
        """Open the file of a state folder, or create it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _translate_errors(folder):
            connection = sqlite3.connect(folder / FILE, isolation_level=None)
        return cls._opened(connection, folder, ddl)

    @classmethod
    def copy(cls, folder: Path, ddl: str) -> Self:
        """Return an in-memory copy of the file of a state folder; the folder is not written to."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        if (folder / FILE).exists():
            with _translate_errors(folder), closing(sqlite3.connect(folder / FILE)) as source:
                source.backup(connection)
        return cls._opened(connection, folder, ddl)

    @classmethod
    def look(cls, folder: Path, ddl: str, patience_s: float) -> Self:
        """Open the file of a state folder only for reading; wait at most `patience_s` for a writer."""
        with _translate_errors(folder):
            uri = f"{(folder / FILE).absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, patience_s, isolation_level=None, uri=True)
        return cls._opened(connection, folder, ddl)

    @classmethod
    def _opened(cls, connection: sqlite3.Connection, folder: Path, ddl: str) -> Self:
        try:
            return cls(connection, folder, ddl)
        except BaseException:
            connection.close()
            raise

    @property
    def folder(self) -> Path:
        """The folder of the state."""
        return self._folder

    def close(self) -> None:
        """Close the file; uncommitted writes are undone."""
        self._connection.close()

    def query(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.naming():
            return self._connection.execute(sql, values).fetchall()

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query as they are read."""
        with self.naming():
            yield from self._connection.execute(sql, values)

    def write(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> int | None:
        """Execute a statement within a transaction; return the number of the row that it inserted."""
        self.begin()
        with self.naming():
            return self._connection.execute(sql, values).lastrowid

    def write_all(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute a statement for each row, within a transaction."""
        self.begin()
        with self.naming():
            self._connection.executemany(sql, rows)

    def begin(self) -> None:
        """Begin a transaction, unless there is one."""
        with self.naming():
            if not self._connection.in_transaction:
                self._connection.execute("begin immediate")

    def commit(self) -> None:
        """Make the writes since the last commit durable."""
        with self.naming():
            if self._connection.in_transaction:
                self._connection.execute("commit")

    def roll_back(self) -> None:
        """Undo the writes since the last commit."""
        with self.naming():
            if self._connection.in_transaction:
                self._connection.execute("rollback")

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Turn errors of SQLite into errors of this project."""
        with _translate_errors(self._folder):
            yield

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """Turn errors caused by damaged values of the file into a ConfigError."""
        try:
            yield
        except (ValueError, TypeError, KeyError, IndexError, ArithmeticError) as error:
            raise _damaged(self._folder, error) from error


@contextmanager
def _translate_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the second: a message of SQLite quotes damaged text
        raise _named(folder, error) from error


def _named(folder: Path, error: Exception) -> MillraceError:
    code = getattr(error, "sqlite_errorcode", None)  # errors of Python's sqlite3 module itself have none
    primary = None if code is None else code & 0xFF
    if primary in _PASSING:
        return TransientError(f"the state in {folder} cannot be read or written now: {error}; nothing is lost")
    if primary in _NOT_WRITABLE:
        advice = "make the folder writable, or name another in MILLRACE_COLLECT_STATE"
        return ConfigError(f"the state in {folder} cannot be written: {error}; {advice}")
    return _damaged(folder, error)


def _damaged(folder: Path, error: Exception) -> ConfigError:
    return ConfigError(f"the state in {folder} is damaged: {error}; remove {FILE} there, and all logs are read again")
