"""The step about the write lock: two sessions update META.TURN."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error
from tests.verify_snowflake.checking import Unexpected, expect
from tests.verify_snowflake.place import Place

from millrace.errors import first_line
from millrace.warehouse.snowflake.session import connect

WAIT_S = 5
_LOCK_TIMEOUT = 625
_TURN = "UPDATE META.TURN SET TAKEN_AT = SYSDATE()"
_SLACK_S = 3.0


def turn(place: Place) -> Iterator[str]:
    """Let a second transaction wait for the first; then abort the first, and end a session in its transaction."""
    place.emptied().close()
    with closing(_open(place)) as one, closing(_open(place)) as other:
        ((rows,),) = _do(one, "SELECT COUNT(*) FROM META.TURN")
        if not rows:
            _do(one, "INSERT INTO META.TURN (TAKEN_AT) SELECT SYSDATE()")
        yield from _waits(one, other)
        yield from _is_aborted(one, other)
    yield from _ends_with_its_session(place)


def _waits(one: SnowflakeConnection, other: SnowflakeConnection) -> Iterator[str]:
    _do(one, "BEGIN")
    _do(one, _TURN)
    _do(other, "BEGIN")
    began, errno, said = time.monotonic(), 0, "it did not wait"
    try:
        _do(other, _TURN)
    except Error as error:
        errno, said = error.errno or 0, first_line(error)
    waited_s = time.monotonic() - began
    _do(other, "ROLLBACK")
    yield f"the second transaction waited {waited_s:.1f} s with LOCK_TIMEOUT = {WAIT_S}: error {errno}, {said}"
    expect("the error of a lock that is waited for too long", errno, _LOCK_TIMEOUT)
    if waited_s < WAIT_S * 0.8:
        raise Unexpected(f"the second transaction: expected to wait {WAIT_S} s, got {waited_s:.1f} s")


def _is_aborted(one: SnowflakeConnection, other: SnowflakeConnection) -> Iterator[str]:
    """Abort the transaction of one session from the other, as a builder does with a dead one's."""
    session = _do(one, "SELECT CURRENT_SESSION()")[0][0]
    with other.cursor() as cursor:
        cursor.execute("SHOW TRANSACTIONS")
        names = [column.name.lower() for column in cursor.description]
        shown = [dict(zip(names, map(str, row), strict=True)) for row in cursor.fetchall()]
    yield f"SHOW TRANSACTIONS has {', '.join(names)}; {len(shown)} are open"
    held = [each for each in shown if each["session"] == str(session)]
    expect("open transactions of the first session", len(held), 1)
    (answer,) = _do(other, f"SELECT SYSTEM$ABORT_TRANSACTION({held[0]['id']})")[0]
    began = time.monotonic()
    _do(other, "BEGIN")
    _do(other, _TURN)
    _do(other, "ROLLBACK")
    yield f"SYSTEM$ABORT_TRANSACTION answers {answer!r}; the lock was free {time.monotonic() - began:.1f} s later"


def _ends_with_its_session(place: Place) -> Iterator[str]:
    """End a session that holds the lock, and measure when the lock is free."""
    one = _open(place)
    _do(one, "BEGIN")
    _do(one, _TURN)
    one.close()
    began = time.monotonic()
    with closing(_open(place)) as other:
        _do(other, _TURN)
    waited_s = time.monotonic() - began
    yield f"after the end of a session in its transaction the lock was free within {waited_s:.1f} s"
    if waited_s > WAIT_S + _SLACK_S:
        raise Unexpected(f"the lock of an ended session: expected within {WAIT_S} s, got {waited_s:.1f} s")


def _open(place: Place) -> SnowflakeConnection:
    return connect(place.address, LOCK_TIMEOUT=WAIT_S)


def _do(connection: SnowflakeConnection, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]
