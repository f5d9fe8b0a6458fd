"""Parameters of account, user and session: https://docs.snowflake.com/en/sql-reference/parameters.

The value of a session is its own, else that of its user, else that of the account, else Snowflake's default.
"""

import re
from collections.abc import Mapping

from emulators.snowflake.refusals import Refusal

Values = dict[str, str]
"""Parameters by their names in upper case."""

DEFAULTS: Mapping[str, str] = {
    "ABORT_DETACHED_QUERY": "FALSE",
    "AUTOCOMMIT": "TRUE",
    "LOCK_TIMEOUT": "43200",
    "QUERY_TAG": "",
    "STATEMENT_TIMEOUT_IN_SECONDS": "172800",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMEZONE": "America/Los_Angeles",
    "TRANSACTION_ABORT_ON_ERROR": "FALSE",
    "WEEK_START": "0",
}
"""What Snowflake sets where nothing else does."""

_ASSIGNED = re.compile(r"(\w+)\s*=\s*('(?:[^']|'')*'|[\w.\-+]+)")
_MAPPINGS = {"TIMESTAMP_LTZ", "TIMESTAMP_NTZ", "TIMESTAMP_TZ"}


def assigned(text: str) -> Values:
    """Return the values of `NAME = 'value' NAME = value …`."""
    return {name.upper(): _plain(value) for name, value in _ASSIGNED.findall(text)}


def refusal_of(values: Values) -> Refusal | None:
    """Return why a parameter may not have its value; None when all may."""
    mapping = values.get("TIMESTAMP_TYPE_MAPPING")
    if mapping is not None and mapping.upper() not in _MAPPINGS:
        return invalid("TIMESTAMP_TYPE_MAPPING", mapping)
    return None


def invalid(name: str, value: str) -> Refusal:
    """Return the answer to a value that a parameter does not have."""
    return Refusal(1008, "22023", f"SQL compilation error:\ninvalid value [{value}] for parameter '{name}'")


def _plain(value: str) -> str:
    return value[1:-1].replace("''", "'") if value.startswith("'") else value
