"""The execution of one query over the served schema."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
    parse,
    validate,
    value_from_ast_untyped,
)

from simulator.github.graphql.costs import MOST_NODES, Cost, cost_of
from simulator.github.graphql.resolvers import Asked


@dataclass(frozen=True, slots=True)
class Query:
    """A query that is valid, and what it costs with these variables."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]
    cost: Cost

    @property
    def name(self) -> str:
        """Return the name of the operation, "" without one."""
        return self.operation.name.value if self.operation.name else ""


class QueryErrors(Exception):
    """A query that is not executed; `errors` are those of the answer."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(str(errors))
        self.errors = list(errors)


def read_query(text: str, variables: Mapping[str, Any], operation_name: str | None, schema: GraphQLSchema) -> Query:
    """Return a query; raises QueryErrors when it is not valid, or asks for more than 500,000 nodes."""
    document, mistakes = _parsed(text, schema)
    if mistakes:
        raise QueryErrors(mistakes)
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    chosen = [each for each in operations if operation_name in (None, each.name.value if each.name else None)]
    if len(chosen) != 1:
        raise QueryErrors([{"message": "An operation name is required" if not operation_name else "No such operation"}])
    cost = cost_of(document, chosen[0], _defaults(chosen[0]) | dict(variables))
    if cost.nodes > MOST_NODES:
        limit = f"which exceeds the maximum limit of {MOST_NODES:,}."
        message = f"This query requests up to {cost.nodes:,} possible nodes {limit}"
        raise QueryErrors([{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": message}])
    return Query(document, chosen[0], variables, cost)


def run(query: Query, asked: Asked, schema: GraphQLSchema) -> dict[str, Any]:
    """Return the answer to a query: its data, and its errors if it has any."""
    result = execute(
        schema,
        query.document,
        context_value=asked,
        variable_values=dict(query.variables),
        operation_name=query.name or None,
        is_awaitable=_never,
    )
    if not isinstance(result, ExecutionResult):
        raise TypeError("expected no resolver to be asynchronous")
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        if result.data is None and not any(error.path for error in result.errors):
            del answer["data"]  # a variable of another type: nothing was executed
        answer["errors"] = [_written(error) for error in result.errors]
    return answer


@lru_cache(maxsize=64)
def _parsed(text: str, schema: GraphQLSchema) -> tuple[DocumentNode, list[dict[str, Any]]]:
    try:
        document = parse(text)
    except GraphQLError as mistake:
        return DocumentNode(definitions=()), [_written(mistake)]
    return document, [_written(mistake) for mistake in validate(schema, document)]


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    given = operation.variable_definitions or ()
    return {
        each.variable.name.value: value_from_ast_untyped(each.default_value) for each in given if each.default_value
    }


def _written(error: GraphQLError) -> dict[str, Any]:
    """Return an error as GitHub writes it: `type` beside the message."""
    extensions = dict(error.extensions or {})
    written: dict[str, Any] = {}
    if kind := extensions.pop("type", None):
        written["type"] = kind
    if error.path:
        written["path"] = error.path
    if extensions:
        written["extensions"] = extensions
    if error.locations:
        written["locations"] = [{"line": each.line, "column": each.column} for each in error.locations]
    return written | {"message": error.message}


def _never(value: object) -> TypeGuard[Awaitable[Any]]:
    """Return that no resolver is asynchronous: graphql-core asks it of each value."""
    return False
