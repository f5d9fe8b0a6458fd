# ruff: noqa: S608 - the names are our own
"""A query that no mart can answer is computed from the events, with the same result: every route, over every filter.

Both ways share the code that adds up days; `test_sums.py` checks it against sums over the events written by hand.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.api.conftest import NOW, no_status

from millrace.api import definitions, delivery, plans
from millrace.api.app import Api
from millrace.api.definitions import Definitions
from millrace.api.plans import Sql
from millrace.api.routes import ROUTES, Route
from millrace.warehouse.duckdb.reader import DuckDBReader

MARTS = frozenset(name for name, model in definitions.load().models.items() if model.sql)
OF_FACTS = (
    "pull-requests",
    "sources",
    "agent-pull-requests",
)  # a fact is never computed
Question = dict[str, Any]


def ask(
    reader: DuckDBReader, route: Route, question: Question, without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return the answer as parsed JSON."""
    api = Api(reader, no_status, lambda: NOW, without=without)
    answer: dict[str, Any] = json.loads(api.answer(route, route.filters.model_validate(question)).body)
    return answer


def values(reader: DuckDBReader, name: str) -> list[str]:
    """Return two values of a filter that match some rows."""
    where = {
        "repo": ("repo_name", "velocity"),
        "developer": ("developer", "user_developers"),
        "person": ("developer", "user_developers"),
        "band": ("ai_band", "ai_impact"),
        "project": ("project", "project_repositories"),
        "agent": ("agent", "usage_daily"),
        "provider": ("provider", "usage_daily"),
        "model": ("model", "usage_daily"),
        "state": ("state", "source_completeness"),
        "opened_by": ("opened_by", "agent_pull_requests"),
        "opened_by_agent": ("agent", "agent_pull_requests"),
    }
    column, mart = where[name]
    known = f"FROM mart.{mart} WHERE {column} IS NOT NULL GROUP BY {column}"
    text = f"SELECT {column} AS value {known} ORDER BY count(*) DESC, {column}"
    found = [row["value"] for row in reader.read(lambda snapshot: snapshot.query(text))]
    assert len(found) >= 2, f"the world has too few of {name}"
    return found[:2]


def names_of(route: Route) -> list[str]:
    """Return the repeatable filters of a route."""
    return [name for name, field in route.filters.model_fields.items() if field.default_factory is list]


def questions(reader: DuckDBReader, route: Route, is_every_two: bool) -> Iterator[Question]:
    """Yield no filter, each, two and all, and each with two values; over two ranges, sorted and paged.

    Two are those listed side by side, or with `is_every_two` any two.
    """
    found = {name: values(reader, name) for name in names_of(route)}
    days = [(NOW - timedelta(days=days)).date().isoformat() for days in (20, 6)]
    ranges: list[Question] = [{}, {"from": days[0], "to": days[1]}]
    pairs = itertools.combinations(found, 2) if is_every_two else itertools.pairwise(found)
    for names in ((), tuple(found)):
        for between in ranges:
            yield {name: found[name][:1] for name in names} | between
    for names in (*((name,) for name in found), *pairs):
        yield {name: found[name][:1] for name in names} | ranges[1]
    for name, two in found.items():
        yield {name: two}
    yield {"limit": 3, "offset": 2, "order": "asc"}
    yield {"limit": 3, "offset": 2, "order": "desc", "tz": "UTC"}
    if "include_stats" in route.filters.model_fields:
        yield from (
            {**each, "include_stats": True} for each in (*ranges, *({name: two} for name, two in found.items()))
        )


def compared(
    reader: DuckDBReader, route: Route, is_every_two: bool = False, step: int = 1
) -> Iterator[tuple[Question, bool, bool]]:
    """Yield each question, or one of `step`, with whether both ways agree, and whether the answer has rows."""
    for question in itertools.islice(questions(reader, route, is_every_two), 0, None, step):
        stored, made = ask(reader, route, question), ask(reader, route, question, MARTS)
        assert made.pop("source") == ("marts" if route.path in OF_FACTS else "events"), question
        stored.pop("source")
        yield question, stored == made, bool(stored["rows"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
@pytest.mark.parametrize(
    "is_every_two", [pytest.param(False, id="some"), pytest.param(True, id="every two", marks=pytest.mark.proof)]
)
def test_an_answer_from_the_events_is_the_answer_from_the_marts(
    reader: DuckDBReader, route: Route, is_every_two: bool
) -> None:
    found = list(compared(reader, route, is_every_two, step=1 if is_every_two else 3))
    assert [question for question, is_same, _ in found if not is_same] == []
    assert sum(has_rows for *_, has_rows in found) >= len(found) / 3


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_marts_are_read_where_they_have_the_answer(reader: DuckDBReader, route: Route) -> None:
    assert ask(reader, route, {})["source"] == "marts"


@pytest.mark.parametrize("path", ["velocity", "quality", "review-costs", "ai-impact"])
def test_filter_without_mart_column_is_answered_from_events(reader: DuckDBReader, path: str) -> None:
    route = next(each for each in ROUTES if each.path == path)
    assert ask(reader, route, {"developer": values(reader, "developer")})["source"] == "events"


# ---- mutants: a condition removed from one of the two ways is noticed

Change = Callable[[pytest.MonkeyPatch], None]


def in_definition(mart: str, old: str, new: str) -> Change:
    """Return a change that replaces a part of a mart's definition."""

    def change(patch: pytest.MonkeyPatch) -> None:
        known = definitions.load()
        model = known.models[mart]
        assert old in model.sql["duckdb"], f"{mart} says no {old!r} any more"
        mutant = replace(model, sql={"duckdb": model.sql["duckdb"].replace(old, new)})
        changed: Definitions = replace(known, models={**known.models, mart: mutant})
        patch.setattr(definitions, "load", lambda: changed)

    return change


def without_filter(mart: str) -> Change:
    """Return a change that reads a mart without its conditions."""

    def change(patch: pytest.MonkeyPatch) -> None:
        stored = plans.QueryPlan.table

        def table(plan: plans.QueryPlan, name: str) -> str:
            if name == mart and plan.is_there(mart):
                plan.given[mart] = Sql(f"SELECT * FROM {plan.stored(mart)}")
            return stored(plan, name)

        patch.setattr(plans.QueryPlan, "table", table)

    return change


def patched(module: Any, name: str, other: Any) -> Change:
    def change(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(module, name, other)

    return change


MUTANTS: dict[str, tuple[str, Change]] = {
    "sessions counted twice": ("cost-data", in_definition("usage_session", "min(occurred_at)", "max(occurred_at)")),
    "prompts taken as responses": (
        "dashboard-data",
        in_definition("usage_daily", "role = 'assistant' then 1", "role is not null then 1"),
    ),
    "cost of what is unknown": ("dashboard-data", in_definition("usage_daily", "sum(cost_usd)", "sum(0 * cost_usd)")),
    "users counted by rows": ("projects", in_definition("usage_project", "count(distinct user_id)", "count(user_id)")),
    "a median for a mean": ("velocity", in_definition("velocity", "percentile_cont(0.5)", "percentile_cont(0.6)")),
    "developers counted by rows": (
        "velocity",
        in_definition("velocity", "count(distinct developer)", "count(developer)"),
    ),
    "unreviewed as reviewed": ("review-costs", in_definition("review_costs", "review_count > 0", "review_count >= 0")),
    "kept for reverted": (
        "quality",
        in_definition("quality", "when is_reverted then 1", "when not is_reverted then 1"),
    ),
    "bands in one": ("ai-impact", in_definition("ai_impact", "sum(review_rounds)", "sum(review_rounds + 1)")),
    "every cost attributed": (
        "ai-spend",
        in_definition(
            "ai_spend_by_repo_week", "when repo_name is not null then coalesce(cost_usd, 0)", "when true then cost_usd"
        ),
    ),
    "usage of a wrong week": (
        "ai-spend",
        in_definition("int_usage_attributed", "usage_daily.day", "(usage_daily.day + 1)"),
    ),
    "usage_daily read whole": ("cost-data/by-provider", without_filter("usage_daily")),
    "usage_project read whole": ("projects", without_filter("usage_project")),
    "velocity read whole": ("velocity", without_filter("velocity")),
    "quality read whole": ("quality", without_filter("quality")),
    "review_costs read whole": ("review-costs", without_filter("review_costs")),
    "ai_impact read whole": ("ai-impact", without_filter("ai_impact")),
    "ai_spend read whole": ("ai-spend", without_filter("ai_spend_by_repo_week")),
    "prompts taken as responses of models": (
        "models",
        in_definition("usage_daily", "role = 'assistant' then 1", "role is not null then 1"),
    ),
    "people without a filter": ("people", without_filter("usage_daily")),
    "the facts of pull requests read whole": (
        "velocity",
        patched(
            delivery, "_facts", lambda plan, filters, where: Sql(f"SELECT * FROM {plan.stored('merged_pull_requests')}")
        ),
    ),
}


@pytest.mark.proof
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_in_either_way_is_noticed(reader: DuckDBReader, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path, change = MUTANTS[name]
    route = next(each for each in ROUTES if each.path == path)
    change(monkeypatch)
    assert any(not is_same for _, is_same, _ in compared(reader, route))
