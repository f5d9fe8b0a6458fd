"""What a statement does to transactions: it begins or ends one, defines an object, changes rows, or reads."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlglot import exp

Run = Callable[[str], Any]
"""Runs a text on DuckDB, through fakesnow."""

_COMMENT = r"(?:\s|--[^\n]*(?:\n|$)|//[^\n]*(?:\n|$)|/\*.*?\*/)"
_BARE = re.compile(rf"{_COMMENT}*(?P<bare>.*?)(?:;|{_COMMENT})*", re.DOTALL)
_WORD = re.compile(r"([A-Za-z]+)(?:\s+([A-Za-z]+))?")
_BEGIN = re.compile(
    r"(?:BEGIN|START\s+TRANSACTION)(?:\s+(?:WORK|TRANSACTION))?(?:\s+NAME\s+(?P<name>\w+))?", re.IGNORECASE
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
    """A statement: its text, the same without comments around it, its tree if it can be parsed, and its part."""

    text: str
    bare: str
    tree: exp.Expression | None
    part: Part
    name: str = ""
    """The name that a BEGIN gives its transaction."""

    @property
    def target(self) -> exp.Expression:
        """Return the table whose rows the statement changes."""
        changed = self.tree.expressions[0] if isinstance(self.tree, exp.TruncateTable) else self.tree and self.tree.this
        if not isinstance(changed, exp.Expression):
            raise ValueError(f"no table in {self.text}")
        return changed


def read(text: str, tree: exp.Expression | None) -> Statement:
    """Return the statement of a text and its tree."""
    found = _BARE.fullmatch(text)
    bare = found["bare"] if found else text
    if begins := _BEGIN.fullmatch(bare):
        return Statement(text, bare, tree, Part.BEGIN, begins["name"] or "")
    return Statement(text, bare, tree, _part(bare, tree))


def _part(bare: str, tree: exp.Expression | None) -> Part:
    found = _WORD.match(bare)
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


def needs_warehouse(statement: Statement) -> bool:
    """Return whether a statement needs a warehouse.

    Queries and DML do, INFORMATION_SCHEMA included (PostHog/posthog pull request 63673), and CREATE TABLE … AS SELECT.
    A definition does not, nor SHOW, DESCRIBE, USE, a query of no table, or COUNT(*) of a whole table, which the
    metadata answer: https://docs.snowflake.com/en/user-guide/warehouses-overview,
    https://docs.snowflake.com/en/user-guide/querying-persisted-results.
    """
    tree = statement.tree
    if isinstance(tree, exp.Create):
        return tree.kind == "TABLE" and isinstance(tree.args.get("expression"), exp.Query)
    if statement.part in (Part.LOCKING, Part.WRITING):
        return not isinstance(tree, exp.TruncateTable)
    is_of_tables = isinstance(tree, exp.Select | exp.SetOperation) and tree.find(exp.Table) is not None
    return is_of_tables and not _counts_a_table(tree)


def _counts_a_table(query: exp.Expression | None) -> bool:
    """Return whether a query asks only how many rows one table has."""
    if not isinstance(query, exp.Select) or any(query.args.get(part) for part in ("where", "joins", "group", "with_")):
        return False
    source = query.args.get("from_")
    counts = [each.unalias() for each in query.expressions]
    return (
        source is not None
        and isinstance(source.this, exp.Table)
        and source.this.db.upper() != "INFORMATION_SCHEMA"
        and all(isinstance(each, exp.Count) and isinstance(each.this, exp.Star) for each in counts)
    )
