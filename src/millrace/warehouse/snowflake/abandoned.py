"""Transactions that a dead process left open, and that hold the locks of those to come.

Snowflake ends such a transaction by itself only after minutes or hours. It lists to a user the transactions of this
user alone, and lets the user abort them (https://docs.snowflake.com/en/sql-reference/functions/system_abort_transaction).
So a builder never aborts a loader's transaction, which has another user, nor a loader a builder's. Where one user does
everything, a load that is aborted has changed nothing and is delivered again.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from millrace import log
from millrace.errors import ConfigError, TerminalError

Execute = Callable[..., list[tuple[Any, ...]]]
LOADS_LIVE_S = 900.0
"""No transaction of a load is older: a function ends after ten minutes (terraform/modules/service/variables.tf)."""


def running(execute: Execute) -> dict[int, datetime]:
    """Return the open transactions of this user, in all sessions, by when they began."""
    return {int(row[0]): row[4] for row in execute("SHOW TRANSACTIONS")}


def begun_before(execute: Execute, seconds: float) -> list[int]:
    """Return the open transactions of this user that began so long ago; this session has none of its own."""
    begun = running(execute)
    if not begun:
        return []
    now = execute("SELECT CURRENT_TIMESTAMP()")[0][0]  # of the server, as those of the transactions are
    return [number for number, at in begun.items() if (now - at).total_seconds() >= seconds]


def abort(execute: Execute, numbers: Iterable[int]) -> bool:
    """Abort transactions and return whether there were any; one that has ended meanwhile stays as it ended.

    A statement that commits by itself is listed too, and cannot be aborted: it ends alone, so a refusal is only logged.
    """
    has_aborted = False
    for number in numbers:
        try:
            answer = execute(f"SELECT SYSTEM$ABORT_TRANSACTION({number:d})")[0][0]
        except (ConfigError, TerminalError) as error:
            log.warning("transaction not aborted", transaction=number, error=str(error))
        else:
            log.warning("transaction of another session aborted", transaction=number, answer=answer)
            has_aborted = True
    return has_aborted
