"""Division by zero, which Snowflake refuses (100051) and DuckDB answers with infinity or NULL."""

from typing import Any

from sqlglot import exp


def refused_by_zero(transform: Any) -> Any:
    """Let each divisor that may be zero be looked at when the statement runs."""

    def transformed(cursor: Any, expression: Any, params: Any) -> Any:
        for division in list(expression.find_all(exp.Div)):
            if _may_be_zero(division.expression):
                division.set("expression", _checked(division.expression))
        return transform(cursor, expression, params)

    return transformed


def _may_be_zero(divisor: exp.Expr) -> bool:
    """Return whether the text alone leaves it open; a bound value cannot be written twice, so it is left alone."""
    plain = divisor.unnest()
    is_constant = isinstance(plain, exp.Literal) and float(plain.name or 0) != 0
    return not is_constant and not isinstance(plain, exp.Nullif) and not list(divisor.find_all(exp.Placeholder))


def _checked(divisor: exp.Expr) -> exp.Expr:
    refused = exp.Anonymous(this="error", expressions=[exp.Literal.string("Division by zero")])
    is_zero = exp.EQ(this=exp.Paren(this=divisor.copy()), expression=exp.Literal.number(0))
    return exp.Paren(this=exp.Case().when(is_zero, refused).else_(divisor.copy()))
