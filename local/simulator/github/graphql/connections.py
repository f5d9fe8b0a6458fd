"""Connections: which part of a list a query gets, and its cursors.

A cursor belongs to one order of one connection; it holds the sort key of its row, so that a row that moves does not
shift the others (for lists that have no such key: the row's place).
"""

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

MOST_ROWS = 100
Key = tuple[Any, ...]


class RefusedQuery(GraphQLError):
    """A query that GitHub refuses, with the `type` of its error."""

    def __init__(self, kind: str, message: str, **extensions: object) -> None:
        super().__init__(message, extensions={"type": kind, **extensions})


@dataclass(slots=True)
class Connection:
    """One part of a list."""

    name: str
    order: str
    rows: Sequence[Any]
    key: Callable[[Any], Key] | None
    start: int
    stop: int
    is_bounded: bool

    @property
    def total(self) -> int:
        """Return the number of rows in the whole list."""
        return len(self.rows)

    def nodes(self) -> Sequence[Any]:
        """Return the rows; raises RefusedQuery for a query that does not bound them."""
        if not self.is_bounded:
            raise RefusedQuery(
                "MISSING_PAGINATION_BOUNDARIES",
                f"You must provide a `first` or `last` value to properly paginate the `{self.name}` connection.",
            )
        return self.rows[self.start : self.stop]

    def edges(self) -> list[dict[str, Any]]:
        """Return the rows, each with its cursor."""
        return [{"node": row, "cursor": self._cursor(self.start + at)} for at, row in enumerate(self.nodes())]

    def page_info(self) -> dict[str, Any]:
        """Return what PageInfo holds."""
        has_rows = self.stop > self.start
        return {
            "hasNextPage": self.is_bounded and self.stop < len(self.rows),
            "hasPreviousPage": self.is_bounded and self.start > 0,
            "startCursor": self._cursor(self.start) if has_rows else None,
            "endCursor": self._cursor(self.stop - 1) if has_rows else None,
        }

    def _cursor(self, at: int) -> str:
        key = self.key(self.rows[at]) if self.key else (at,)
        text = json.dumps([self.name, self.order, *key], separators=(",", ":"))
        return base64.b64encode(f"cursor:v2:{text}".encode()).decode()


def part_of(
    name: str,
    rows: Sequence[Any],
    arguments: Mapping[str, Any],
    order: str = "",
    key: Callable[[Any], Key] | None = None,
) -> Connection:
    """Return the part of a list that the arguments ask for.

    The rows are in the order of their `key` (descending when `order` ends so). Raises RefusedQuery for more than 100
    rows, and for a cursor of another order or list.
    """
    first, last = _count(name, arguments, "first"), _count(name, arguments, "last")
    start, stop = 0, len(rows)
    if (after := arguments.get("after")) is not None:
        start = _place(rows, key, order, _key(after, name, order), bisect_right)
    if (before := arguments.get("before")) is not None:
        stop = max(start, _place(rows, key, order, _key(before, name, order), bisect_left))
    if first is not None:
        stop = min(stop, start + first)
    if last is not None:
        start = max(start, stop - last)
    return Connection(name, order, rows, key, start, stop, first is not None or last is not None)


def _place(
    rows: Sequence[Any], key: Callable[[Any], Key] | None, order: str, wanted: Key, bisect: Callable[..., int]
) -> int:
    if key is None:
        return bisect(range(len(rows)), wanted[0])
    if order.endswith(" DESC"):
        return bisect(rows, _Falling(wanted), key=lambda row: _Falling(key(row)))
    return bisect(rows, wanted, key=key)


@dataclass(slots=True)
class _Falling:
    """A key that is compared the other way round."""

    key: Key

    def __lt__(self, other: "_Falling") -> bool:
        return other.key < self.key


def _count(name: str, arguments: Mapping[str, Any], bound: str) -> int | None:
    count = arguments.get(bound)
    if count is None:
        return None
    if count > MOST_ROWS:
        message = (
            f"Requesting {count} records on the `{name}` connection exceeds the `{bound}` limit of {MOST_ROWS} records."
        )
        raise RefusedQuery("EXCESSIVE_PAGINATION", message)
    if count < 0:
        raise RefusedQuery("INVALID_PAGINATION", f"`{bound}` on the `{name}` connection cannot be less than zero.")
    return int(count)


def _key(cursor: str, name: str, order: str) -> Key:
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        made_for, made_in, *key = json.loads(text.removeprefix("cursor:v2:"))
    except (ValueError, TypeError):
        made_for = made_in = None
    if (made_for, made_in) != (name, order):
        raise RefusedQuery("INVALID_CURSOR_ARGUMENTS", f"`{cursor}` does not appear to be a valid cursor.")
    return tuple(key)
