"""The session of a warehouse on Snowflake: its statements, its transactions and the write lock.

A transaction begins by taking the write lock: it updates every row of META.TURN, and a second one waits until the first
ends. The table is empty until the first transaction inserts a row. Two that begin at once may insert two; each later
update includes the first of them, so any number of rows is one lock.
"""

import random
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from snowflake import connector
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import Error

from millrace.errors import ConfigError, MillraceError, TransientError
from millrace.warehouse.snowflake import abandoned
from millrace.warehouse.snowflake.errors import LockHeld, is_of_the_session, to_error
from millrace.warehouse.snowflake.session import (
    LOCK_TIMEOUT_S,
    MORE_THAN_A_STATEMENT_S,
    STATEMENT_TIMEOUT_S,
    Address,
    connect,
)

_TURN = "UPDATE META.TURN SET TAKEN_AT = SYSDATE()"
_FIRST_TURN = "INSERT INTO META.TURN (TAKEN_AT) SELECT SYSDATE()"
_IDLE_S = 240.0  # Snowflake ends a session that is idle for five minutes (terraform/modules/snowflake/users.tf)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_ROWS_AT_ONCE = 10_000


class Statements:
    """One session, one lock for the threads of this process. The next statement opens a session that ended.

    Methods raise what `errors.to_error` says. `monotonic` measures how long a transaction waits for the write lock, in
    seconds.
    """

    def __init__(self, address: Address, sleep: Callable[[float], None], monotonic: Callable[[], float]) -> None:
        self._address = address
        self._sleep = sleep
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._connection: connector.SnowflakeConnection | None = None
        self._used_at = 0.0
        self._holders = 0
        self._session = ""
        self._tag = "millrace"
        self._is_of_a_file = False
        self._timeout_s = STATEMENT_TIMEOUT_S

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; the next use opens another one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(Error, OSError):
                    connection.close()

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; instants are in UTC, without a zone."""
        with self._lock, self._explaining(), self._started(statement, values) as cursor:
            return list(cursor.fetchall())

    def stream(self, query: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query; a few thousand of them are in memory at a time."""
        with self._lock, self._explaining():
            cursor = self._started(query, ())
        with cursor:
            while True:
                with self._lock, self._explaining():
                    rows = cursor.fetchmany(_ROWS_AT_ONCE)
                if not rows:
                    return
                yield from rows

    def _started(self, statement: str, values: tuple[object, ...]) -> SnowflakeCursor:
        bound = [
            value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value for value in values
        ]
        cursor = self._connect().cursor()
        # The client cancels a statement after its own time as well, which is that of the network if none is given.
        limit_s = self._timeout_s + MORE_THAN_A_STATEMENT_S
        cursor.execute(statement, bound or None, timeout=limit_s, _statement_params={"QUERY_TAG": self._tag})
        return cursor

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except Error as error:
            if is_of_the_session(error):
                self.close()
            raise to_error(error, self._is_of_a_file) from error
        finally:
            self._used_at = self._monotonic()

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Keep to one session until the block ends: a transaction and temporary tables end with their session."""
        with self._lock:
            self._connect()
            self._holders += 1
            try:
                yield
            finally:
                self._holders -= 1

    def _connect(self) -> connector.SnowflakeConnection:
        """Return the session; a new one when it may have ended, unless work was begun in it."""
        if not self._holders and self._connection is not None and self._monotonic() - self._used_at > _IDLE_S:
            self.close()
        if self._connection is None:
            if self._holders:
                raise TransientError("Snowflake: the session ended, and what was begun in it with it")
            self._connection = connect(self._address)
            self._session = secrets.token_hex(6).upper()
        return self._connection

    @contextmanager
    def _tagged(self, run_id: str | None) -> Iterator[None]:
        """Tag the statements with their run in the query history."""
        before, self._tag = self._tag, f"millrace {run_id}" if run_id else self._tag
        try:
            yield
        finally:
            self._tag = before

    @contextmanager
    def _of_a_file(self) -> Iterator[None]:
        """Take a value that does not fit for a fault of the file that is loaded."""
        self._is_of_a_file = True
        try:
            yield
        finally:
            self._is_of_a_file = False

    @contextmanager
    def _taking(self, timeout_s: int) -> Iterator[None]:
        """Let each statement of the block take so long, on the server and here. Not within a transaction."""
        set_to = "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {:d}"
        with self._holding():
            self.execute(set_to.format(timeout_s))
            before, self._timeout_s = self._timeout_s, timeout_s
            try:
                yield
            finally:
                self._timeout_s = before
                try:
                    self.execute(set_to.format(before))
                except MillraceError:
                    self.close()  # the next session has the usual time again

    @contextmanager
    def _transaction(self, refuse_older: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the write lock, and commit when the block ends.

        `refuse_older` is that of a build: it raises Fenced when another one may hold the lock by right.
        """
        with self._holding():
            self._take_turn(refuse_older)
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _take_turn(self, refuse_older: Callable[[], None] | None) -> None:
        """Begin a transaction and take the write lock; nothing was done before, so a retry does no harm.

        Snowflake answers after LOCK_TIMEOUT, or at once when twenty statements wait. So the time is measured around the
        statements: after LOCK_TIMEOUT_S in all, a transaction that a dead process left is aborted, and the lock tried
        once more; without one, LockHeld is raised.
        """
        began, pause_s, has_aborted = self._monotonic(), _FIRST_PAUSE_S, False
        while True:
            try:
                if self._update_turn():
                    return
            except LockHeld:
                if self._monotonic() - began >= LOCK_TIMEOUT_S:
                    if has_aborted or not self._abort_dead(refuse_older):
                        raise
                    has_aborted = True
                    continue
            else:
                self.execute(_FIRST_TURN)
                continue
            self._sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - only so that waiters do not keep in step
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _update_turn(self) -> bool:
        """Begin a transaction and take the write lock in it; return False, without one, while META.TURN is empty."""
        self.execute("BEGIN")
        try:
            has_taken = self.execute(_TURN)[0][0] >= 1
        except BaseException:
            self._roll_back()
            raise
        if not has_taken:
            self._roll_back()
        return bool(has_taken)

    def _abort_dead(self, refuse_older: Callable[[], None] | None) -> bool:
        if refuse_older is None:
            return abandoned.abort(self.execute, abandoned.begun_before(self.execute, abandoned.LOADS_LIVE_S))
        refuse_older()
        return abandoned.abort(self.execute, abandoned.begun_before(self.execute, LOCK_TIMEOUT_S))

    def _roll_back(self) -> None:
        """Roll back the transaction; if that fails, end the session, which rolls back too."""
        try:
            self.execute("ROLLBACK")
        except (TransientError, ConfigError):
            self.close()
