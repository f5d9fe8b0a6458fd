"""Locks on tables in the emulator of Snowflake: who waits, for how long, and what is answered in the end.

https://docs.snowflake.com/en/sql-reference/transactions, "Resource locking"
"""

import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from tests.contract import on_snowflake

from emulators import snowflake
from emulators.snowflake.clock import JumpingClock
from millrace.warehouse.snowflake.session import connect

OTHER = "UPDATE RAW.OTHER SET TAKEN = TAKEN + 1"
UPDATE = "UPDATE RAW.TURN SET TAKEN = TAKEN + 1"
LOCKED = r"Statement '[^']+' has locked table 'TURN' in transaction \d{19} and this lock has not yet been released\."


class Sessions:
    """Sessions of one database; statements that wait have a thread."""

    def __init__(self, where: str, stack: ExitStack) -> None:
        self._address = on_snowflake.new_database(where)
        self._stack = stack
        self._threads = stack.enter_context(ThreadPoolExecutor(30))
        self.first, self._watching = self.open(), self.open()
        run(self.first, "CREATE TABLE RAW.TURN (TAKEN NUMBER)")
        run(self.first, "INSERT INTO RAW.TURN VALUES (0)")
        run(self.first, "CREATE TABLE RAW.OTHER AS SELECT 0 AS TAKEN")

    def open(self, lock_timeout_s: int = 60, statement_timeout_s: int = 3600) -> SnowflakeConnection:
        opened = connect(self._address, statement_timeout_s=statement_timeout_s, LOCK_TIMEOUT=lock_timeout_s)
        return self._stack.enter_context(opened)

    def until_waiting(self, statements: int) -> None:
        """Return when this number of statements waits for a lock."""
        began = time.monotonic()
        while sum(row[4] == "WAITING" for row in run(self._watching, "SHOW LOCKS")) < statements:
            if time.monotonic() - began > 30:
                raise TimeoutError(f"no {statements} statements wait for a lock")
            threading.Event().wait(0.02)

    def start(self, session: SnowflakeConnection, statement: str) -> Future[list[tuple[object, ...]]]:
        return self._threads.submit(run, session, statement)


def run(session: SnowflakeConnection, statement: str) -> list[tuple[object, ...]]:
    with session.cursor() as cursor:
        return list(cursor.execute(statement))  # type: ignore[arg-type]


@pytest.fixture
def sessions(snowflake_at: str) -> Iterator[Sessions]:
    with ExitStack() as stack:
        yield Sessions(snowflake_at, stack)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(UPDATE, id="update"),
        pytest.param("DELETE FROM RAW.TURN WHERE TAKEN = 7", id="delete"),
        pytest.param(
            "MERGE INTO RAW.TURN AS t USING (SELECT 0 AS TAKEN) AS n ON t.TAKEN = n.TAKEN "
            "WHEN MATCHED THEN UPDATE SET TAKEN = 1",
            id="merge",
        ),
    ],
)
def test_statement_waits_for_lock_timeout_then_is_aborted(sessions: Sessions, statement: str) -> None:
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    second = sessions.open(lock_timeout_s=1)
    began = time.monotonic()
    with pytest.raises(ProgrammingError) as refused:
        run(second, statement)
    assert 1 <= time.monotonic() - began < 20
    assert (refused.value.errno, refused.value.sqlstate) == (625, "57014")
    assert re.search(LOCKED, str(refused.value.msg))


def test_waiting_statement_goes_on_after_commit_and_reads_what_was_committed(sessions: Sessions) -> None:
    second = sessions.open()
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    run(second, "BEGIN")
    waiting = sessions.start(second, UPDATE)
    with pytest.raises(TimeoutError):
        waiting.result(0.3)
    run(sessions.first, "COMMIT")
    assert waiting.result(20) == [(1, 0)]
    assert run(second, "SELECT TAKEN FROM RAW.TURN") == [(2,)]


def test_statements_that_need_no_lock_do_not_wait(sessions: Sessions) -> None:
    second = sessions.open(lock_timeout_s=0)
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    assert run(second, "SELECT TAKEN FROM RAW.TURN") == [(0,)]
    assert run(second, "INSERT INTO RAW.TURN VALUES (9)") == [(1,)]
    assert run(second, OTHER) == [(1, 0)]
    assert run(second, "SHOW TABLES IN SCHEMA RAW")


def test_lock_timeout_of_zero_does_not_wait(sessions: Sessions) -> None:
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    with pytest.raises(ProgrammingError, match=LOCKED):
        run(sessions.open(lock_timeout_s=0), UPDATE)


def test_aborted_statement_leaves_its_transaction_active(sessions: Sessions) -> None:
    second = sessions.open(lock_timeout_s=0)
    run(second, "BEGIN")
    run(second, OTHER)
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    with pytest.raises(ProgrammingError, match=LOCKED):
        run(second, UPDATE)
    run(sessions.first, "ROLLBACK")
    run(second, UPDATE)
    run(second, "COMMIT")
    assert run(sessions.first, "SELECT t.TAKEN, o.TAKEN FROM RAW.TURN AS t, RAW.OTHER AS o") == [(1, 1)]


def test_lock_is_held_after_rollback_by_the_first_that_waited(sessions: Sessions) -> None:
    second, third = sessions.open(), sessions.open()
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    run(second, "BEGIN")
    waiting = sessions.start(second, UPDATE)
    sessions.until_waiting(1)
    behind = sessions.start(third, UPDATE)
    sessions.until_waiting(2)
    run(sessions.first, "ROLLBACK")
    assert waiting.result(20) == [(1, 0)]
    assert not behind.done()
    run(second, "COMMIT")
    assert behind.result(20) == [(1, 0)]
    assert run(sessions.first, "SELECT TAKEN FROM RAW.TURN") == [(2,)]


def test_twenty_first_waiter_is_aborted_at_once(sessions: Sessions) -> None:
    run(sessions.first, "BEGIN")
    run(sessions.first, UPDATE)
    waiting = [sessions.start(sessions.open(), UPDATE) for _ in range(20)]
    sessions.until_waiting(20)
    with pytest.raises(ProgrammingError) as refused:
        run(sessions.open(), UPDATE)
    assert refused.value.errno == 625
    assert "the number of waiters for this lock exceeds the 20 statements limit." in str(refused.value.msg)
    run(sessions.first, "COMMIT")
    assert [each.result(30) for each in waiting] == [[(1, 0)]] * 20
    assert run(sessions.first, "SELECT TAKEN FROM RAW.TURN") == [(21,)]


def test_last_statement_of_a_deadlock_is_aborted(sessions: Sessions) -> None:
    second = sessions.open()
    for session, statement in ((sessions.first, UPDATE), (second, OTHER)):
        run(session, "BEGIN")
        run(session, statement)
    waiting = sessions.start(sessions.first, OTHER)
    sessions.until_waiting(1)
    with pytest.raises(ProgrammingError) as refused:
        run(second, UPDATE)
    assert (refused.value.errno, refused.value.sqlstate) == (625, "57014")
    run(second, "ROLLBACK")
    assert waiting.result(20) == [(1, 0)]


def test_waiting_takes_simulated_time_on_a_simulated_clock() -> None:
    clock = JumpingClock()
    with snowflake.serving(clock=clock) as where, ExitStack() as stack:
        sessions = Sessions(where, stack)
        run(sessions.first, "BEGIN")
        run(sessions.first, UPDATE)
        began = clock.monotonic()
        with pytest.raises(ProgrammingError, match=LOCKED):
            run(sessions.open(lock_timeout_s=60), UPDATE)
        assert clock.monotonic() - began == 60


def test_transaction_that_blocks_and_is_idle_for_five_minutes_is_aborted() -> None:
    clock = JumpingClock()
    with snowflake.serving(clock=clock) as where, ExitStack() as stack:
        sessions = Sessions(where, stack)
        run(sessions.first, "BEGIN")
        run(sessions.first, UPDATE)
        began = clock.monotonic()
        assert run(sessions.open(lock_timeout_s=3600), UPDATE) == [(1, 0)]
        assert clock.monotonic() - began == 300
        with pytest.raises(ProgrammingError, match="was aborted"):
            run(sessions.first, "COMMIT")
        assert run(sessions.first, "SELECT TAKEN FROM RAW.TURN") == [(1,)]


def test_reads_of_a_transaction_see_what_was_committed_before_each(sessions: Sessions) -> None:
    second = sessions.open()
    run(second, "BEGIN")
    assert run(second, "SELECT TAKEN FROM RAW.TURN") == [(0,)]
    run(sessions.first, UPDATE)
    assert run(second, "SELECT TAKEN FROM RAW.TURN") == [(1,)]
    assert run(second, UPDATE) == [(1, 0)]
    run(second, "COMMIT")
    assert run(sessions.first, "SELECT TAKEN FROM RAW.TURN") == [(2,)]


def test_statement_timeout_ends_a_wait_too() -> None:
    with snowflake.serving(clock=JumpingClock()) as where, ExitStack() as stack:
        sessions = Sessions(where, stack)
        run(sessions.first, "BEGIN")
        run(sessions.first, UPDATE)
        with pytest.raises(ProgrammingError, match="timeout of 30 second") as refused:
            run(sessions.open(lock_timeout_s=60, statement_timeout_s=30), UPDATE)
        assert (refused.value.errno, refused.value.sqlstate) == (630, "57014")
