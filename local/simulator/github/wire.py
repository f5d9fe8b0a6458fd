"""Answers over HTTP in GitHub's form, and the log of what was asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.answers import SimulatedResponse
from simulator.github.model import Company

JSON_TYPE = "application/json; charset=utf-8"
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
DOCUMENTATION = "https://docs.github.com/rest"


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = {"message": message, **more, "documentation_url": DOCUMENTATION, "status": str(status)}

    def answer(self) -> SimulatedResponse:
        """Return the answer."""
        return json_answer(self.body, self.status, self.headers)


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> SimulatedResponse:
    """Return an answer with a JSON body."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return SimulatedResponse(status, text, JSON_TYPE, dict(headers or {}))


@dataclass(slots=True)
class Exchange:
    """What is known of a request while it is answered."""

    path: str
    query: str
    resource: str
    others: int
    number: int = 0
    operation: str = ""
    digest: str = ""
    nodes: int = 0
    is_limited: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request as it was answered.

    `nodes` are those that a query may return, `others` the requests of the same API that were open at the same time.
    `operation` is the name of the query, and `digest` of query and variables, or of the target: equal digests are the
    same request.
    """

    number: int
    method: str
    path: str
    operation: str
    digest: str
    points: int
    nodes: int
    status: int
    others: int
    at: str


@dataclass(slots=True)
class RequestLog:
    """The requests so far.

    `limited` were refused because of a limit; before `while_limited` an answer had said that no points were left.
    """

    requests: list[LogEntry] = field(default_factory=list)
    limited: int = 0
    while_limited: int = 0

    @property
    def points(self) -> int:
        """Return the points of all requests."""
        return sum(each.points for each in self.requests)

    @property
    def most_at_once(self) -> int:
        """Return the largest number of GraphQL requests at the same time: GitHub allows one."""
        return max((each.others + 1 for each in self.requests if each.path.endswith("graphql")), default=0)


def sso_header(company: Company) -> dict[str, str]:
    """Return the sign of a list without the repositories that single sign-on hides; empty when it hides none."""
    if not any(each.is_hidden_by_sso for each in company.repositories):
        return {}
    return {"X-GitHub-SSO": f"partial-results; organizations={company.account.number}"}


def digest_of(*parts: object) -> str:
    """Return a short text that is the same for the same parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
