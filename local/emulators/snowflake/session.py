"""A session: its user, its parameters, and the transaction that its statements run in.

DuckDB reads what was committed when its own transaction began, Snowflake what was committed when the statement began.
So DuckDB's transaction begins with the first statement that needs it, after the lock was waited for, and begins again
before each statement as long as it has changed nothing.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
from sqlglot import exp

from emulators.snowflake import kinds
from emulators.snowflake.access import Access
from emulators.snowflake.account import Account
from emulators.snowflake.administration import administer
from emulators.snowflake.definitions import define
from emulators.snowflake.locks import Timeouts
from emulators.snowflake.names import name_of
from emulators.snowflake.parameters import Values, invalid, refusal_of
from emulators.snowflake.refusals import Refusal
from emulators.snowflake.refused import error_of
from emulators.snowflake.shows import ADMINISTRATOR, shown
from emulators.snowflake.statements import Part, Run, Statement, needs_warehouse
from emulators.snowflake.transactions import Transaction

_NO_WAREHOUSE = Refusal(
    606,
    "57P03",
    "No active warehouse selected in the current session.  "
    "Select an active warehouse with the 'use warehouse' command.",
)  # quoted by airbytehq/airbyte issue 40615
_DONE = "SELECT 'Statement executed successfully.' AS \"status\""


class Session:
    """A session of an account; it runs one statement at a time."""

    def __init__(
        self, account: Account, connection: Any, user: str, role: str, warehouse: str, parameters: Values
    ) -> None:
        self.account = account
        self.number = account.next_session()
        self.user = user
        self.role = role or self._of_user("DEFAULT_ROLE")
        wanted = warehouse or self._of_user("DEFAULT_WAREHOUSE")
        self.warehouse = wanted if account.may_use(wanted, self.role) else ""  # the sign-in succeeds all the same
        self.transaction: Transaction | None = None
        self._connection = connection
        self._parameters: Values = {}
        self._running = threading.Lock()
        self.set_parameters(parameters)
        account.sessions[self.number] = self

    @property
    def place(self) -> tuple[str | None, str | None]:
        """Return the database and the schema of the session."""
        return self._connection.database, self._connection.schema

    def parameter(self, name: str) -> str:
        """Return a parameter: that of the session, else of the user, else of the account."""
        return self.described_parameters()[name][0]

    def described_parameters(self) -> dict[str, tuple[str, str, str]]:
        """Return each parameter's value, its default and the level on which it was set."""
        return self.account.described_parameters(self.user, self._parameters)

    def set_parameters(self, values: Values) -> None:
        """Set parameters of the session; a ProgrammingError when one has no such value."""
        refusal = refusal_of(values)
        if refusal is not None:
            raise error_of(refusal)
        self._parameters |= values
        self._use_timezone()

    def unset_parameters(self, names: list[str]) -> None:
        """Return parameters of the session to the values of its user or account."""
        for name in names:
            self._parameters.pop(name, None)
        self._use_timezone()

    def facts(self) -> dict[str, str | None]:
        """Return what context functions answer, by the functions' names."""
        active = self.transaction
        return {
            "CURRENT_SESSION": str(self.number),
            "CURRENT_TRANSACTION": str(active.number) if active is not None and active.is_explicit else None,
            "CURRENT_USER": self.user,
            "CURRENT_WAREHOUSE": self.warehouse or None,
        }

    def abort(self, number: int) -> str:
        """Abort a transaction: https://docs.snowflake.com/en/sql-reference/functions/system_abort_transaction."""
        found = self.account.transactions.active.get(number)
        if found is None or not found.is_explicit:
            return f"Transaction id: {number} is not running"
        if self.user != found.user and self.role != ADMINISTRATOR:
            raise error_of(
                Refusal(
                    3001,
                    "42501",
                    f"SQL access control error:\nInsufficient privileges to operate on transaction '{number}'",
                )
            )
        self.account.abort(found)
        return f"Aborted transaction id: {number}"

    def _of_user(self, name: str) -> str:
        return self.account.users.get(self.user, {}).get(name, "").upper()

    def _use_timezone(self) -> None:
        zone = self.parameter("TIMEZONE")
        try:
            self._connection._duck_conn.execute(f"SET TimeZone = '{zone}'")
        except duckdb.Error:
            raise error_of(invalid("TIMEZONE", zone)) from None

    def run(self, statement: Statement, run: Run) -> Any:
        """Run a statement in its transaction; `run` runs a text."""
        with self._alone():
            self._refuse_aborted(statement)
            refusal = self._refusal(statement)
            if refusal is not None:
                raise error_of(refusal)
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

    def _refusal(self, statement: Statement) -> Refusal | None:
        """Return why the session may not run a statement; None when it may."""
        duck = self._connection._duck_conn
        refusal = Access(self.account.grants, self.role, self.place, duck).refusal(statement)
        if refusal is None and not self.warehouse and needs_warehouse(statement):
            return _NO_WAREHOUSE
        if refusal is None and isinstance(statement.tree, exp.Create) and statement.tree.kind == "TABLE":
            return kinds.clone_refusal(duck, statement.tree, *self.place)
        return refusal

    def _define(self, statement: Statement, run: Run) -> Any:
        """Run a statement that defines an object; it is a transaction of its own."""
        if administer(self, statement.bare):
            return run(_DONE)
        return define(self, self._connection._duck_conn, statement, run)

    def _run_in_transaction(self, statement: Statement, run: Run) -> Any:
        """Run a query or a change of rows in the transaction that is active, or in one of its own."""
        is_change = statement.part in (Part.LOCKING, Part.WRITING)
        if self.transaction is None and is_change:
            is_lasting = self.parameter("AUTOCOMMIT").upper() == "FALSE"
            self._begin("", is_explicit=is_lasting)
        transaction = self.transaction
        text = _DONE if administer(self, statement.bare) else shown(self, statement.bare) or statement.text
        if transaction is None:
            return run(text)
        try:
            if statement.part is Part.LOCKING:
                self._lock(statement, transaction)
            if transaction.is_explicit:
                self._enter(transaction, is_change)
            return run(text)
        finally:
            if not transaction.is_explicit:
                self._end("COMMIT")

    def _lock(self, statement: Statement, transaction: Transaction) -> None:
        table = name_of(statement.target, *self.place)
        statement_s = float(self.parameter("STATEMENT_TIMEOUT_IN_SECONDS")) or float("inf")  # 0 is the longest there is
        timeouts = Timeouts(float(self.parameter("LOCK_TIMEOUT")), statement_s)
        self.account.locks.acquire(table, transaction, self.account.next_query(), timeouts)
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
