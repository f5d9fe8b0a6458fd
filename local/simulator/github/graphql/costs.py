"""The points and nodes of a query, by GitHub's formula ("Rate limits and query limits for the GraphQL API").

Points: the requests that it takes to fill each connection that has `first` or `last`, when each of the connections
above is full, by 100, rounded, at least 1. Nodes: the rows that these connections may hold together. A connection
without `first` and `last` (only `totalCount`) is not documented to cost anything (SOURCES §2.8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

MOST_NODES = 500_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one query costs."""

    requests: int
    nodes: int

    @property
    def points(self) -> int:
        """Return the points that are charged."""
        return max(1, (self.requests + 50) // 100)


def cost_of(document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Cost:
    """Return the cost of an operation with these variables."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    counting = _Counting(fragments, variables)
    counting.add(operation.selection_set, 1)
    return Cost(counting.requests, counting.nodes)


class _Counting:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, Any]) -> None:
        self._fragments = fragments
        self._variables = variables
        self.requests = 0
        self.nodes = 0

    def add(self, selections: SelectionSetNode | None, parents: int) -> None:
        """Add what lies below `parents` rows."""
        for each in selections.selections if selections else ():
            if not self._is_included(each):
                continue
            if isinstance(each, FieldNode):
                self._add_field(each, parents)
            elif isinstance(each, InlineFragmentNode):
                self.add(each.selection_set, parents)
            elif isinstance(each, FragmentSpreadNode):
                self.add(self._fragments[each.name.value].selection_set, parents)

    def _add_field(self, node: FieldNode, parents: int) -> None:
        arguments = {each.name.value: self._value(each.value) for each in node.arguments or ()}
        rows = next((arguments[each] for each in ("first", "last") if isinstance(arguments.get(each), int)), None)
        if rows is not None:
            self.requests += parents
            self.nodes += parents * rows
        elif isinstance(ids := arguments.get("ids"), list):
            rows = len(ids)
        self.add(node.selection_set, parents * rows if rows is not None else parents)

    def _is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            condition = next((self._value(each.value) for each in directive.arguments or ()), None)
            if condition is {"include": False, "skip": True}.get(directive.name.value):
                return False
        return True

    def _value(self, node: Any) -> Any:
        if isinstance(node, VariableNode):
            return self._variables.get(node.name.value)
        if isinstance(node, IntValueNode):
            return int(node.value)
        if isinstance(node, BooleanValueNode):
            return node.value
        return [self._value(each) for each in node.values] if hasattr(node, "values") else None
