"""The privileges of roles: https://docs.snowflake.com/en/user-guide/security-access-control-privileges.

The role that creates an object owns it. CREATE OR REPLACE TABLE drops the grants of the table that it replaces, and
future grants of the schema apply to the new one; with COPY GRANTS the new table has the grants of the replaced one, or
else of the table that it is cloned from, without OWNERSHIP, and future grants do not apply:
https://docs.snowflake.com/en/sql-reference/sql/create-table, "COPY GRANTS".

Roles have no hierarchy here, and only those of CREATE ROLE are held to their grants; any other role may do all.
"""

import threading
from typing import NamedTuple

OWNERSHIP = "OWNERSHIP"
RELATION = "TABLE"
"""The kind of a table or a view: they share their names."""


class Securable(NamedTuple):
    """An object that privileges are granted on: its kind and its full name."""

    kind: str
    name: str


class Grant(NamedTuple):
    """One privilege of one role."""

    privilege: str
    role: str


class Grants:
    """The grants of an account."""

    def __init__(self) -> None:
        self.roles: set[str] = set()
        self._given: dict[Securable, set[Grant]] = {}
        self._future: dict[Securable, set[Grant]] = {}
        self._lock = threading.Lock()

    def give(self, securable: Securable, grants: set[Grant]) -> None:
        """Grant privileges on an object."""
        with self._lock:
            self._given.setdefault(securable, set()).update(grants)

    def take(self, securable: Securable, grants: set[Grant]) -> None:
        """Revoke privileges on an object."""
        with self._lock:
            self._given.setdefault(securable, set()).difference_update(grants)

    def give_future(self, schema: str, kind: str, grants: set[Grant]) -> None:
        """Grant privileges on what is created in a schema from now on; `kind` is TABLE or VIEW."""
        with self._lock:
            self._future.setdefault(Securable(kind, schema), set()).update(grants)

    def give_all(self, schema: str, grants: set[Grant]) -> None:
        """Grant privileges on all tables and views of a schema."""
        with self._lock:
            for securable, given in self._given.items():
                if securable.kind == RELATION and securable.name.startswith(f"{schema}."):
                    given.update(grants)

    def created(self, securable: Securable, role: str, kind: str = "", copied: Securable | None = None) -> None:
        """Note an object: its owner, and the future grants of its schema or the grants that it copies."""
        schema = securable.name.rpartition(".")[0]
        with self._lock:
            found = (
                self._future.get(Securable(kind, schema), set()) if copied is None else self._given.get(copied, set())
            )
            kept = {grant for grant in found if grant.privilege != OWNERSHIP}
            self._given[securable] = kept | {Grant(OWNERSHIP, role)}

    def renamed(self, before: Securable, after: Securable) -> None:
        """Keep the grants of an object that gets another name."""
        with self._lock:
            self._given[after] = self._given.pop(before, set())

    def dropped(self, securable: Securable) -> None:
        """Forget the grants of an object that was dropped."""
        with self._lock:
            self._given.pop(securable, None)

    def on(self, securable: Securable) -> list[Grant]:
        """Return the grants on an object."""
        with self._lock:
            return sorted(self._given.get(securable, set()))

    def of(self, role: str, securable: Securable) -> set[str]:
        """Return the privileges that a role has on an object; OWNERSHIP includes all."""
        return {grant.privilege for grant in self.on(securable) if grant.role == role}
