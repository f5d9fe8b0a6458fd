"""Typed access to the fields of an answer of GitHub; a field of another shape is BadAnswer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from millrace.arrow import parse_instant
from millrace.errors import UnexpectedResponse

T = TypeVar("T")
_BEYOND = 2**63  # what the tables hold is less
_MOST_IDLE = 100  # pages in a row
_NAMES = {str: "a string", int: "an integer", bool: "true or false", dict: "an object", list: "a list"}


class BadAnswer(UnexpectedResponse):
    """An object of an answer has another shape than GitHub's schema: that object cannot be read, others can."""


def idle_pages(idle: int, is_new: bool, what: str) -> int:
    """Return how many pages in a row brought nothing new; BadAnswer when they are so many that there is no end."""
    if is_new:
        return 0
    if idle >= _MOST_IDLE:
        raise BadAnswer(f"{what}: expected an end of the list, got {_MOST_IDLE} pages in a row with nothing new")
    return idle + 1


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of an answer; `place` says in messages where it is."""

    values: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: object, place: str) -> "Fields":
        """Return the fields of a value, which has to be an object."""
        if not isinstance(value, dict):
            raise BadAnswer(f"{place}: expected an object, got {_kind(value)}")
        return cls(value, place)

    def get(self, name: str, kind: type[T]) -> T | None:
        """Return a field; None when it is null or absent. U+FFFD replaces half a surrogate pair, which is no text."""
        value = self.values.get(name)
        if kind is str and type(value) is str and not value.isascii():
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if value is None or type(value) is kind:
            return value
        raise BadAnswer(f"{self.place}: {name}: expected {_NAMES[kind]}, got {_kind(value)}")

    def need(self, name: str, kind: type[T]) -> T:
        """Return a field that no answer lacks."""
        value = self.get(name, kind)
        if value is None:
            raise BadAnswer(f"{self.place}: expected {name}, got an answer without it")
        return value

    def child(self, name: str) -> "Fields | None":
        """Return the object in a field; None when it is null or absent."""
        value = self.get(name, dict)
        return None if value is None else Fields(value, f"{self.place}.{name}")

    def inner(self, name: str, kind: type[T], *path: str) -> T | None:
        """Return a field of the object in the field `name`, or of one deeper by `path`; None when one is absent."""
        child = self.child(name)
        if child is None:
            return None
        return child.inner(path[0], kind, *path[1:]) if len(path) > 1 else child.get(path[0], kind)

    def needed(self, name: str) -> "Fields":
        """Return the object in a field that no answer lacks."""
        return Fields(self.need(name, dict), f"{self.place}.{name}")

    def each(self, name: str) -> "list[Fields | None]":
        """Return the objects of a list; None for those that are null: the reader may not see them."""
        place = f"{self.place}.{name}"
        return [None if value is None else Fields.of(value, place) for value in self.need(name, list)]

    def number(self, name: str) -> int:
        """Return a 64-bit number, which GraphQL sends as text."""
        value = self.values.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if type(value) is int and 0 <= value < _BEYOND:
            return value
        raise BadAnswer(f"{self.place}: {name}: expected digits of at most 63 bits, got {_kind(value)}")

    def count(self, name: str) -> int:
        """Return the number of entries of a list."""
        value = self.need(name, int)
        if not 0 <= value < _BEYOND:
            raise BadAnswer(f"{self.place}: {name}: expected the number of entries, got {value!r:.30}")
        return value

    def instant(self, name: str) -> datetime:
        """Return the time in a field that no answer lacks."""
        text = self.need(name, str)
        try:
            return parse_instant(text)
        except ValueError:  # its message has the text
            raise BadAnswer(f"{self.place}: {name}: expected a timestamp as of RFC 3339, got another text") from None


@dataclass(frozen=True, slots=True)
class Connection:
    """One page of a list: its objects (None: not to be seen), the number in the whole list, and the next cursor."""

    nodes: list[Fields | None]
    total: int
    after: str | None

    @classmethod
    def of(cls, owner: Fields, name: str, before: str | None = None) -> "Connection":
        """Read the list in a field of `owner`; `before` is the cursor that was asked with.

        A list that is null has nothing. Raises BadAnswer for a list whose cursor does not move: it has no end.
        """
        found = owner.child(name)
        if found is None:
            return cls([], 0, None)
        page = found.needed("pageInfo")
        after = page.get("endCursor", str) if page.need("hasNextPage", bool) else None
        if page.values["hasNextPage"] and (after is None or after == before):
            raise BadAnswer(f"{found.place}: expected a cursor to the next page, got the last one again")
        return cls(found.each("nodes"), found.count("totalCount"), after)


def _kind(value: object) -> str:
    """Return the kind of a value, not the value: it may be an e-mail address."""
    return "null" if value is None else _NAMES.get(type(value), type(value).__name__)
