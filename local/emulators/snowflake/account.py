"""An emulated account: its parameters, users, warehouses, sessions, transactions and locks."""

from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING

from emulators.snowflake.clock import Clock
from emulators.snowflake.grants import Grants, Securable
from emulators.snowflake.locks import Locks
from emulators.snowflake.parameters import DEFAULTS, Values
from emulators.snowflake.transactions import Transaction, Transactions

if TYPE_CHECKING:
    from emulators.snowflake.session import Session


class Account:
    """The state that all sessions of one server share."""

    def __init__(self, clock: Clock, parameters: Mapping[str, str]) -> None:
        self.clock = clock
        self.parameters: Values = {name: value for name, value in parameters.items() if value != DEFAULTS.get(name)}
        self.users: dict[str, Values] = {}
        self.warehouses: set[str] = set()
        self.grants = Grants()
        self.transactions = Transactions(clock)
        self.locks = Locks(clock, self.transactions, self.abort)
        self.sessions: dict[int, Session] = {}
        self._numbers = count(103_079_321_618)
        self._queries = count(1)

    def next_session(self) -> int:
        """Return the number of a new session."""
        return next(self._numbers)

    def next_query(self) -> str:
        """Return the id of a new statement."""
        return f"01c0ffee-0000-0000-0000-{next(self._queries):012x}"

    def described_parameters(
        self, user: str | None = None, session: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, tuple[str, str, str]]:
        """Return each parameter's value for a session of a user, its default and the level on which it was set."""
        levels = {
            "SESSION": session,
            "USER": self.users.get(user or "", {}),
            "ACCOUNT": self.parameters,
            "": DEFAULTS,
        }
        found = {}
        for name, default in DEFAULTS.items():
            level = next(level for level, values in levels.items() if name in values)
            found[name] = (levels[level][name], default, level)
        return found

    def may_use(self, warehouse: str, role: str) -> bool:
        """Return whether a warehouse exists, and a role may use it."""
        is_held = role in self.grants.roles
        return warehouse in self.warehouses and (
            not is_held or bool(self.grants.of(role, Securable("WAREHOUSE", warehouse)))
        )

    def abort(self, transaction: Transaction) -> None:
        """Abort a transaction: at once, or when the statement that runs in it has ended."""
        with self.transactions.changed:
            transaction.is_aborted = True
            self.transactions.changed.notify_all()
        self.sessions[transaction.session].roll_back_aborted()

    def close(self) -> None:
        """Abort all transactions: the server ends, and nothing waits any longer."""
        for transaction in list(self.transactions.active.values()):
            self.abort(transaction)
