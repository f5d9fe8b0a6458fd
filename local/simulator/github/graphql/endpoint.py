"""The endpoint of GraphQL: points, what is too heavy, and answers with a part of the data."""

import json
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLSchema

from simulator.answers import SimulatedRequest, SimulatedResponse
from simulator.github.graphql.execution import Query, QueryErrors, read_query, run
from simulator.github.graphql.fields import served_schema
from simulator.github.graphql.resolvers import Asked
from simulator.github.happening import Listed
from simulator.github.knobs import Knobs
from simulator.github.limits import Window
from simulator.github.model import Account, Company
from simulator.github.oddities import cut_short
from simulator.github.wire import Exchange, Refusal, digest_of, json_answer, sso_header

_LONGEST_ANSWER_S = 10
_TIMED_OUT = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub bug."
)


@dataclass(slots=True)
class Endpoint:
    """Answers queries about a company."""

    company: Company
    viewer: Account
    window: Window
    knobs: Knobs
    _schema: GraphQLSchema = field(init=False)

    def __post_init__(self) -> None:
        """Read the schema; ValueError for a field that it never had."""
        try:
            self._schema = served_schema(self.knobs.lacks)
        except KeyError as unknown:
            raise ValueError(f"lacks: expected fields such as PullRequest.isDraft, got {unknown}") from None

    def answer(self, request: SimulatedRequest, exchange: Exchange) -> tuple[SimulatedResponse, list[Listed]]:
        """Return the answer to a query, and what it is a page of; raises Refusal for a body that is no query."""
        try:
            text, variables, name = _read_body(request.body)
            exchange.digest = digest_of(text, variables)
            query = read_query(text, variables, name, self._schema)
        except QueryErrors as mistakes:
            self.window.spend(1)
            return json_answer({"errors": mistakes.errors}), []
        exchange.operation, exchange.nodes = query.name, query.cost.nodes
        return self._executed(query, exchange)

    def _executed(self, query: Query, exchange: Exchange) -> tuple[SimulatedResponse, list[Listed]]:
        knobs, cost = self.knobs, query.cost
        if exchange.number in knobs.rate_limited_at:
            self.window.exhaust()
        if knobs.has_limits and not self.window.spend(cost.points):
            exchange.is_limited = True
            message = f"API rate limit exceeded for user ID {self.viewer.number}."
            kind = "RATE_LIMIT" if knobs.is_limit_spelt_short else "RATE_LIMITED"
            return json_answer({"errors": [{"type": kind, "message": message}]}), []
        is_slow = cost.nodes * knobs.node_s > _LONGEST_ANSWER_S
        if is_slow or _is_above(cost.nodes, knobs.too_heavy_above_nodes):
            self.window.spend(cost.points)  # GitHub deducts additional points for a request that it ended
            return json_answer({"data": None, "errors": [{"message": _TIMED_OUT}]}, 502), []
        asked = Asked(self.company, self.viewer, cost, self._budget())
        answer = run(query, asked, self._schema)
        if exchange.number in knobs.partial_at or _is_above(cost.nodes, knobs.partial_above_nodes):
            cut_short(answer)
        headers = sso_header(self.company) if Listed("repositories") in asked.listed else {}
        return json_answer(answer, headers=headers), asked.listed

    def _budget(self) -> dict[str, Any] | None:
        """Return what `rateLimit` has of the budget; None on a server that has no limits."""
        if self.knobs.has_limits:
            return self.window.facts()
        zero = dict.fromkeys(("limit", "used", "remaining"), 0) | {"resetAt": self.company.end}
        return zero if self.knobs.shows_limits_of_zero else None


def _read_body(body: bytes) -> tuple[str, dict[str, Any], str | None]:
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
        raise QueryErrors([{"message": "A query attribute must be specified and must be a string."}])
    variables = asked.get("variables") or {}
    if not isinstance(variables, dict):
        raise QueryErrors([{"message": "Variables are invalid: they must be an object."}])
    return asked["query"], variables, asked.get("operationName")


def _is_above(nodes: int, most: int | None) -> bool:
    return most is not None and nodes > most
