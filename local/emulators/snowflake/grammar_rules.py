"""Rules of Snowflake about a whole statement that need no schema; each names its documentation or report."""

from collections.abc import Callable, Iterator

from sqlglot import exp

from emulators.snowflake import refusals
from emulators.snowflake.refusals import Refusal

_PARQUET = {"TYPE", "USE_LOGICAL_TYPE", "USE_VECTORIZED_SCANNER", "BINARY_AS_TEXT"}


def refusal(tree: exp.Expr) -> Refusal | None:
    """Return the refusal of the first broken rule, None if the statement keeps all of them."""
    for node in tree.walk():
        for rule in _RULES.get(type(node), ()):
            if (refused := rule(node)) is not None:
                return refused
        if isinstance(node, exp.AggFunc) and (refused := _aggregate(node)):
            return refused
    return None


def _aggregate(node: exp.Expr) -> Refusal | None:
    # https://docs.snowflake.com/en/user-guide/querying-subqueries: EXISTS and IN stand in WHERE, correlated scalar
    # subqueries too; only "Uncorrelated scalar subqueries are supported anywhere that a value expression is allowed."
    is_operator = any(
        isinstance(each, exp.Exists) or each.args.get("query") for each in node.find_all(exp.In, exp.Exists)
    )
    is_correlated = any(any(_outer_columns(each)) for each in node.find_all(exp.Select))
    return refusals.unsupported_subquery() if is_operator or is_correlated else None


def _grouping_sets(node: exp.Expr) -> Refusal | None:
    # https://docs.snowflake.com/en/sql-reference/constructs/group-by-grouping-sets:
    # groupSet ::= groupItem | ( groupItem [ , groupItem [ , ... ] ] ), so none is empty.
    has_empty = any(isinstance(each, exp.Tuple) and not each.expressions for each in node.expressions)
    return refusals.syntax_error(")") if has_empty else None


def _subquery(node: exp.Expr) -> Refusal | None:
    # https://docs.snowflake.com/en/user-guide/querying-subqueries: "The LIMIT / FETCH clause is allowed only in
    # uncorrelated scalar subqueries."
    is_limited = node.args.get("limit") is not None and node.parent_select is not None
    return refusals.unsupported_subquery() if is_limited and any(_outer_columns(node)) else None


def _outer_columns(query: exp.Expr) -> Iterator[exp.Column]:
    own = {source.name.upper() for source in query.find_all(exp.Table, exp.TableAlias)}
    yield from (column for column in query.find_all(exp.Column) if column.table and column.table.upper() not in own)


def _aliases(node: exp.Expr) -> Refusal | None:
    # dbt-labs/dbt-adapters #693: Snowflake calls a subquery without an alias VALUES, and refuses two of one name.
    sources = [each.this for each in (node.args.get("from_"), *node.args.get("joins", ())) if each is not None]
    names = ["values" if isinstance(each, exp.Subquery) and not each.alias else each.alias_or_name for each in sources]
    qualified = [name.upper() if each.alias else _qualified(each) for name, each in zip(names, sources, strict=True)]
    twice = next((name for name, key in zip(names, qualified, strict=True) if key and qualified.count(key) > 1), None)
    return refusals.duplicate_alias(twice) if twice is not None else None


def _qualified(source: exp.Expr) -> str:
    """Return what two sources without aliases may not share."""
    if isinstance(source, exp.Subquery):
        return "VALUES"
    return ".".join(part.name.upper() for part in source.parts) if isinstance(source, exp.Table) else ""


def _clone(node: exp.Expr) -> Refusal | None:
    # https://docs.snowflake.com/en/sql-reference/sql/create-table: COPY GRANTS stands after CLONE <source_table>.
    is_before = node.args.get("clone") is not None and node.find(exp.CopyGrantsProperty) is not None
    return refusals.syntax_error("CLONE") if is_before else None


def _columns(node: exp.Expr) -> Refusal | None:
    # https://docs.snowflake.com/en/sql-reference/sql/create-table: the columns of a table or view have different names.
    query = node.args.get("expression")
    named = (
        [each.alias_or_name.upper() for each in query.selects if each.alias_or_name]
        if isinstance(query, exp.Select)
        else []
    )
    twice = next((name for name in named if name != "*" and named.count(name) > 1), None)
    return refusals.duplicate_column(twice) if twice and not isinstance(node.this, exp.Schema) else None


def _copied(node: exp.Expr) -> Refusal | None:
    # A rule of this project, which Snowflake does not have: without these options lists are read by another scanner,
    # and binary columns as text (https://docs.snowflake.com/en/sql-reference/sql/copy-into-table, TYPE = PARQUET).
    stated = {
        option.name.upper(): option.args["value"].name.upper()
        for parameter in node.args.get("params", ())
        if parameter.name.upper() == "FILE_FORMAT"
        for option in parameter.expressions
    }
    is_parquet = stated.get("TYPE", "PARQUET") == "PARQUET"
    return refusals.parquet_options(_PARQUET - stated.keys()) if is_parquet and _PARQUET - stated.keys() else None


_RULES: dict[type[exp.Expr], tuple[Callable[[exp.Expr], Refusal | None], ...]] = {
    exp.GroupingSets: (_grouping_sets,),
    exp.Select: (_subquery, _aliases),
    exp.Copy: (_copied,),
    exp.Create: (_columns, _clone),
}
