# ruff: noqa: S608 - the names are our own
"""The sums of the routes equal sums over the events, which are written here and share no code with the API."""

import json
from collections import defaultdict
from datetime import UTC, timedelta
from decimal import Decimal
from statistics import fmean, median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.api.conftest import NOW, ask

from millrace.api.app import Api
from millrace.api.routes import ROUTES
from millrace.laptop.data_dir import DataDir

FIRST, LAST = (NOW - timedelta(days=20)).date(), (NOW - timedelta(days=6)).date()
BETWEEN = {"from": FIRST.isoformat(), "to": LAST.isoformat()}
FILTERS: list[dict[str, list[str]]] = [
    {},
    {"agent": ["claude"]},
    {"provider": ["anthropic"]},
    {"project": ["src-service-01"]},
    {"repo": ["acme-corp/service-01"]},
    {"developer": ["user_002", "user_003"]},
    {"provider": ["anthropic", "openai"], "agent": ["claude", "codex"]},
]


def _read(store: DataDir, sql: str) -> list[Any]:
    return list(ask(store.published, sql))


def answer(api: Api, path: str, **question: Any) -> dict[str, Any]:
    route = next(each for each in ROUTES if each.path == path)
    asked = route.filters.model_validate({"money": "text"} | question)
    found: dict[str, Any] = json.loads(api.answer(route, asked).body)
    return found


def events(store: DataDir, filters: dict[str, list[str]], zone: str = "UTC") -> list[dict[str, Any]]:
    """Return the events that match the filters, selected in Python."""
    columns = (
        "agent, session_id, user_id, project, provider, model, role, occurred_at, total_tokens, output_tokens,"
        " cost_usd, repo_name, developer"
    )
    text = f"""SELECT {columns} FROM mart.usage_events LEFT JOIN mart.project_repositories USING (project)
        LEFT JOIN mart.user_developers USING (user_id)"""
    rows: list[dict[str, Any]] = [dict(zip(columns.split(", "), row, strict=True)) for row in _read(store, text)]
    for row in rows:
        row["day"] = row["occurred_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    names = {"repo": "repo_name"}
    return [
        row
        for row in rows
        if FIRST <= row["day"] <= LAST and all(row[names.get(name, name)] in values for name, values in filters.items())
    ]


def summed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up the rows: unknown money is left out, and the sum is None if it is unknown for every response."""
    responses = [row for row in rows if row["role"] == "assistant"]
    known = [row["cost_usd"] for row in responses if row["cost_usd"] is not None]
    cost = sum(known, Decimal(0)) if known or not responses else None
    return {
        "assistant_message_count": len(responses),
        "user_message_count": len(rows) - len(responses),
        "output_tokens": sum(row["output_tokens"] or 0 for row in rows),
        "total_tokens": sum(row["total_tokens"] for row in rows),
        "n_cost": len(known),
        "cost_usd": cost,
        "session_count": len({(row["agent"], row["session_id"]) for row in rows}),
    }


def same(said: dict[str, Any], expected: dict[str, Any]) -> bool:
    cost = None if said["cost_usd"] is None else Decimal(said["cost_usd"])
    return {**{name: said[name] for name in expected}, "cost_usd": cost} == expected


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: "+".join(filters) or "none")
def test_the_whole_and_each_day_are_the_sum_of_their_events(api: Api, store: DataDir, filters: dict[str, Any]) -> None:
    picked = events(store, filters)
    assert picked
    said = answer(api, "dashboard-data", **BETWEEN, **filters)
    whole = summed(picked) | {
        "user_count": len({row["user_id"] for row in picked} - {None}),
        "project_count": len({row["project"] for row in picked} - {None}),
    }
    assert same(said["totals"], whole)
    days = defaultdict(list)
    for row in picked:
        days[row["day"].isoformat()].append(row)
    assert [row["day"] for row in said["rows"]] == sorted(days)
    assert all(same(row, summed(days[row["day"]])) for row in said["rows"])


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: "+".join(filters) or "none")
def test_each_provider_and_model_is_the_sum_of_its_responses(api: Api, store: DataDir, filters: dict[str, Any]) -> None:
    picked = events(store, filters)
    for path, keys in (("by-provider", ("provider",)), ("by-model", ("provider", "model"))):
        parts = defaultdict(list)
        for row in picked:
            if row["role"] == "assistant":
                parts[tuple(row[key] for key in keys)].append(row)
        said = answer(api, f"cost-data/{path}", **BETWEEN, **filters)
        found = {tuple(row[key] for key in keys): row for row in said["rows"]}
        assert found.keys() == parts.keys()
        expected = {key: summed(rows) for key, rows in parts.items()}
        assert all(
            expected[key].pop("user_message_count") == 0 and same(row, expected[key]) for key, row in found.items()
        )
        assert same(said["totals"], summed(picked))
        dashboard = answer(api, "dashboard-data", **BETWEEN, **filters)[f"{path.removeprefix('by-')}s"]
        assert {tuple(row[key] for key in keys): row for row in dashboard} == found
        assert said["rows"] == sorted(said["rows"], key=lambda row: -Decimal(row["cost_usd"] or -1))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles", "Asia/Kathmandu"])
def test_days_of_another_zone_are_those_of_its_clock(api: Api, store: DataDir, zone: str) -> None:
    days = defaultdict(list)
    for row in events(store, {}, zone):
        days[row["day"].isoformat()].append(row)
    said = answer(api, "dashboard-data", tz=zone, **BETWEEN)
    assert (said["source"], said["time_zone"]) == ("events", zone)
    assert [row["day"] for row in said["rows"]] == sorted(days)
    assert all(same(row, summed(days[row["day"]])) for row in said["rows"])
    assert days.keys() != {row["day"].isoformat() for row in events(store, {})} or any(
        not same(row, summed([each for each in events(store, {}) if each["day"].isoformat() == row["day"]]))
        for row in said["rows"]
    )


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
def test_range_totals_are_computed_from_pull_requests_not_weeks(api: Api, store: DataDir, zone: str) -> None:
    text = "SELECT merged_at, repo_name, developer, total_loc, cycle_time_hours FROM mart.merged_pull_requests"
    picked = []
    for merged_at, *values in _read(store, text):
        day = merged_at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
        if FIRST <= day - timedelta(days=day.weekday()) <= LAST:
            picked.append(values)
    said = answer(api, "velocity", tz=zone, **BETWEEN)["totals"]
    cycles = [cycle for *_, cycle in picked if cycle is not None]
    assert len(picked) > 10
    assert said["total_prs"] == len(picked)
    assert said["active_developers"] == len({developer for _, developer, *_ in picked} - {None})
    assert said["total_loc"] == sum(loc or 0 for _, _, loc, _ in picked)
    assert said["p50_cycle_time_hours"] == pytest.approx(median(cycles))
    assert said["avg_cycle_time_hours"] == pytest.approx(fmean(cycles))


def test_sessions_are_those_that_began_in_the_range_as_a_whole(api: Api, store: DataDir) -> None:
    text = "SELECT agent, session_id, first_at, total_tokens, cost_usd FROM mart.usage_session"
    rows: list[Any] = [row for row in _read(store, text) if FIRST <= row[2].date() <= LAST]
    said = answer(api, "cost-data", limit=1000, **BETWEEN)
    assert said["total_count"] == said["totals"]["session_count"] == len(rows)
    assert {(row["agent"], row["session_id"], row["total_tokens"]) for row in said["rows"]} == {
        (agent, session, tokens) for agent, session, _, tokens, _ in rows
    }
    dearest = max(row[4] for row in rows if row[4] is not None)
    assert Decimal(said["rows"][0]["cost_usd"]) == dearest


def test_spending_of_a_range_has_the_shares_of_the_range(api: Api, store: DataDir) -> None:
    said = answer(api, "ai-spend", **BETWEEN)
    monday = FIRST + timedelta(days=-FIRST.weekday() % 7)
    sunday = LAST - timedelta(days=LAST.weekday()) + timedelta(days=6)
    where = f"day BETWEEN DATE '{monday}' AND DATE '{sunday}'"
    [(spent,)] = _read(store, f"SELECT sum(cost_usd) FROM mart.usage_daily WHERE {where}")
    mapped = "project IN (SELECT project FROM mart.project_repositories WHERE repo_name IS NOT NULL)"
    [(attributed,)] = _read(store, f"SELECT sum(cost_usd) FROM mart.usage_daily WHERE {where} AND {mapped}")
    assert Decimal(said["totals"]["cost_usd"]) == attributed
    assert said["totals"]["cost_attributed_share"] == pytest.approx(float(attributed / spent))
    assert 0 < said["totals"]["cost_attributed_share"] < 1
    assert said["totals"]["merged_prs"] == sum(row["merged_prs"] or 0 for row in said["rows"])
    with_cost = {row["repo_name"] for row in said["rows"] if row["cost_usd"] is not None}
    merged = sum(row["merged_prs"] or 0 for row in said["rows"] if row["repo_name"] in with_cost)
    assert 0 < merged < said["totals"]["merged_prs"]
    assert said["totals"]["cost_per_merged_pr"] == pytest.approx(float(attributed) / merged)


@pytest.mark.parametrize("filters", [{}, {"model": ["claude-sonnet-4-5"]}], ids=["all", "of a model"])
def test_matches_are_all_usage_by_how_it_was_matched_and_why_not(
    api: Api, store: DataDir, filters: dict[str, list[str]]
) -> None:
    said = answer(api, "ai-spend", **BETWEEN, **filters)
    monday = FIRST + timedelta(days=-FIRST.weekday() % 7)
    sunday = LAST - timedelta(days=LAST.weekday()) + timedelta(days=6)
    asked = "AND model = 'claude-sonnet-4-5'" if filters else ""
    text = f"""SELECT r.matched_by, r.gap, CASE WHEN u.developer IS NULL THEN
            CASE WHEN e.user_id IS NULL THEN 'no_user' ELSE 'no_developer' END END,
            count(*), count(e.cost_usd), sum(e.cost_usd)
        FROM mart.usage_events AS e LEFT JOIN mart.project_repositories AS r
            ON e.project IS NOT DISTINCT FROM r.project AND e.repository IS NOT DISTINCT FROM r.repository
        LEFT JOIN mart.user_developers AS u ON e.user_id = u.user_id
        WHERE e.role = 'assistant' AND CAST(e.occurred_at AS DATE) BETWEEN DATE '{monday}' AND DATE '{sunday}' {asked}
        GROUP BY ALL"""
    expected = {row[:3]: row[3:] for row in _read(store, text)}
    gaps = ("matched_by", "repository_gap", "developer_gap")
    found = {tuple(row[name] for name in gaps): row for row in said["matches"]}
    assert {
        key: (row["assistant_message_count"], row["n_cost"], row["cost_usd"] and Decimal(row["cost_usd"]))
        for key, row in found.items()
    } == expected
    assert len(found) > 1
    assert filters or said["source"] == "marts"


@pytest.mark.parametrize(
    "route", ["velocity", "review-costs", "quality", "ai-impact", "ai-spend", "agent-pull-requests"]
)
def test_newest_week_is_first(api: Api, route: str) -> None:
    weeks = [row["week"] for row in answer(api, route, **BETWEEN)["rows"]]
    assert len(set(weeks)) > 1
    assert weeks == sorted(weeks, reverse=True)
