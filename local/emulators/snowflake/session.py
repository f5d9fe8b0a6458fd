"""A session: its user, its parameters, and the transaction that its statements run in.

DuckDB reads what was committed when its own transaction began, Snowflake what was committed when the statement began.
So DuckDB's transaction begins with the first statement that needs it, after the lock was waited for, and begins again
before each statement as long as it has changed nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
from sqlglot import exp

from emulators.snowflake import clones, kinds
from emulators.snowflake.account import Account, Values
from emulators.snowflake.names import name_of
from emulators.snowflake.refusals import Refusal
from emulators.snowflake.refused import error_of
from emulators.snowflake.statements import Part, Statement
from emulators.snowflake.transactions import Transaction

Run = Callable[[str], Any]
_DONE = "SELECT 'Statement executed successfully.' AS \"status\""


class Session:
    """A session of an account; it runs one statement at a time."""

    def __init__(self, account: Account, connection: Any, user: str, role: str, parameters: Values) -> None:
        self.account = account
        self.number = account.next_session()
        self.user = user
        self.role = role
        self.transaction: Transaction | None = None
        self._connection = connection
        self._parameters = parameters
        self._running = threading.Lock()
        account.sessions[self.number] = self

    def parameter(self, name: str) -> str:
        """Return a parameter: that of the session, else of the user, else of the account."""
        levels = self._parameters, self.account.users.get(self.user, {}), self.account.parameters
        return next(values[name] for values in levels if name in values)

    def run(self, statement: Statement, run: Run) -> Any:
        """Run a statement in its transaction; `run` runs a text."""
        with self._alone():
            self._refuse_aborted(statement)
            match statement.part:
                case Part.BEGIN:
                    if self.transaction is None:
                        self._begin(statement.name, is_explicit=True)
                    return run(_DONE)
                case Part.COMMIT:
                    self._commit()
                    return run(_DONE)
                case Part.ROLLBACK:
                    self.roll_back()
                    return run(_DONE)
                case Part.DEFINITION:
                    self._commit()
                    return self._define(statement, run)
            return self._run_in_transaction(statement, run)

    def roll_back(self) -> None:
        """Roll back the transaction, if there is one."""
        self._end("ROLLBACK")

    def roll_back_aborted(self) -> None:
        """Roll back the transaction if it was aborted and no statement runs; else the end of the statement does."""
        if self._running.acquire(blocking=False):
            try:
                self._free_aborted()
            finally:
                self._running.release()

    def close(self) -> None:
        """End the session, and its transaction with it."""
        self.roll_back()
        self.account.sessions.pop(self.number, None)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._running:
            self._set_running(is_running=True)
            try:
                yield
            finally:
                self._set_running(is_running=False)
                self._free_aborted()
        self.roll_back_aborted()  # it may have been aborted just before the lock was free

    def _set_running(self, *, is_running: bool) -> None:
        if self.transaction is not None:
            self.transaction.is_running = is_running
            self.transaction.used_s = self.account.clock.monotonic()

    def _free_aborted(self) -> None:
        """Roll back what was aborted in DuckDB, and release its locks; the next statement is answered with an error."""
        if self.transaction is not None and self.transaction.is_aborted and self.transaction.is_in_duckdb:
            self.transaction.is_in_duckdb = False
            self._connection._duck_conn.execute("ROLLBACK")
        if self.transaction is not None and self.transaction.is_aborted:
            self.account.locks.release(self.transaction)
            self.account.transactions.end(self.transaction)

    def _refuse_aborted(self, statement: Statement) -> None:
        """Answer once that the transaction was aborted; a ROLLBACK is what the client should send then."""
        aborted = self.transaction
        if aborted is None or not aborted.is_aborted:
            return
        self._free_aborted()
        self.transaction = None
        if statement.part is not Part.ROLLBACK:
            raise error_of(_aborted(aborted))

    def _begin(self, name: str, *, is_explicit: bool) -> Transaction:
        begun = self.account.transactions.begin(self.number, self.user, name, is_explicit)
        begun.is_running = True
        self.transaction = begun
        return begun

    def _commit(self) -> None:
        self._end("COMMIT")

    def _end(self, how: str) -> None:
        ended, self.transaction = self.transaction, None
        if ended is None:
            return
        try:
            if ended.is_in_duckdb:
                self._connection._duck_conn.execute(how)
        finally:
            self.account.locks.release(ended)
            self.account.transactions.end(ended)

    def _define(self, statement: Statement, run: Run) -> Any:
        """Run a statement that defines an object; it is a transaction of its own."""
        tree, duck = statement.tree, self._connection._duck_conn
        place = self._connection.database, self._connection.schema
        if isinstance(tree, exp.Create) and tree.kind == "TABLE":
            refusal = kinds.clone_refusal(duck, tree, *place)
            if refusal is not None:
                raise error_of(refusal)
            table, kind = name_of(tree.this, *place), kinds.created_kind(tree)
            is_there = bool(tree.args.get("exists")) and kinds.kind_of(duck, table) is not None
            if clones.is_clone(tree):
                if not is_there:
                    source = name_of(tree.args["clone"].this, *place)
                    clones.clone(duck, source, table, replaces=bool(tree.args.get("replace")))
                result = run(_DONE)
            else:
                result = run(statement.text)
            if not is_there:
                kinds.note_kind(duck, kind, table)
            return result
        return run(statement.text)

    def _run_in_transaction(self, statement: Statement, run: Run) -> Any:
        """Run a query or a change of rows in the transaction that is active, or in one of its own."""
        is_change = statement.part in (Part.LOCKING, Part.WRITING)
        if self.transaction is None and is_change:
            is_lasting = self.parameter("AUTOCOMMIT").upper() == "FALSE"
            self._begin("", is_explicit=is_lasting)
        transaction = self.transaction
        if transaction is None:
            return run(statement.text)
        try:
            if statement.part is Part.LOCKING:
                self._lock(statement, transaction)
            if transaction.is_explicit:
                self._enter(transaction, is_change)
            return run(statement.text)
        finally:
            if not transaction.is_explicit:
                self._end("COMMIT")

    def _lock(self, statement: Statement, transaction: Transaction) -> None:
        table = name_of(statement.target, self._connection.database, self._connection.schema)
        timeout_s = min(float(self.parameter("LOCK_TIMEOUT")), float(self.parameter("STATEMENT_TIMEOUT_IN_SECONDS")))
        self.account.locks.acquire(table, transaction, self.account.next_query(), timeout_s)
        if transaction.is_aborted:
            self.transaction = None
            self._drop(transaction)
            raise error_of(_aborted(transaction))

    def _drop(self, transaction: Transaction) -> None:
        if transaction.is_in_duckdb:
            with suppress(duckdb.Error):
                self._connection._duck_conn.execute("ROLLBACK")
        self.account.locks.release(transaction)
        self.account.transactions.end(transaction)

    def _enter(self, transaction: Transaction, is_change: bool) -> None:
        """Begin DuckDB's transaction, again if it has changed nothing yet."""
        duck = self._connection._duck_conn
        if transaction.is_in_duckdb and not transaction.has_written:
            duck.execute("COMMIT")
            transaction.is_in_duckdb = False
        if not transaction.is_in_duckdb:
            duck.execute("BEGIN TRANSACTION")
            transaction.is_in_duckdb = True
        transaction.has_written = transaction.has_written or is_change


def _aborted(transaction: Transaction) -> Refusal:
    """Return the answer to a statement of an aborted transaction: number of snowflake-connector-net issue 560."""
    return Refusal(615, "57014", f"Transaction '{transaction.number}' was aborted, SQL execution canceled.")
