"""The answers of routes, and how the source pages a list and reads a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qsl

from simulator import gojson
from simulator.world import RowNumbers, StoredRows, World

JSON_TYPE = "application/json"
_INT64 = 1 << 63


class ConnectionDropped(Exception):
    """The handler panicked: the connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class SimulatedResponse:
    """One HTTP answer before it is framed."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """One HTTP request; the names of the headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


class BadRequest(Exception):
    """The query is refused: answered 400 with the text under `error`."""

    def answer(self) -> SimulatedResponse:
        """Return the answer of the routes in Cursor's style."""
        return error(400, str(self))


def error(status: int, text: str) -> SimulatedResponse:
    """Return the error body of Cursor's routes, `/analytics/github/*` and `/admin/*`."""
    return SimulatedResponse(status, gojson.body({"error": text}))


def message(status: int, text: str) -> SimulatedResponse:
    """Return the error body of `/repos/**`."""
    return SimulatedResponse(status, gojson.body({"message": text}))


def not_found() -> SimulatedResponse:
    """Return the answer of Go's mux to a path without a route."""
    return SimulatedResponse(
        404, b"404 page not found\n", "text/plain; charset=utf-8", {"X-Content-Type-Options": "nosniff"}
    )


def array_of(rows: bytes) -> SimulatedResponse:
    """Return a raw array of serialised rows."""
    return SimulatedResponse(200, b"[" + rows + b"]\n")


class Query:
    """The query of a request: the first value of each name, unknown names ignored."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, str] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            self._values.setdefault(name, value)

    def text(self, *names: str) -> str:
        """Return the first of these parameters that is not empty, else an empty string."""
        return next((value for name in names if (value := self._values.get(name, ""))), "")

    def number(self, name: str) -> int | None:
        """Return an integer as Go's Atoi reads it; None when absent; ValueError when it is not one of 64 bits."""
        text = self.text(name)
        if not text:
            return None
        if not text.lstrip("+-").isascii() or not text.lstrip("+-").isdigit() or len(text) > 20:
            raise ValueError(text)
        value = int(text)
        if not -_INT64 <= value < _INT64:
            raise ValueError(text)
        return value


@dataclass(frozen=True, slots=True)
class SimulatedPage:
    """One page of a list."""

    number: int
    size: int

    def bounds(self, total: int) -> tuple[int, int]:
        """Return the first row and the row beyond the last. A start that overflows 64 bits panics, as in the source."""
        start = ((self.number - 1) * self.size + _INT64) % (2 * _INT64) - _INT64
        if start < 0:
            raise ConnectionDropped
        return min(start, total), min(start + self.size, total)

    def of(self, numbers: RowNumbers) -> RowNumbers:
        """Return this page of a list whose order is stable."""
        first, beyond = self.bounds(len(numbers))
        return numbers[first:beyond]

    def of_shuffled(self, numbers: RowNumbers, random: Random) -> RowNumbers:
        """Return this page of a list that the source shuffles for each request.

        A page of a fresh permutation is a random sample, so the rest of the permutation need not be computed.
        """
        first, beyond = self.bounds(len(numbers))
        return random.sample(numbers, beyond - first)


@dataclass(slots=True)
class Source:
    """The data behind the routes: the world, dice for the order, and how many newest rows to withhold."""

    world: World
    random: Random
    hidden: int = 0

    def shown(self, rows: StoredRows, numbers: RowNumbers) -> RowNumbers:
        """Return those of the row numbers that have appeared by now."""
        if not self.hidden:
            return numbers
        visible = len(rows) - self.hidden
        return [number for number in numbers if number < visible]

    def everything(self, rows: StoredRows) -> Sequence[int]:
        """Return all row numbers that have appeared by now."""
        return range(max(0, len(rows) - self.hidden))
