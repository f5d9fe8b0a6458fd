# ruff: noqa: S608 - the names are our own
"""The lists equal sums over events and pull requests that are written here, and add up to the whole."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date
from decimal import Decimal
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from tests.api.conftest import NOW, ask, no_status
from tests.api.test_sums import BETWEEN, FIRST, LAST, answer, events, same, summed

from millrace.api.app import Api
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader

Row = dict[str, Any]
FILTERS: list[dict[str, list[str]]] = [
    {},
    {"agent": ["claude"]},
    {"repo": ["acme-corp/service-01"]},
    {"developer": ["user_002", "user_003"]},
]
USED = ("cost_usd", "n_cost", "assistant_message_count", "user_message_count", "total_tokens", "session_count")


def merged(store: DataDir, filters: dict[str, list[str]], zone: str = "UTC") -> list[Row]:
    """Return the pull requests that were merged on the days of the range, selected in Python."""
    columns = (
        "repo_name, developer, merged_at, additions, ai_lines_added, ai_ratio, cycle_time_hours, is_reverted, number"
    )
    found = ask(store.published, f"SELECT {columns} FROM mart.merged_pull_requests")
    rows: list[Row] = [dict(zip(columns.split(", "), row, strict=True)) for row in found]
    names = {"repo": "repo_name", "developer": "developer"}
    asked = {names[name]: values for name, values in filters.items() if name in names}
    return [
        row
        for row in rows
        if FIRST <= row["merged_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date() <= LAST
        and all(row[name] in values for name, values in asked.items())
    ]


def grouped(rows: Iterable[Row], key: str) -> dict[Any, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return dict(found)


def with_person(rows: list[Row]) -> list[Row]:
    return [row | {"person": row["developer"] or row["user_id"]} for row in rows]


def check(row: Row, used: list[Row] | None, pull_requests: list[Row] | None) -> None:
    """Compare a row with its events and its pull requests; None: they are unknown."""
    if used is None:
        assert [row[name] for name in USED] == [None] * len(USED)
    else:
        assert same(row, {name: value for name, value in summed(used).items() if name in USED})
        assert row["user_count"] == len({each["user_id"] for each in used} - {None})
    if pull_requests is None:
        assert (row["merged_prs"], row["p50_cycle_time_hours"]) == (None, None)
        return
    cycles = [each["cycle_time_hours"] for each in pull_requests if each["cycle_time_hours"] is not None]
    assert (row["merged_prs"], row["n_cycle_time_hours"]) == (len(pull_requests), len(cycles))
    assert row["p50_cycle_time_hours"] == (pytest.approx(median(cycles)) if cycles else None)
    assert (row["lines_added"] or 0) == sum(each["additions"] or 0 for each in pull_requests)


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: "+".join(filters) or "none")
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
def test_each_person_is_the_sum_of_their_events_and_pull_requests(
    api: Api, store: DataDir, filters: dict[str, list[str]], zone: str
) -> None:
    said = answer(api, "people", tz=zone, limit=1000, **BETWEEN, **filters)
    used = grouped(with_person(events(store, filters, zone)), "person")
    made = grouped(merged(store, filters, zone), "developer")
    matched = {name for (name,) in ask(store.published, "SELECT DISTINCT developer FROM mart.user_developers")}
    assert {row["person"] for row in said["rows"]} == used.keys() | made.keys()
    for row in said["rows"]:
        name = row["person"]
        is_developer = name is None or name in matched or name in made
        check(row, used.get(name, [] if name in matched else None), made.get(name, []) if is_developer else None)
        assert row["developer"] == (name if is_developer else None)
    check(said["totals"], events(store, filters, zone), merged(store, filters, zone))


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: "+".join(filters) or "none")
def test_each_repository_is_the_sum_of_its_events_and_pull_requests(
    api: Api, store: DataDir, filters: dict[str, list[str]]
) -> None:
    said = answer(api, "repositories", limit=1000, **BETWEEN, **filters)
    used, made = grouped(events(store, filters), "repo_name"), grouped(merged(store, filters), "repo_name")
    matched = {name for (name,) in ask(store.published, "SELECT DISTINCT repo_name FROM mart.project_repositories")}
    assert {row["repo_name"] for row in said["rows"]} == used.keys() | made.keys()
    for row in said["rows"]:
        name, own = row["repo_name"], made.get(row["repo_name"], [])
        check(row, used.get(name, [] if name in matched else None), None if name is None else own)
        if name is not None and row["cost_usd"] is not None and own:
            assert row["cost_per_merged_pr"] == pytest.approx(float(row["cost_usd"]) / len(own))
            reverted = [each["is_reverted"] for each in own if each["is_reverted"] is not None]
            assert (row["reverted_prs"], row["n_revert_known"]) == (sum(reverted), len(reverted))
    check(said["totals"], events(store, filters), merged(store, filters))
    assert any(row["repo_name"] is None for row in said["rows"]) == (None in used)


@pytest.mark.parametrize("path", ["people", "repositories"])
@pytest.mark.parametrize("period", ["last_month", "this_month", "all"])
def test_the_parts_add_up_to_their_totals_and_to_the_summary(api: Api, path: str, period: str) -> None:
    said = answer(api, path, period=period, limit=1000)
    for name in ("assistant_message_count", "n_cost", "total_tokens", "merged_prs", "lines_added"):
        assert sum(row[name] or 0 for row in said["rows"]) == said["totals"][name]
    cost = sum((Decimal(row["cost_usd"]) for row in said["rows"] if row["cost_usd"]), Decimal(0))
    assert cost == Decimal(said["totals"]["cost_usd"])
    summary = {row["measure"]: row["value"] for row in answer(api, "summary", period=period)["rows"]}
    assert float(cost) == pytest.approx(summary["cost_usd"])
    assert summary["merged_prs"] == said["totals"]["merged_prs"]
    assert summary["session_count"] == said["totals"]["session_count"]


def test_each_model_of_the_rate_card_is_the_sum_of_its_ids(api: Api, store: DataDir) -> None:
    found = ask(store.published, "SELECT model, max(price_model) FROM mart.usage_events GROUP BY model")
    priced = {model: name for model, name in found}  # noqa: C416 typed as pairs
    responses = [row for row in events(store, {}) if row["role"] == "assistant"]
    names = [row | {"name": (priced.get(row["model"]) or row["model"], row["provider"])} for row in responses]
    said = answer(api, "models", limit=1000, **BETWEEN)
    expected = grouped(names, "name")
    assert {(row["model"], row["provider"]) for row in said["rows"]} == expected.keys()
    for row in said["rows"]:
        own = expected[row["model"], row["provider"]]
        assert same(row, {name: value for name, value in summed(own).items() if name != "user_message_count"})
        ids = {each["model"] for each in own} - {None}
        assert row["model_ids"] == (", ".join(sorted(ids)) or None)
    assert any("," in (row["model_ids"] or "") for row in said["rows"])
    assert sum(row["assistant_message_count"] for row in said["rows"]) == said["totals"]["assistant_message_count"]


def test_a_session_has_its_person_and_repository(api: Api, store: DataDir) -> None:
    said = answer(api, "sessions", limit=1000, **BETWEEN)
    text = """SELECT session_id, coalesce(developer, user_id), developer, repo_name FROM mart.usage_session
        LEFT JOIN mart.user_developers USING (user_id) LEFT JOIN mart.project_repositories USING (project)"""
    known = {session: rest for session, *rest in ask(store.published, text)}
    assert {None, "user_001"} < {row["developer"] for row in said["rows"]}
    for row in said["rows"]:
        assert [row["person"], row["developer"], row["repo_name"]] == known[row["session_id"]]
    costs = [Decimal(row["cost_usd"]) for row in said["rows"] if row["cost_usd"]]
    assert costs == sorted(costs, reverse=True)
    assert said["totals"] == answer(api, "cost-data", **BETWEEN)["totals"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
def test_pull_requests_are_those_of_the_days_newest_first(api: Api, store: DataDir, zone: str) -> None:
    said = answer(api, "pull-requests", tz=zone, limit=1000, **BETWEEN)
    expected = {(row["repo_name"], row["number"]) for row in merged(store, {}, zone)}
    assert {(row["repo_name"], row["number"]) for row in said["rows"]} == expected
    assert said["total_count"] == len(expected) > 50
    instants = [row["merged_at"] for row in said["rows"]]
    assert instants == sorted(instants, reverse=True)
    of_a_model = answer(api, "pull-requests", tz=zone, limit=1000, agent=["claude"], **BETWEEN)
    assert of_a_model["rows"] == said["rows"]  # a pull request has no agent


def test_usage_of_a_developer_without_a_user_is_unknown_not_zero(place: DataDir) -> None:
    with duckdb.connect(place.published) as connection:
        connection.execute("DELETE FROM mart.user_developers WHERE developer = 'user_002'")
    reader = DuckDBReader(place.published)
    said = answer(Api(reader, no_status, lambda: NOW), "people", person=["user_002"], **BETWEEN)
    reader.close()
    (row,) = said["rows"]
    assert (row["cost_usd"], row["assistant_message_count"], row["merged_prs"] > 0) == (None, None, True)


def test_a_range_before_the_data_has_no_rows_and_zero_merged(api: Api) -> None:
    days = {"from": date(2020, 1, 1), "to": date(2020, 1, 31)}
    said = answer(api, "people", **days)
    assert (said["rows"], said["totals"]["merged_prs"]) == ([], 0)
    assert Decimal(said["totals"]["cost_usd"]) == 0
