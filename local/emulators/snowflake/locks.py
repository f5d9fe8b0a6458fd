"""The locks on tables: https://docs.snowflake.com/en/sql-reference/transactions, "Resource locking".

UPDATE, DELETE, MERGE, TRUNCATE and INSERT OVERWRITE lock their table until the transaction ends. Another statement that
needs the lock waits, the first one first, for at most LOCK_TIMEOUT seconds; INSERT and COPY need none. A statement that
would close a circle of waiting transactions is the victim of the deadlock: it is aborted, its transaction stays active.
A transaction that blocks another one and is idle for five minutes is aborted (same page, "Aborting transactions").
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from emulators.snowflake.clock import Clock
from emulators.snowflake.names import TableName
from emulators.snowflake.refusals import Refusal
from emulators.snowflake.refused import error_of
from emulators.snowflake.transactions import Transaction, Transactions

MOST_WAITERS = 20
IDLE_S = 300.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a statement may wait: LOCK_TIMEOUT and STATEMENT_TIMEOUT_IN_SECONDS of its session."""

    lock_s: float
    statement_s: float

    @property
    def shorter_s(self) -> float:
        """Return the one that ends first."""
        return min(self.lock_s, self.statement_s)


@dataclass(eq=False, slots=True)
class Lock:
    """A lock that a transaction has, or waits for."""

    table: TableName
    transaction: Transaction
    query: str
    acquired_on: datetime | None = None


class Locks:
    """The locks of an account."""

    def __init__(self, clock: Clock, transactions: Transactions, abort: Callable[[Transaction], None]) -> None:
        self._clock = clock
        self._transactions = transactions
        self._changed = transactions.changed
        self._abort = abort
        self._held: dict[TableName, Lock] = {}
        self._waiting: dict[TableName, list[Lock]] = defaultdict(list)

    def acquire(self, table: TableName, transaction: Transaction, query: str, timeouts: Timeouts) -> None:
        """Lock the table for the transaction; a ProgrammingError when it waits for too long, or may not wait.

        An aborted transaction does not wait, and gets no lock.
        """
        with self._changed:
            held, queue = self._held.get(table), self._waiting[table]
            if held is not None and held.transaction is transaction:
                held.query = query
                return
            lock = Lock(table, transaction, query)
            if held is not None or queue:
                self._refuse_to_wait(lock)
                self._wait(lock, queue, timeouts)
                if transaction.is_aborted:
                    return
            lock.acquired_on = self._clock.now()
            self._held[table] = lock

    def release(self, transaction: Transaction) -> None:
        """Release all locks of a transaction."""
        with self._changed:
            self._held = {table: lock for table, lock in self._held.items() if lock.transaction is not transaction}
            self._changed.notify_all()

    def all(self) -> list[Lock]:
        """Return all locks: those that are held, then those that are waited for."""
        with self._changed:
            return [*self._held.values(), *(lock for queue in self._waiting.values() for lock in queue)]

    def _refuse_to_wait(self, lock: Lock) -> None:
        if len(self._waiting[lock.table]) >= MOST_WAITERS:
            raise error_of(
                self._refusal(lock, f"the number of waiters for this lock exceeds the {MOST_WAITERS} statements limit.")
            )
        if self._closes_a_circle(lock):
            raise error_of(self._refusal(lock, "it is part of a deadlock."))

    def _wait(self, lock: Lock, queue: list[Lock], timeouts: Timeouts) -> None:
        """Wait until the lock is free and this statement is the first in the queue."""
        queue.append(lock)
        deadline = self._clock.monotonic() + timeouts.shorter_s
        try:
            while lock.table in self._held or queue[0] is not lock:
                if lock.transaction.is_aborted:
                    return
                idle_left_s = self._idle_left_s(lock.table)
                left_s = deadline - self._clock.monotonic()
                if idle_left_s <= 0:
                    self._abort(self._held[lock.table].transaction)
                elif left_s <= 0:
                    raise error_of(self._timed_out(lock, timeouts))
                else:
                    self._clock.wait(self._changed, min(left_s, idle_left_s))
        finally:
            queue.remove(lock)
            self._changed.notify_all()

    def _timed_out(self, lock: Lock, timeouts: Timeouts) -> Refusal:
        """Return the answer to a statement that waited for too long; 000630 as in estuary/flow issue 238."""
        if timeouts.lock_s <= timeouts.statement_s:
            return self._refusal(lock)
        said = f"Statement reached its statement or warehouse timeout of {timeouts.statement_s:.0f} second(s) "
        return Refusal(630, "57014", f"{said}and was canceled.")

    def _idle_left_s(self, table: TableName) -> float:
        """Return in how many seconds the holder has been idle for too long."""
        held = self._held.get(table)
        if held is None or held.transaction.is_running or held.transaction.is_aborted:
            return float("inf")
        return held.transaction.used_s + IDLE_S - self._clock.monotonic()

    def _closes_a_circle(self, lock: Lock) -> bool:
        """Return whether the holder of the lock waits, by way of others, for this transaction."""
        waits_for = {waiting.transaction: table for table, queue in self._waiting.items() for waiting in queue}
        held: Lock | None = self._held.get(lock.table)
        while held is not None:
            if held.transaction is lock.transaction:
                return True
            held = self._held.get(waits_for[held.transaction]) if held.transaction in waits_for else None
        return False

    def _refusal(self, lock: Lock, why: str = "") -> Refusal:
        """Return 000625: the first sentence is quoted in brooklyn-data/dbt_artifacts issue 431, as is the limit's."""
        reason = f"\nYour statement '{lock.query}' was aborted because {why}" if why else ""
        first = self._held.get(lock.table) or self._waiting[lock.table][0]
        return Refusal(
            625,
            "57014",
            f"Statement '{first.query}' has locked table '{lock.table.table}' in transaction "
            f"{first.transaction.number} and this lock has not yet been released.{reason}",
        )
