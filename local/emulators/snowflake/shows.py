"""What SHOW answers about sessions: transactions, locks, parameters and grants, each with its documented columns.

https://docs.snowflake.com/en/sql-reference/sql/show-transactions
https://docs.snowflake.com/en/sql-reference/sql/show-locks
https://docs.snowflake.com/en/sql-reference/sql/show-parameters
https://docs.snowflake.com/en/sql-reference/sql/show-grants
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emulators.snowflake.administration import full_name
from emulators.snowflake.grants import RELATION, Securable

if TYPE_CHECKING:
    from emulators.snowflake.session import Session

ADMINISTRATOR = "ACCOUNTADMIN"
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_SHOW = re.compile(r"\s*SHOW\s+(TRANSACTIONS|LOCKS)(\s+IN\s+ACCOUNT)?\s*;?\s*", re.IGNORECASE)
_PARAMETERS = re.compile(
    r"\s*SHOW\s+PARAMETERS(?:\s+LIKE\s+'(?P<like>[^']*)')?"
    r"(?:\s+(?:IN|FOR)\s+(?P<level>SESSION|ACCOUNT|USER(?:\s+\"?(?P<user>\w+)\"?)?))?\s*;?\s*",
    re.IGNORECASE,
)
_GRANTS = re.compile(r"\s*SHOW\s+GRANTS\s+ON\s+(?:TABLE|VIEW)\s+(?P<name>[\w.\"$]+)\s*;?\s*", re.IGNORECASE)
Row = Sequence[object]


def shown(session: "Session", text: str) -> str | None:
    """Return a query of what a SHOW answers; None when the statement is none of these."""
    if found := _SHOW.fullmatch(text):
        is_of_all = bool(found[2]) and session.role == ADMINISTRATOR
        return (_transactions if found[1].upper() == "TRANSACTIONS" else _locks)(session, is_of_all)
    if found := _PARAMETERS.fullmatch(text):
        level, user = (found["level"] or "SESSION").upper(), (found["user"] or session.user).upper()
        described = {"SESSION": session.described_parameters, "ACCOUNT": session.account.described_parameters}
        values = described[level]() if level in described else session.account.described_parameters(user)
        return _parameters(values, (found["like"] or "%").upper())
    if found := _GRANTS.fullmatch(text):
        return _grants(session, full_name(found["name"], RELATION, session.place))
    return None


def as_query(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a query whose result is these rows."""
    empty = [None] * len(columns)
    selects = [
        "SELECT " + ", ".join(f'{_literal(value)} AS "{column}"' for column, value in zip(columns, row, strict=True))
        for row in rows or [empty]
    ]
    return " UNION ALL ".join(selects) + ("" if rows else " WHERE FALSE")


def _transactions(session: "Session", is_of_all: bool) -> str:
    columns = ("id", "user", "session", "name", "started_on", "state", "scope")
    active = session.account.transactions.active.values()
    return as_query(
        columns,
        [
            (each.number, each.user, each.session, each.name, each.began, "running", 0)
            for each in list(active)
            if is_of_all or each.user == session.user
        ],
    )


def _locks(session: "Session", is_of_all: bool) -> str:
    columns = ["resource", "type", "transaction", "transaction_started_on", "status", "acquired_on", "query_id"]
    is_administrator = session.role == ADMINISTRATOR
    rows: list[Row] = [
        (
            str(lock.table),
            "PARTITIONS",
            lock.transaction.number,
            lock.transaction.began,
            "HOLDING" if lock.acquired_on else "WAITING",
            lock.acquired_on,
            lock.query,
            lock.transaction.session,
        )
        for lock in session.account.locks.all()
        if is_of_all or lock.transaction.user == session.user
    ]
    columns += ["session"]
    return as_query(columns if is_administrator else columns[:-1], rows if is_administrator else [r[:-1] for r in rows])


def _parameters(values: Mapping[str, tuple[str, str, str]], like: str) -> str:
    columns = ("key", "value", "default", "level", "description", "type")
    pattern = like.replace("%", "*").replace("_", "?")
    return as_query(
        columns,
        [(name, *found, "", "STRING") for name, found in sorted(values.items()) if fnmatchcase(name, pattern)],
    )


def _grants(session: "Session", name: str) -> str:
    columns = (
        "created_on",
        "privilege",
        "granted_on",
        "name",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by",
    )
    return as_query(
        columns,
        [
            (_LONG_AGO, grant.privilege, RELATION, name, "ROLE", grant.role, "false", ADMINISTRATOR)
            for grant in session.account.grants.on(Securable(RELATION, name))
        ],
    )


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"CAST('{value.isoformat()}' AS TIMESTAMP_LTZ)"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
