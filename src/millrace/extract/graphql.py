"""GitHub's GraphQL: one request at a time, and every answer either whole or an error.

The rules are those of "Rate limits and query limits for the GraphQL API": an answer with `errors` is not used, whatever
data is beside them; one that took too long costs points all the same, and is not repeated in the same size.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from millrace.errors import RequestRejected, SourceUnavailable
from millrace.extract.deadline import Deadline
from millrace.extract.http_client import RequestStats, SourceClient

_TOO_LONG = frozenset({502, 504})
_LIMITS = {"RATE_LIMIT", "RATE_LIMITED"}
_RIGHTS = {"FORBIDDEN", "INSUFFICIENT_SCOPES", "UNAUTHORIZED"}
_SECONDARY = "secondary rate limit"
_HEAVY = ("respond to your request in time", "something went wrong", "timeout", "timed out", "resource limits")
_MOST_FAILURES = 2  # of one size
_GOOD_BEFORE_GROWTH = 10


class TooHeavy(SourceUnavailable):
    """The server could not answer the whole query: ask for less at a time."""


class NotFound(RequestRejected):
    """The server does not have the object, or does not show it to this key; `path` is its place in the query."""

    def __init__(self, what: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(what, status=404)
        self.path = path


@dataclass
class GraphQL:
    """The GraphQL route of a source. `is_partial`: an answer left out organisations that require single sign-on."""

    client: SourceClient
    path: str = "/graphql"
    is_partial: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def for_task(self, stats: RequestStats, deadline: Deadline) -> "GraphQL":
        """Return the same route with its own `stats` and deadline; both together ask one thing at a time."""
        return replace(self, client=self.client.for_task(stats, deadline), is_partial=False)

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """Return the data of an answer without errors.

        Raises TooHeavy (502, 504, too long, resource limits, part of the data), NotFound, RequestRejected (no right, or
        single sign-on, in the server's words), UnexpectedResponse (another error, such as an unknown field), and the
        errors of SourceClient.get. Limits are waited out. Points are added to the client's stats.
        """
        raise NotImplementedError


class PageSize:
    """The size of pages: halved when an answer was too heavy, and doubled again after ten good ones.

    No size is asked for again after it was too heavy twice.
    """

    def __init__(self, largest: int, value: int | None = None) -> None:
        self._largest = largest
        self.value = value or largest

    def halve(self, error: TooHeavy) -> None:
        """Note that a page of `value` was too heavy; raise the error when no smaller one is left."""
        raise NotImplementedError

    def succeeded(self) -> None:
        """Note that a page of `value` was read."""
        raise NotImplementedError
