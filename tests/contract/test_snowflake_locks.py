"""Locks on tables in the emulator of Snowflake: who waits, for how long, and what is answered in the end.

https://docs.snowflake.com/en/sql-reference/transactions, "Resource locking"
"""

import re
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from tests.contract import on_snowflake

from millrace.warehouse.snowflake.session import connect

UPDATE = "UPDATE RAW.TURN SET TAKEN = TAKEN + 1"
LOCKED = r"Statement '[^']+' has locked table 'TURN' in transaction \d{19} and this lock has not yet been released\."


class Sessions:
    """Sessions of one database, each with a thread that runs its statements."""

    def __init__(self, where: str, stack: ExitStack) -> None:
        self._address = on_snowflake.address_of(where, f"L{secrets.token_hex(6).upper()}")
        self._stack = stack
        self._threads = stack.enter_context(ThreadPoolExecutor(30))
        self.first = self.open()
        run(self.first, "CREATE TABLE RAW.TURN (TAKEN NUMBER)")
        run(self.first, "INSERT INTO RAW.TURN VALUES (0)")

    def open(self, lock_timeout_s: int = 60) -> SnowflakeConnection:
        return self._stack.enter_context(connect(self._address, LOCK_TIMEOUT=lock_timeout_s))

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
