"""What a statement may look like on Snowflake, without its state: whatever is not in the table of forms is refused."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache, lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from emulators.snowflake import grammar_rules, refusals
from emulators.snowflake.grammar_table import ANY, Form, forms
from emulators.snowflake.refusals import Refusal

# sqlglot's own notes on a node: nothing that a statement says.
_NOTES = {
    *("big_int", "cluster", "date_part_boundary", "empty_delimiter_returns_whole", "full_match", "is_string", "nested"),
    *("nulls_first", "part_index_zero_as_one", "quoted", "requires_json", "requires_string", "safe", "sysdate"),
    *("value_constructor", "variant_extract"),
}
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)


class Grammar:
    """The accepted forms, ready to look up."""

    def __init__(self, accepted: Iterable[Form]) -> None:
        self._of_node: dict[str, list[Form]] = defaultdict(list)
        self._functions: dict[str, Form] = {}
        self._commands: list[tuple[re.Pattern[str], Form]] = []
        for form in accepted:
            if form.node:
                self._of_node[form.node].append(form)
            elif form.function:
                self._functions[form.function] = form
            else:
                self._commands.append((re.compile(form.command, re.IGNORECASE), form))

    def refusal(self, sql: str) -> Refusal | None:
        """Return why Snowflake refuses the statement, None if it does not."""
        if self._command(sql):
            return None
        try:
            trees = [tree for tree in parsed(sql) if not isinstance(tree, exp.Semicolon)]
        except ParseError as error:
            return _not_understood(error)
        if len(trees) != 1:
            return refusals.statement_count(len(trees))
        tree = trees[0]
        if not any(form.is_statement for form in self._of_node.get(type(tree).__name__, ())):
            return refusals.syntax_error(_COMMENT.sub(" ", sql).split()[0])
        unknown = next((node for node in tree.walk() if self._form(node, sql) is None), None)
        return self._refused(unknown, sql) if unknown is not None else grammar_rules.refusal(tree)

    def forms_of(self, sql: str) -> Iterator[Form]:
        """Yield the forms that the accepted statements of a text use."""
        if command := self._command(sql):
            yield command
            return
        for tree in parsed(sql):
            yield from filter(None, (self._form(node, sql) for node in tree.walk()))

    def _command(self, sql: str) -> Form | None:
        text = " ".join(_COMMENT.sub(" ", sql).split()).rstrip("; ")
        return next((form for pattern, form in self._commands if pattern.fullmatch(text)), None)

    def _form(self, node: exp.Expr, sql: str) -> Form | None:
        if _is_call(node):
            return self._functions.get(_written(node, sql))
        return next((form for form in self._of_node.get(type(node).__name__, ()) if _fits(form, node)), None)

    def _refused(self, node: exp.Expr, sql: str) -> Refusal:
        if _is_call(node):
            return refusals.unknown_function(_written(node, sql))
        word = self._unexpected(node)
        before = sql[: max(sql.upper().find(word.upper()), 0)]
        return refusals.syntax_error(word, before.count("\n") + 1, len(before) - before.rfind("\n") - 1)

    def _unexpected(self, node: exp.Expr) -> str:
        """Return the first word of the argument that no form of the node has, or of the node itself."""
        known = set[str]().union(*(form.args for form in self._of_node.get(type(node).__name__, ())))
        given = (value for name, value in _given(node).items() if name not in known)
        return next((_word(value) for value in given if isinstance(value, exp.Expr)), _word(node))


@lru_cache(maxsize=8)  # parsing takes most of the time, and a statement is looked at more than once
def parsed(sql: str) -> tuple[exp.Expr, ...]:
    """Return the statements of a text, to read only; ParseError if it is none of Snowflake."""
    return tuple(filter(None, sqlglot.parse(sql, read="snowflake")))


@cache
def grammar() -> Grammar:
    """Return the grammar of all forms in the table."""
    return Grammar(forms())


def refusal(sql: str) -> Refusal | None:
    """Return why Snowflake refuses the statement, None if it does not."""
    return grammar().refusal(sql)


def _is_call(node: exp.Expr) -> bool:
    """Return whether the node calls a function; sqlglot has operators, and the branches of CASE, for functions too."""
    if isinstance(node, exp.Connector | exp.Case | exp.Array | exp.JSONExtract | exp.Exists):
        return isinstance(node, exp.Array) and "start" in node.meta
    if isinstance(node, exp.If):
        return not isinstance(node.parent, exp.Case)
    return isinstance(node, exp.Func)


def _written(call: exp.Expr, sql: str) -> str:
    """Return the function's name as written: sqlglot's name for one is not always a name in Snowflake."""
    if "start" in call.meta:
        return sql[call.meta["start"] : call.meta["end"] + 1].lower()
    return (
        call.sql_name() if isinstance(call, exp.Func) and not isinstance(call, exp.Anonymous) else call.name
    ).lower()


def _fits(form: Form, node: exp.Expr) -> bool:
    given = _given(node)
    return (
        form.args >= given.keys()
        and all(_value(given.get(name)) in values or (ANY in values and name in given) for name, values in form.when)
        and all(type(given.get(name)).__name__ in kinds for name, kinds in form.of)
    )


def _given(node: exp.Expr) -> dict[str, object]:
    return {name: value for name, value in node.args.items() if name not in _NOTES and _is_set(value)}


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value != [] and not _is_empty(value)


def _is_empty(value: object) -> bool:
    return isinstance(value, exp.Credentials) and not any(value.args.values())


def _value(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value).upper()
    return "" if value is None else (value.name if isinstance(value, exp.Expr) else str(value)).upper()


def _word(node: exp.Expr) -> str:
    return (node.sql(dialect="snowflake").split() or [node.key.upper()])[0]


def _not_understood(error: ParseError) -> Refusal:
    first = error.errors[0] if error.errors else {}
    return refusals.syntax_error(first.get("highlight") or "<EOF>", first.get("line") or 1, first.get("col") or 0)
