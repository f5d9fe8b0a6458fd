"""Reads of the schema PUBLISHED on Snowflake, while publications are committed between two statements of a read.

A statement sees what was committed before it, so a read of several could mix two publications. Each commits with its
row of META.PUBLISHED, and none returns. If that row is the same before and after a read, the whole read was of that
one.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from snowflake import connector
from snowflake.connector.errors import Error

from millrace.errors import ConfigError, Step, TransientError
from millrace.warehouse import BuildRow
from millrace.warehouse.reading import Answer, Engine, NothingYet, Snapshot, as_dicts, by_table
from millrace.warehouse.snowflake import builds
from millrace.warehouse.snowflake.errors import is_of_the_session, to_error
from millrace.warehouse.snowflake.session import Address, connect

_TRIES = 3
_FRESH_S = 2.0
_STATEMENT_TIMEOUT_S = 30
_WAIT_S = 30.0
_NOW = "SELECT NUMBER, TOKEN FROM META.PUBLISHED"
_TABLES = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLISHED'"
_COLUMNS = "SELECT TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'PUBLISHED'"


class SnowflakeReader:
    """A Reader (see the protocol) on Snowflake, as the user and by the role of `address`; threads share `sessions`.

    A thread that finds all of them in use waits for half a minute, then raises TransientError. A session that the
    server ended is opened again, and its statement tried once more. `tag` identifies the reads in the query history.
    """

    def __init__(
        self,
        address: Address,
        sessions: int = 4,
        tag: str = "millrace reader",
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = _WAIT_S,
    ) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._sessions = sessions
        self._free: queue.LifoQueue[_Session] = queue.LifoQueue()  # the one used last is the least likely to have ended
        for _ in range(sessions):
            self._free.put(_Session(address, tag))
        self._closings = 0
        self._looking, self._noting = threading.Lock(), threading.Lock()
        self._seen: _Seen | None = None
        self._published: _Published | None = None

    def version(self) -> str:
        """Return the name of the publication, two seconds old at most; NothingYet when there is none."""
        with self._looking:  # one thread queries, the others reuse its result
            seen = self._seen
            if seen is not None and self._clock() - seen.at_s <= _FRESH_S:
                return seen.version
            with self._session() as session:
                return self._look(session)

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        """Return the result of `work` over the newest publication; TransientError when a newer one met each attempt.

        An error while a publication is committed is retried as well: the mixture may have caused it.
        """
        version = self.version()
        for _ in range(_TRIES):
            with self._session() as session:
                try:
                    published = self._publication(session, version)
                    answer = work(_Snapshot(session, published))
                except TransientError:
                    raise
                except Exception:
                    before, version = version, self._look(session)
                    if version == before:
                        raise
                else:
                    before, version = version, self._look(session)
                    if version == before:
                        self._published = published
                        return answer
        raise TransientError(
            f"Snowflake: {_TRIES} publications were committed while this was read", step=Step.TRY_AGAIN
        )

    def close(self) -> None:
        """End the sessions, those in use when their reads end; the next use opens others."""
        self._closings += 1
        free: list[_Session] = []
        with suppress(queue.Empty):
            while True:
                free.append(self._free.get_nowait())
        for session in free:
            session.close()
            self._free.put(session)

    @contextmanager
    def _session(self) -> Iterator["_Session"]:
        closings = self._closings
        try:
            session = self._free.get(timeout=self._patience_s)
        except queue.Empty:
            said = f"Snowflake: all {self._sessions} sessions were in use for {self._patience_s:.0f} s"
            raise TransientError(said, step=Step.TRY_AGAIN) from None
        try:
            yield session
        finally:
            if self._closings != closings:
                session.close()
            self._free.put(session)

    def _look(self, session: "_Session") -> str:
        """Query what is published, and remember the newest result of all threads."""
        at_s = self._clock()
        rows = session.execute(_NOW)
        if not rows:
            raise NothingYet("nothing is published on Snowflake yet", step=Step.BEGIN)
        version = f"{rows[0][0]}-{rows[0][1]}"
        with self._noting:
            if self._seen is None or self._seen.at_s <= at_s:
                self._seen = _Seen(version, at_s)
        return version

    def _publication(self, session: "_Session", version: str) -> "_Published":
        """Return the data of a publication; a new query counts once `read` found the version unchanged."""
        known = self._published
        if known is not None and known.version == version:
            return known
        build = builds.published(session.execute)
        if build is None:
            raise ConfigError("META.PUBLISHED names a build that META.BUILDS does not have", step=Step.BUILD)
        tables = frozenset(str(name).lower() for (name,) in session.execute(_TABLES))
        columns = by_table((str(table), str(column)) for table, column in session.execute(_COLUMNS))
        return _Published(version, build, tables, columns)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The version that was published at an instant, or after it."""

    version: str
    at_s: float


@dataclass(frozen=True, slots=True)
class _Published:
    """The constant data of a publication."""

    version: str
    build: BuildRow
    tables: frozenset[str]
    columns: Mapping[str, frozenset[str]]


class _Snapshot:
    """The snapshot of a read: a publication, until another is committed, and a session to query it."""

    engine: Engine = "snowflake"
    schema = "PUBLISHED"

    def __init__(self, session: "_Session", published: _Published) -> None:
        self._session = session
        self.version = published.version
        self.build = published.build
        self.tables = published.tables
        self.columns = published.columns

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts."""
        return self._session.query(sql, values)


class _Session:
    """One session, opened at its first statement and again when the server ended it; for one thread at a time."""

    def __init__(self, address: Address, tag: str) -> None:
        self._address = address
        self._tag = tag
        self._connection: connector.SnowflakeConnection | None = None

    def close(self) -> None:
        """End the session; the next statement opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Error, OSError):
                connection.close()

    def query(self, sql: str, values: Sequence[object]) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts."""
        return as_dicts(*self._ask(sql, values))

    def execute(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of one of our own queries as they are."""
        return self._ask(sql, values)[1]

    def _ask(self, sql: str, values: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        bound = [_naive(value) for value in values]
        try:
            try:
                return self._ask_once(sql, bound)
            except Error as error:
                if not is_of_the_session(error):
                    raise
            self.close()
            return self._ask_once(sql, bound)
        except Error as error:
            if is_of_the_session(error):
                self.close()
            raise to_error(error, step=Step.TRY_AGAIN) from error

    def _ask_once(self, sql: str, values: list[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        if self._connection is None:
            self._connection = connect(
                self._address,
                "PUBLISHED",
                _STATEMENT_TIMEOUT_S,
                QUERY_TAG=self._tag,
                STATEMENT_QUEUED_TIMEOUT_IN_SECONDS=_STATEMENT_TIMEOUT_S,
                USE_CACHED_RESULT=True,
            )
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return [column.name for column in cursor.description], list(cursor.fetchall())


def _naive(value: object) -> object:
    """Return an instant as the tables store it: in UTC, without a zone."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
