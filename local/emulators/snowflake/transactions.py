"""The transactions of an account: https://docs.snowflake.com/en/sql-reference/transactions.

A transaction belongs to one session. BEGIN in an active one is ignored; COMMIT and ROLLBACK without one do nothing; a
statement that defines an object commits it first.
"""

import threading
from dataclasses import dataclass
from datetime import datetime

from emulators.snowflake.clock import Clock

_NS = 1_000_000_000


@dataclass(eq=False, slots=True)
class Transaction:
    """A transaction that is active."""

    number: int  # its id: when it began, in nanoseconds
    session: int
    user: str
    name: str
    began: datetime
    is_explicit: bool
    """Whether it lasts longer than a statement: only such a one can be aborted by its id."""
    used_s: float
    """When its last statement ended, by the monotonic clock."""
    is_running: bool = False
    """Whether one of its statements runs, or waits."""
    is_in_duckdb: bool = False
    has_written: bool = False
    is_aborted: bool = False


class Transactions:
    """The active transactions. `changed` guards them and all locks, and is notified when one of them ends."""

    def __init__(self, clock: Clock) -> None:
        self.changed = threading.Condition()
        self.active: dict[int, Transaction] = {}
        self._clock = clock
        self._last = 0

    def begin(self, session: int, user: str, name: str, is_explicit: bool) -> Transaction:
        """Return a new transaction."""
        with self.changed:
            now = self._clock.now()
            self._last = max(self._last + 1, int(now.timestamp() * 1000) * (_NS // 1000))
            used_s = self._clock.monotonic()
            begun = Transaction(self._last, session, user, name or _name(self._last), now, is_explicit, used_s)
            self.active[begun.number] = begun
            return begun

    def end(self, transaction: Transaction) -> None:
        """Forget a transaction that was committed or rolled back."""
        with self.changed:
            self.active.pop(transaction.number, None)
            self.changed.notify_all()


def _name(number: int) -> str:
    """Return the name of a transaction that was given none."""
    return f"{number:032x}"
