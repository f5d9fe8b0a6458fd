"""Statements about users, roles, warehouses and parameters, none of which DuckDB has."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from emulators.snowflake.parameters import assigned
from emulators.snowflake.refusals import missing_or_forbidden
from emulators.snowflake.refused import error_of

if TYPE_CHECKING:
    from emulators.snowflake.session import Session

_NAME = r'(?P<name>"?[\w$]+"?)'
_IF = r"(?:\s+IF\s+(?:NOT\s+)?EXISTS)?"
_MORE = r"(?P<more>.*?)\s*;?\s*"


def administer(session: "Session", text: str) -> bool:
    """Do what a statement of administration says; return False when it is none."""
    for pattern, do in _FORMS:
        if found := pattern.fullmatch(text):
            given = found.groupdict()
            do(session, str(given.get("name") or "").strip('"').upper(), str(given.get("more") or ""))
            return True
    return False


def _set_session(session: "Session", _: str, more: str) -> None:
    session.set_parameters(assigned(more))


def _unset_session(session: "Session", _: str, more: str) -> None:
    session.unset_parameters([name.strip().upper() for name in more.split(",")])


def _set_user(session: "Session", user: str, more: str) -> None:
    session.account.users.setdefault(user, {}).update(assigned(more))


def _set_account(session: "Session", _: str, more: str) -> None:
    session.account.parameters.update(assigned(more))


def _create_warehouse(session: "Session", warehouse: str, _: str) -> None:
    """Create a warehouse and use it: https://docs.snowflake.com/en/sql-reference/sql/create-warehouse."""
    session.account.warehouses.add(warehouse)
    session.warehouse = warehouse


def _drop_warehouse(session: "Session", warehouse: str, _: str) -> None:
    session.account.warehouses.discard(warehouse)


def _use_warehouse(session: "Session", warehouse: str, _: str) -> None:
    if warehouse not in session.account.warehouses:
        raise error_of(missing_or_forbidden(warehouse))
    session.warehouse = warehouse


def _use_role(session: "Session", role: str, _: str) -> None:
    session.role = role


def _nothing(session: "Session", _: str, __: str) -> None:
    """Do nothing; the answer is that it was done (SUBSTITUTES)."""


def _form(pattern: str, do: Callable[["Session", str, str], None]) -> tuple[re.Pattern[str], Callable[..., None]]:
    spaced = r"\s*" + pattern.replace(" ", r"\s+")
    return re.compile(spaced, re.IGNORECASE | re.DOTALL), do


_FORMS = [
    _form(rf"ALTER SESSION SET {_MORE}", _set_session),
    _form(rf"ALTER SESSION UNSET {_MORE}", _unset_session),
    _form(rf"CREATE(?: OR REPLACE)? USER{_IF} {_NAME}{_MORE}", _set_user),
    _form(rf"ALTER USER{_IF} {_NAME} SET {_MORE}", _set_user),
    _form(rf"ALTER ACCOUNT SET {_MORE}", _set_account),
    _form(rf"CREATE(?: OR REPLACE)? WAREHOUSE{_IF} {_NAME}{_MORE}", _create_warehouse),
    _form(rf"DROP WAREHOUSE{_IF} {_NAME}{_MORE}", _drop_warehouse),
    _form(rf"USE WAREHOUSE {_NAME}{_MORE}", _use_warehouse),
    _form(rf"USE ROLE {_NAME}{_MORE}", _use_role),
    _form(rf"(?:REMOVE|GRANT|ALTER WAREHOUSE)\b{_MORE}", _nothing),
]
