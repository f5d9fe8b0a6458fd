"""Statements about users, roles, warehouses and parameters, none of which DuckDB has."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from emulators.snowflake.grants import RELATION, Grant, Securable
from emulators.snowflake.parameters import assigned
from emulators.snowflake.refusals import missing_or_forbidden
from emulators.snowflake.refused import error_of

if TYPE_CHECKING:
    from emulators.snowflake.session import Session

_GRANT = re.compile(
    r"(?P<may>[\w\s,]+?)\s+ON\s+(?:(?P<which>ALL|FUTURE)\s+(?P<kinds>TABLES|VIEWS)\s+IN\s+SCHEMA"
    r"|(?P<one>TABLE|VIEW|SCHEMA|DATABASE|WAREHOUSE|STAGE|SEQUENCE|FILE\s+FORMAT))\s+(?P<name>[\w.\"$]+)"
    r"\s+(?:TO|FROM)\s+(?:ROLE\s+)?\"?(?P<role>\w+)\"?",
    re.IGNORECASE,
)
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
    if not session.account.may_use(warehouse, session.role):
        raise error_of(missing_or_forbidden(warehouse))
    session.warehouse = warehouse


def _use_role(session: "Session", role: str, _: str) -> None:
    session.role = role


def _create_role(session: "Session", role: str, _: str) -> None:
    session.account.grants.roles.add(role)


def _grant(session: "Session", _: str, more: str) -> None:
    _change_grants(session, more, is_given=True)


def _revoke(session: "Session", _: str, more: str) -> None:
    _change_grants(session, more, is_given=False)


def _change_grants(session: "Session", text: str, *, is_given: bool) -> None:
    """Grant or revoke privileges; a grant of a role to a role or user is noted nowhere."""
    found = _GRANT.fullmatch(text)
    if found is None:
        return
    given = {Grant(" ".join(each.upper().split()), found["role"].upper()) for each in found["may"].split(",")}
    kind = found["kinds"] or found["one"]
    grants, name = session.account.grants, full_name(found["name"], kind, session.place)
    if found["which"] is None:
        securable = Securable(_kind(kind), name)
        (grants.give if is_given else grants.take)(securable, given)
    elif found["which"].upper() == "ALL":
        grants.give_all(name, given)
    else:
        grants.give_future(name, kind.upper().rstrip("S"), given)


def full_name(text: str, kind: str, place: tuple[str | None, str | None]) -> str:
    """Return the full name of an object of a session in this place."""
    parts = [part.strip('"').upper() for part in text.split(".")]
    length = {"DATABASE": 1, "WAREHOUSE": 1, "SCHEMA": 2, "TABLES": 2, "VIEWS": 2}.get(kind.upper(), 3)
    missing = [place[0] or "", place[1] or ""][: max(length - len(parts), 0)]
    return ".".join([*missing, *parts])


def _kind(text: str) -> str:
    kind = " ".join(text.upper().split())
    return RELATION if kind == "VIEW" else kind


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
    _form(rf"CREATE(?: OR REPLACE)? ROLE{_IF} {_NAME}{_MORE}", _create_role),
    _form(rf"GRANT {_MORE}", _grant),
    _form(rf"REVOKE {_MORE}", _revoke),
    _form(rf"(?:REMOVE|ALTER WAREHOUSE)\b{_MORE}", _nothing),
]
