"""Questions to the routes of the read API, and their answers in a form that is the same on both engines."""

import json
from typing import Any

from tests.proofs.parity.extracted import END, RENAMED

from millrace.api import definitions
from millrace.api.app import Api
from millrace.api.filters import Filters
from millrace.api.names import Names
from millrace.api.plans import QueryPlan
from millrace.api.routes import Route
from millrace.status.state import Status
from millrace.warehouse.reading import Reader

MADE = frozenset(name for name, model in definitions.load().models.items() if model.sql)
QUESTIONS: dict[str, dict[str, Any]] = {
    "all": {"include_stats": True},
    "another zone": {"tz": "America/New_York", "limit": 7, "offset": 2, "order": "asc"},
    "two of each": {
        "repo": [RENAMED[1], "none"],
        "developer": ["user_001", "user_002"],
        "band": ["low", "unknown"],
        "project": ["it's", "none"],
        "provider": ["Anthropic", "openai"],
        "model": ["claude-opus-4-6", "o'model"],
        "agent": ["claude", "codex"],
    },
}


class _AsTyped(Names):
    """Names that may be unknown, so that both engines quote them."""

    def resolved(self, plan: QueryPlan, filters: Filters) -> Filters:
        return filters


def answer(reader: Reader, route: Route, question: str, without: frozenset[str]) -> dict[str, Any]:
    """Return the answer to one of QUESTIONS as JSON, with what both engines have to agree on."""
    fields = {name: value for name, value in QUESTIONS[question].items() if name in route.filters.model_fields}
    api = Api(reader, _no_status, lambda: END, without=without, names=_AsTyped())
    found: dict[str, Any] = json.loads(api.answer(route, route.filters.model_validate(fields)).body)
    found.pop("built_through")  # each engine counts its own loads
    rounded: dict[str, Any] = to_12_digits(found)
    return rounded


def to_12_digits(value: Any) -> Any:
    """Return an answer whose doubles have twelve digits: the last ones differ between engines."""
    if isinstance(value, dict):
        return {name: to_12_digits(each) for name, each in value.items()}
    if isinstance(value, list):
        return [to_12_digits(each) for each in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _no_status() -> Status:
    raise AssertionError("no route of the marts asks for the status")
