"""Findings in SQL for Snowflake, without an account: the emulator runs more than Snowflake has.

A statement must be accepted by the emulator's grammar. It may use nothing that the two engines interpret differently,
except in statements that only Snowflake runs.
"""

from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from emulators.snowflake import grammar
from emulators.snowflake.refusals import Refusal
from millrace.tables import TABLES, TEXT

_SYNTAX = 1003
_TEXTS = frozenset(field.name for table in TABLES.values() for field in table.columns if field.type == TEXT)
_NEVER_UNKNOWN = {"is_usable", "valid_from", "context_over_tokens"}  # by a coalesce, or as the rate card's key
_ZONED = (exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.TIMESTAMPLTZ)


def findings(sql: str) -> list[str]:
    """Return the findings in the SQL of a model or a test, which has to mean the same on both engines."""
    refused = grammar.refusal(sql)
    is_understood = refused is None or refused.errno != _SYNTAX
    return [*_said(refused), *(_differences(sql) if is_understood else ())]


def of_snowflake(sql: str) -> list[str]:
    """Return the findings in SQL that only Snowflake runs: its answer, if it refuses the statement."""
    return _said(grammar.refusal(sql))


def _said(refused: Refusal | None) -> list[str]:
    return [] if refused is None else [refused.message.splitlines()[-1]]


def _differences(sql: str) -> Iterator[str]:
    tokens = sqlglot.tokenize(sql, read="snowflake")
    for place, token in enumerate(tokens):
        before = [each.text.lower() for each in tokens[max(place - 4, 0) : place]]
        after = tokens[place + 1 : place + 2]
        is_known = before == ["count", "(", "*", ")"] or not _NEVER_UNKNOWN.isdisjoint(before[-1:])
        if token.token_type.name == "DESC" and not is_known and (not after or after[0].text.upper() != "NULLS"):
            yield "desc without nulls: unknown ones come first on Snowflake"
    for statement in grammar.parsed(sql):
        for node in statement.walk():
            yield from _difference(node)


def _difference(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.Greatest | exp.Least):
        yield "greatest, least: with an unknown argument Snowflake knows nothing"
    elif isinstance(node, exp.Concat | exp.ConcatWs) and not all(map(_is_known, node.expressions)):
        yield "concat of what may be unknown: DuckDB leaves it out"
    elif isinstance(node, exp.DateDiff) and node.text("unit").upper() != "MICROSECOND":
        yield "datediff: counts borders of the clock"
    elif isinstance(node, exp.DateTrunc | exp.TimestampTrunc) and node.text("unit").upper().startswith("WEEK"):
        yield "date_trunc to the week: begins when WEEK_START says"
    elif isinstance(node, exp.Div) and not any(map(_is_double, (node.left, node.right))):
        yield f"{node.sql()}: a division without a double is a NUMBER of six digits on Snowflake"
    elif isinstance(node, exp.DataType) and node.this in _ZONED:
        yield "a timestamp with a zone: its day is that of the session"
    elif isinstance(node, exp.TryCast) and node.this.name not in _TEXTS:
        yield "try_cast: of texts alone on Snowflake"


def _is_known(node: exp.Expr) -> bool:
    return isinstance(node.unnest(), exp.Literal | exp.Coalesce)


def _is_double(node: exp.Expr) -> bool:
    node = node.unnest()
    if isinstance(node, exp.Cast):
        return bool(node.to.this == exp.DataType.Type.DOUBLE)
    if isinstance(node, exp.Literal):
        return not node.is_string and not node.name.isdecimal()
    return isinstance(node, exp.Mul | exp.Div) and any(map(_is_double, (node.left, node.right)))
