"""GitHub's GraphQL: one request at a time, and every answer either whole or an error.

The rules are those of "Rate limits and query limits for the GraphQL API": an answer with `errors` is not used, whatever
data is beside them; one that took too long costs points all the same, and is not repeated in the same size.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from millrace.errors import MillraceError, RequestRejected, SourceUnavailable, UnexpectedResponse
from millrace.extract import answers
from millrace.extract.answers import SourceResponse
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.extract.http_client import RequestStats, SourceClient, TooLarge
from millrace.extract.limits import is_secondary

_TOO_LONG = frozenset({502, 504})
_LIMITS = {"RATE_LIMIT", "RATE_LIMITED"}  # GitHub sends both
_RIGHTS = {"FORBIDDEN", "INSUFFICIENT_SCOPES"}
_HEAVY = {"MAX_NODE_LIMIT_EXCEEDED", "RESOURCE_LIMITS_EXCEEDED"}
_HEAVY_WORDS = ("respond to your request in time", "result of a timeout", "timed out", "resource limits")
_MOST_FAILURES = 2  # of one size
_GOOD_BEFORE_GROWTH = 10
_Error = dict[str, Any]


class TooHeavy(SourceUnavailable):
    """The server could not answer the whole query: ask for less at a time."""


class NotFound(RequestRejected):
    """The server does not have the object, or does not show it to this key; `path` is its place in the query."""

    def __init__(self, what: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(what, status=404)
        self.path = path


class Forbidden(RequestRejected):
    """This key may not see something; `path` is its place in the query."""

    def __init__(self, what: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(what, status=403)
        self.path = path


@dataclass
class GraphQL:
    """The GraphQL route of a source. `is_partial`: an answer left out organisations that require single sign-on."""

    client: SourceClient
    path: str = "/graphql"
    is_partial: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _heavy: int = 0  # answers in a row that were too heavy

    def for_task(self, stats: RequestStats, deadline: Deadline) -> "GraphQL":
        """Return the same route with its own `stats` and deadline; both together ask one thing at a time."""
        return replace(self, client=self.client.for_task(stats, deadline), is_partial=False, _heavy=0)

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """Return the data of an answer without errors.

        Raises TooHeavy (502, 504, too long or large, resource limits, part of the data), NotFound, RequestRejected (no
        right, or single sign-on, in the server's words), UnexpectedResponse (another error, such as an unknown field),
        and the errors of SourceClient.get. Limits are waited out. Points are added to the client's stats.
        """
        if self._heavy:
            self.client.back_off(self.path, "too heavy a query", self._heavy)
        if not self._lock.acquire(timeout=min(self.client.deadline.left_s(), threading.TIMEOUT_MAX)):
            raise OutOfTime(0.0)
        try:
            body = {"query": query, "variables": dict(variables)}
            response = self.client.post(self.path, body, returned=_TOO_LONG, is_limit=_is_limit)
        except TooLarge as error:
            raise TooHeavy(str(error)) from None
        finally:
            self._lock.release()
        self.is_partial |= response.is_partial
        try:
            data = self._data(response)
        except TooHeavy:
            self._heavy += 1
            raise
        self._heavy = 0
        return data

    def _data(self, response: SourceResponse) -> dict[str, Any]:
        place, body = self.client.base_url + self.path, response.body
        if response.status in _TOO_LONG:
            raise TooHeavy(f"{place}: status {response.status}, the query took too long")
        if not isinstance(body, dict):
            raise UnexpectedResponse(f"{place}: expected an object with data, got {type(body).__name__}")
        _count(self.client.stats, body)
        if body.get("errors"):
            raise _error(place, body, response.sent)
        data = body.get("data")
        if not isinstance(data, dict):
            raise UnexpectedResponse(f"{place}: expected data or errors, got neither")
        return data


class PageSize:
    """The size of pages: halved when an answer was too heavy, and doubled again after ten good ones.

    No size is asked for again after it was too heavy twice. `value` is the size of the next page; `at` is that of an
    earlier reading, where it continues.
    """

    def __init__(self, largest: int, at: int | None = None) -> None:
        self._sizes = [largest]
        while self._sizes[-1] > 1:
            self._sizes.append(self._sizes[-1] // 2)
        self._index = 0 if at is None else sum(1 for size in self._sizes[:-1] if size > at)
        self._failures: Counter[int] = Counter()
        self._good = 0

    @property
    def value(self) -> int:
        """Return the rows to ask for."""
        return self._sizes[self._index]

    def halve(self, error: TooHeavy) -> None:
        """Note that a page of `value` was too heavy; raise the error when one row was it twice."""
        self._good = 0
        self._failures[self.value] += 1
        if self._index + 1 < len(self._sizes):
            self._index += 1
        elif self._failures[self.value] >= _MOST_FAILURES:
            raise error

    def succeeded(self) -> None:
        """Note that a page of `value` was read."""
        self._good += 1
        if self._good >= _GOOD_BEFORE_GROWTH and self._index > 0:
            if self._failures[self._sizes[self._index - 1]] < _MOST_FAILURES:
                self._index -= 1
            self._good = 0


def _is_limit(body: object) -> bool:
    return any(error.get("type") in _LIMITS or is_secondary(str(error.get("message"))) for error in _errors(body))


def _errors(body: object) -> Iterator[_Error]:
    errors = body.get("errors") if isinstance(body, dict) else None
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            kind = error.get("type")
            yield error | {"type": kind if isinstance(kind, str) else None}


def _count(stats: RequestStats, body: Mapping[str, Any]) -> None:
    """Add the points of an answer; without a limit, as on an own server, there are none to count."""
    data = body.get("data")
    found = data.get("rateLimit") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        return
    cost, left, reset_at = (found.get(name) for name in ("cost", "remaining", "resetAt"))
    stats.points += cost if type(cost) is int and cost > 0 else 0
    if found.get("limit") != 0:
        stats.points_left = left if type(left) is int else None
        stats.points_reset_at = reset_at if isinstance(reset_at, str) else None


def _error(place: str, body: Mapping[str, Any], header: str) -> MillraceError:
    """Return the exception for an answer with errors: the one that is decided first, if there are several."""
    errors = list(_errors(body))
    words = "; ".join(answers.shown(str(error.get("message")), header) for error in errors[:3]) or "no words"
    said = f"{place}: the source says {words}"
    if any(_is_heavy(error) for error in errors):
        return TooHeavy(said)
    for error in errors:
        extensions = error.get("extensions")
        if isinstance(extensions, dict) and extensions.get("saml_failure") is True:
            return RequestRejected(f"{said}; authorise the key for the single sign-on of the organisation", status=403)
        if error.get("type") in _RIGHTS:
            return Forbidden(f"{said}; grant the key that right", _path_of(error))
    for error in errors:
        if error.get("type") == "NOT_FOUND":
            return NotFound(said, _path_of(error))
    if "data" in body:
        return TooHeavy(said)
    return UnexpectedResponse(said)


def _is_heavy(error: _Error) -> bool:
    words = str(error.get("message")).lower()
    return error.get("type") in _HEAVY or any(part in words for part in _HEAVY_WORDS)


def _path_of(error: _Error) -> tuple[str | int, ...]:
    path = error.get("path")
    return tuple(part for part in path if isinstance(part, str | int)) if isinstance(path, list) else ()
