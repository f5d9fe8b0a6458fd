"""Regular expressions, which are those of POSIX on Snowflake, while DuckDB also takes those of Perl.

Of Perl, Snowflake documents only the classes \\d \\s \\w \\b and their opposites, and no group that begins with (?:
https://docs.snowflake.com/en/sql-reference/functions-regexp. Its answer to one is in REGEXP_REPLACE2 of
github.com/sfc-gh-gpavlik/SnowflakeUDFs.
"""

from typing import Any

from sqlglot import exp

_PLAIN = r"\\.|\[\^?\]?[^\]]*\]"  # an escaped character, and a bracket expression: there, ( and ? mean themselves


def refused_of_perl(transform: Any) -> Any:
    """Let each pattern be looked at when the statement runs."""

    def transformed(cursor: Any, expression: Any, params: Any) -> Any:
        for match in list(expression.find_all(exp.RegexpLike, exp.RegexpReplace)):
            if not list(match.expression.find_all(exp.Placeholder)):  # a bound value cannot be written twice
                match.set("expression", _checked(match.expression))
        return transform(cursor, expression, params)

    return transformed


def _checked(pattern: exp.Expr) -> exp.Expr:
    plain = _called("regexp_replace", pattern.copy(), *map(exp.Literal.string, (_PLAIN, "x", "g")))
    is_of_perl = _called("contains", plain, exp.Literal.string("(?"))
    refused = _called("error", exp.Literal.string("no argument for repetition operator: ?"))
    return exp.Paren(this=exp.Case().when(is_of_perl, refused).else_(pattern.copy()))


def _called(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
