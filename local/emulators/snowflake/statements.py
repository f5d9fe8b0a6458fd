"""What a statement does to transactions: it begins or ends one, defines an object, changes rows, or reads."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from sqlglot import exp

_LEADING = r"(?:\s|--[^\n]*\n|//[^\n]*\n|/\*.*?\*/)*"
_WORD = re.compile(_LEADING + r"([A-Za-z]+)(?:\s+([A-Za-z]+))?", re.DOTALL)
_BEGIN = re.compile(
    _LEADING + r"(?:BEGIN|START\s+TRANSACTION)(?:\s+(?:WORK|TRANSACTION))?(?:\s+NAME\s+(?P<name>\w+))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_DEFINING = {"CREATE", "DROP", "ALTER", "UNDROP", "GRANT", "REVOKE", "COMMENT"}
_ENDING = {"COMMIT": "COMMIT", "ROLLBACK": "ROLLBACK"}


class Part(Enum):
    """The part of a statement in a transaction."""

    BEGIN = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    DEFINITION = auto()  # commits what is active; https://docs.snowflake.com/en/sql-reference/transactions, "DDL"
    LOCKING = auto()
    WRITING = auto()
    READING = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement: its text, its tree if it can be parsed, and its part in a transaction."""

    text: str
    tree: exp.Expression | None
    part: Part
    name: str = ""
    """The name that a BEGIN gives its transaction."""

    @property
    def target(self) -> exp.Expression:
        """Return the table whose rows the statement changes."""
        if isinstance(self.tree, exp.TruncateTable):
            return self.tree.expressions[0]
        if self.tree is None:
            raise ValueError(f"no table in {self.text}")
        return self.tree.this


def read(text: str, tree: exp.Expression | None) -> Statement:
    """Return the statement of a text and its tree."""
    if begins := _BEGIN.fullmatch(text):
        return Statement(text, tree, Part.BEGIN, begins["name"] or "")
    return Statement(text, tree, _part(text, tree))


def _part(text: str, tree: exp.Expression | None) -> Part:
    found = _WORD.match(text)
    first, second = (found[1].upper(), (found[2] or "").upper()) if found else ("", "")
    if first in _ENDING:
        return Part[_ENDING[first]]
    if first in _DEFINING and second != "SESSION":
        return Part.DEFINITION
    if isinstance(tree, exp.Update | exp.Delete | exp.Merge | exp.TruncateTable):
        return Part.LOCKING
    if isinstance(tree, exp.Insert):
        return Part.LOCKING if tree.args.get("overwrite") else Part.WRITING
    return Part.WRITING if isinstance(tree, exp.Copy) else Part.READING
