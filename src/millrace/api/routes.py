"""The read routes: their filters, the function that answers them, and the model of the answer."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import getdoc
from typing import Any, get_args

from pydantic import BaseModel

from millrace.api import answers, definitions, delivery, details, lists, opened, summary, usage
from millrace.api.answers import MEASURES, Measures, Whole
from millrace.api.filters import (
    Filters,
    ListFilters,
    OpenedFilters,
    ProjectFilters,
    SourceFilters,
    SpendFilters,
    UsageFilters,
    WeeklyFilters,
    sorted_by,
)
from millrace.api.plans import QueryPlan

_PAGES = (
    "What is beside the rows is about everything that the filters leave, whichever page of the rows is asked for; "
    "`format=csv` has the rows alone, all of them without `limit`. Unknown is null; money is a number of USD."
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route under /api. `answers` returns the fields of `shape`, except those that the publication determines."""

    path: str
    filters: type[Filters]
    answers: Callable[[QueryPlan, Any], dict[str, Any]]
    shape: type[BaseModel]

    @property
    def summary(self) -> str:
        """The first line of the docstring of `answers`, without its verb: the name of what comes back."""
        first = (self.answers.__doc__ or "").partition("\n")[0].removesuffix(".")
        noun = re.sub(r"^(Return|List) (the )?", "", first)
        return noun[:1].upper() + noun[1:]

    @property
    def tag(self) -> str:
        """The part of the document that it is in."""
        if issubclass(self.filters, ListFilters):
            return "lists"
        if issubclass(self.filters, SourceFilters):
            return "status"
        return "usage" if issubclass(self.filters, UsageFilters) else "delivery"

    @property
    def lists_people(self) -> bool:
        """Whether its rows are people, so that there are none where people are not shown."""
        return next(iter(self.row.model_fields)) == "person" and "session_id" not in self.row.model_fields

    @property
    def row(self) -> type[BaseModel]:
        """The model of its rows."""
        row: type[BaseModel] = get_args(self.shape.model_fields["rows"].annotation)[0]
        return row

    @property
    def description(self) -> str:
        """The summary, the docstring of the filters, and notes on paging."""
        said = getdoc(self.filters.__base__) or ""
        return f"{self.summary}. {said} {_PAGES}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its rows; in rows of measures, those that name a row are first."""
        row = self.row
        is_said = Whole.model_fields if issubclass(row, Measures) else {}
        return tuple(sorted(row.model_fields, key=lambda name: name in is_said))


def _columns(mart: str) -> tuple[str, ...]:
    return tuple(definitions.load().models[mart].columns)


def _by_week(mart: str) -> tuple[str, ...]:
    return ("week", *(name for name in _columns(mart) if name != "week"))


def _others(row: type[BaseModel], first: str) -> tuple[str, ...]:
    return tuple(name for name in row.model_fields if name != first)


def _by_cost(row: type[BaseModel]) -> tuple[str, ...]:
    return ("cost_usd", *_others(row, "cost_usd"))


_OF_USAGE = ("cost_usd", *(name for name in MEASURES if name != "cost_usd"), "session_count")
_OF_SOURCES = ("name", *(name for name in _columns("source_completeness") if name != "name"))
_OF_SESSIONS = ("cost_usd", *(name for name in _columns("usage_session") if name != "cost_usd"))

ROUTES = (
    Route("projects", sorted_by(ProjectFilters, ("last_at", "first_at", "project")), usage.projects, answers.Projects),
    Route("dashboard-data", sorted_by(UsageFilters, ("day",)), usage.dashboard, answers.Dashboard),
    Route("cost-data", sorted_by(UsageFilters, _OF_SESSIONS), usage.costs, answers.Costs),
    Route(
        "cost-data/by-provider",
        sorted_by(UsageFilters, (*_OF_USAGE, "provider")),
        usage.by_provider,
        answers.ByProvider,
    ),
    Route(
        "cost-data/by-model",
        sorted_by(UsageFilters, (*_OF_USAGE, "provider", "model")),
        usage.by_model,
        answers.ByModel,
    ),
    Route("velocity", sorted_by(WeeklyFilters, _by_week("velocity")), delivery.velocity, answers.Velocity),
    Route(
        "review-costs", sorted_by(WeeklyFilters, _by_week("review_costs")), delivery.review_costs, answers.ReviewCosts
    ),
    Route("quality", sorted_by(WeeklyFilters, _by_week("quality")), delivery.quality, answers.Quality),
    Route("ai-impact", sorted_by(WeeklyFilters, _by_week("ai_impact")), delivery.ai_impact, answers.AiImpact),
    Route("summary", sorted_by(ListFilters, ("measure",)), summary.summary, answers.Summary),
    Route("ai-spend", sorted_by(SpendFilters, _by_week("ai_spend_by_repo_week")), delivery.ai_spend, answers.AiSpend),
    Route("people", sorted_by(ListFilters, _by_cost(answers.Person)), lists.people, answers.People),
    Route(
        "repositories", sorted_by(ListFilters, _by_cost(answers.Repository)), lists.repositories, answers.Repositories
    ),
    Route("models", sorted_by(ListFilters, _by_cost(answers.NamedModel)), details.models, answers.Models),
    Route("sessions", sorted_by(ListFilters, _by_cost(answers.ListedSession)), details.sessions, answers.Sessions),
    Route(
        "pull-requests",
        sorted_by(ListFilters, ("merged_at", *_others(answers.PullRequest, "merged_at"))),
        details.pull_requests,
        answers.PullRequests,
    ),
    Route(
        "agent-pull-requests",
        sorted_by(OpenedFilters, _by_week("agent_pull_requests")),
        opened.agent_pull_requests,
        answers.AgentPullRequests,
    ),
    Route("sources", sorted_by(SourceFilters, _OF_SOURCES), details.sources, answers.Sources),
)
