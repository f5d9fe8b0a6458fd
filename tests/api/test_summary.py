# ruff: noqa: S608 - the names are our own
"""Numbers of /api/summary equal those computed here from single events and pull requests of exact days."""

from datetime import UTC, date, timedelta
from math import sqrt
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings, strategies as st
from tests.api.conftest import NOW, ask, no_status
from tests.api.test_sums import answer, events, summed

from millrace.api.app import Api
from millrace.api.periods import days_of
from millrace.api.summary import Days, Estimate, _compared
from millrace.inference import Interval, t_quantile, wilson
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader

Row = dict[str, Any]
FIRST, LAST = (NOW - timedelta(days=20)).date(), (NOW - timedelta(days=6)).date()  # as events() of test_sums selects
BETWEEN = {"from": FIRST.isoformat(), "to": LAST.isoformat()}
LATE = {"from": "2026-10-16", "to": "2026-10-19"}  # the days before are settled, and have usage
# One repository is of GitHub, where two of three commits of each pull request were matched: too few to know its lines.
OF_GITHUB = """UPDATE mart.merged_pull_requests
    SET ai_matched_commit_count = 2, ai_matchable_commits = 3, ai_lines_added = NULL
    WHERE repo_name = 'acme-corp/service-01'"""
COLUMNS = "repo_name, developer, merged_at, cycle_time_hours, is_reverted, additions, ai_lines_added"


def pulls(store: DataDir, first: date, last: date, zone: str = "UTC", **filters: list[str]) -> list[Row]:
    rows = ask(store.published, f"SELECT {COLUMNS} FROM mart.merged_pull_requests")
    found: list[Row] = [dict(zip(COLUMNS.split(", "), row, strict=True)) for row in rows]
    for row in found:
        row["day"] = row["merged_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()
    names = {"repo": "repo_name"}
    return [
        row
        for row in found
        if first <= row["day"] <= last and all(row[names.get(name, name)] in each for name, each in filters.items())
    ]


def measures(said: Row) -> dict[str, Row]:
    return {row["measure"]: row for row in said["rows"]}


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
@pytest.mark.parametrize(
    "filters",
    [{}, {"repo": ["acme-corp/service-01"]}, {"developer": ["user_002", "user_003"]}, {"agent": ["claude"]}],
    ids=lambda filters: "+".join(filters) or "none",
)
def test_values_are_of_the_exact_days_and_filters(
    api: Api, store: DataDir, filters: dict[str, list[str]], zone: str
) -> None:
    said = measures(answer(api, "summary", tz=zone, **BETWEEN, **filters))
    used = events(store, filters, zone)
    of_pulls = {name: values for name, values in filters.items() if name != "agent"}
    merged = pulls(store, FIRST, LAST, zone, **of_pulls)
    sums = summed(used)
    assert used
    assert merged
    assert {name: said[name]["value"] for name in ("total_tokens", "session_count", "merged_prs")} == {
        "total_tokens": sums["total_tokens"],
        "session_count": sums["session_count"],
        "merged_prs": len(merged),
    }
    assert said["cost_usd"]["value"] == pytest.approx(float(sums["cost_usd"]))
    assert said["cost_usd"]["n"] == sums["n_cost"]
    assert said["user_count"]["value"] == len({row["user_id"] for row in used} - {None})
    assert said["active_developers"]["value"] == len({row["developer"] for row in merged} - {None})
    cycles = sorted(row["cycle_time_hours"] for row in merged if row["cycle_time_hours"] is not None)
    time = said["median_cycle_time_hours"]
    assert (time["value"], time["n"]) == (pytest.approx(median(cycles)), len(cycles))
    assert any(time["interval_low"] == pytest.approx(each) for each in cycles)
    assert time["interval_low"] <= time["value"] <= time["interval_high"]
    known = [row["is_reverted"] for row in merged if row["is_reverted"] is not None]
    rate = wilson(sum(known), len(known))
    assert rate
    assert [said["revert_rate"][name] for name in ("value", "interval_low", "interval_high")] == pytest.approx(
        [rate.value, rate.low, rate.high]
    )
    share = sum(row["ai_lines_added"] or 0 for row in merged) / sum(row["additions"] or 0 for row in merged)
    assert said["ai_line_share"]["value"] == pytest.approx(share)


def test_cost_of_a_pull_request_varies_by_day(api: Api, store: DataDir) -> None:
    found = measures(answer(api, "summary", **BETWEEN))["cost_per_merged_pr"]
    used = [row for row in events(store, {}) if row["repo_name"] and row["cost_usd"] is not None]
    repositories = {row["repo_name"] for row in used if row["role"] == "assistant"}
    merged = [row for row in pulls(store, FIRST, LAST) if row["repo_name"] in repositories]
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    cost = [float(sum(row["cost_usd"] for row in used if row["day"] == day)) for day in days]
    count = [sum(row["day"] == day for row in merged) for day in days]
    ratio = sum(cost) / sum(count)
    left = sum((x - ratio * y) ** 2 for x, y in zip(cost, count, strict=True)) / (len(days) - 1)
    half = t_quantile(0.95, len(days) - 1) * sqrt(left * len(days)) / sum(count)
    assert (found["value"], found["n"]) == (pytest.approx(ratio), len(merged))
    assert (found["interval_low"], found["interval_high"]) == pytest.approx((ratio - half, ratio + half))


def test_change_is_against_as_many_days_right_before(api: Api, store: DataDir) -> None:
    said = answer(api, "summary", **LATE)
    assert said["previous"] == {"from": "2026-10-12", "to": "2026-10-15"}
    now, before = (
        pulls(store, date(2026, 10, 16), date(2026, 10, 19)),
        pulls(store, date(2026, 10, 12), date(2026, 10, 15)),
    )
    merged = measures(said)["merged_prs"]
    assert (merged["value"], merged["previous_value"]) == (len(now), len(before))
    assert merged["change"] == pytest.approx(len(now) / len(before) - 1)
    assert merged["verdict"] == ("higher" if len(now) > len(before) else "lower")
    rate = measures(said)["revert_rate"]
    assert rate["change"] == pytest.approx(rate["value"] - rate["previous_value"])
    assert rate["change_low"] < rate["change"] < rate["change_high"]
    assert rate["verdict"] == "no_clear_change"


def test_nothing_is_compared_with_days_that_the_data_does_not_cover(api: Api) -> None:
    for row in answer(api, "summary", period="last_90_days")["rows"]:
        assert (row["previous_value"], row["change"], row["verdict"]) == (None, None, "not_known"), row


def test_merges_are_not_compared_with_the_first_days_of_the_data(api: Api) -> None:
    # Cycle time and merges seem to rise after the data begins, as slow pull requests of that time began before it.
    said = measures(answer(api, "summary", **{"from": "2026-10-05", "to": "2026-10-11"}))
    assert {name for name, row in said.items() if row["verdict"] == "not_known"} == {
        *("merged_prs", "active_developers", "median_cycle_time_hours", "revert_rate", "ai_line_share"),
        "cost_per_merged_pr",
    }


def test_running_month_has_a_projected_cost(api: Api) -> None:
    said = answer(api, "summary", period="this_month")
    assert (said["from"], said["to"], said["is_running"]) == ("2026-10-01", NOW.date().isoformat(), True)
    assert said["previous"] == {"from": "2026-09-01", "to": "2026-09-20"}
    assert said["projected_cost_usd"] == pytest.approx(measures(said)["cost_usd"]["value"] / 20 * 31)


def test_range_in_the_past_is_not_running(api: Api) -> None:
    said = answer(api, "summary", period="last_month")
    assert (said["is_running"], said["projected_cost_usd"]) == (False, None)
    assert said["previous"] == {"from": "2026-08-01", "to": "2026-08-31"}


def test_same_range_is_running_no_more_on_a_later_day(api: Api) -> None:
    asked = {"from": "2026-10-16", "to": NOW.date().isoformat()}
    assert answer(api, "summary", **asked)["is_running"] is True
    api.now = lambda: NOW + timedelta(days=1)
    assert answer(api, "summary", **asked)["is_running"] is False


def test_coverage_says_how_much_of_the_cost_is_known_and_matched(api: Api, store: DataDir) -> None:
    said = answer(api, "summary", **BETWEEN)["coverage"]
    used = events(store, {})
    responses = [row for row in used if row["role"] == "assistant"]
    cost = sum(row["cost_usd"] for row in used if row["cost_usd"] is not None)
    assert said["responses_without_cost"] == sum(row["cost_usd"] is None for row in responses) > 0
    assert said["cost_known_share"] == pytest.approx(1 - said["responses_without_cost"] / len(responses))
    for name, column in (("cost_with_repository_share", "repo_name"), ("cost_with_developer_share", "developer")):
        matched = sum(row["cost_usd"] for row in used if row[column] and row["cost_usd"] is not None)
        assert said[name] == pytest.approx(float(matched / cost))
        assert 0 < said[name] < 1


def test_coverage_says_of_how_many_pull_requests_and_commits_ai_lines_are_known(api: Api, place: DataDir) -> None:
    of_ai = ("ai_known_prs", "ai_matched_commits", "ai_matchable_commits")
    nothing_of_github = answer(api, "summary", **BETWEEN)["coverage"]
    with duckdb.connect(place.published) as published:
        published.execute(OF_GITHUB)
    reader = DuckDBReader(place.published)
    of_copy = Api(reader, no_status, lambda: NOW)
    whole, one = (
        answer(of_copy, "summary", **BETWEEN, **filters) for filters in ({}, {"repo": ["acme-corp/service-01"]})
    )
    rows = pulls(place, FIRST, LAST)
    own = pulls(place, FIRST, LAST, repo=["acme-corp/service-01"])
    known = sum(row["ai_lines_added"] is not None for row in rows)
    assert 0 < known < len(rows)
    assert [nothing_of_github[name] for name in of_ai[1:]] == [None, None]
    assert [whole["coverage"][name] for name in of_ai] == [known, 2 * len(own), 3 * len(own)]
    assert [one["coverage"][name] for name in of_ai] == [0, 2 * len(own), 3 * len(own)]
    assert measures(one)["ai_line_share"]["value"] is None
    totals = answer(of_copy, "repositories", **BETWEEN)["totals"]
    listed = {row["repo_name"]: row for row in answer(of_copy, "repositories", **BETWEEN)["rows"]}
    assert [totals[name] for name in of_ai] == [whole["coverage"][name] for name in of_ai]
    assert [listed["acme-corp/service-01"][name] for name in of_ai] == [0, 2 * len(own), 3 * len(own)]
    assert listed["acme-corp/service-02"]["ai_matchable_commits"] is None
    reader.close()


def test_range_before_the_data_is_unknown_and_not_zero(api: Api) -> None:
    said = answer(api, "summary", **{"from": "2020-01-01", "to": "2020-01-31"})
    assert {(row["value"], row["n"], row["verdict"]) for row in measures(said).values()} == {(None, 0, "not_known")}
    assert said["coverage"]["ai_known_prs"] is None


def test_person_who_merged_nothing_has_zero_merges(api: Api, store: DataDir) -> None:
    busy = {row["day"] for row in pulls(store, FIRST, LAST, developer=["user_001"])}
    day = next(each for n in range(15) if (each := FIRST + timedelta(days=n)) not in busy).isoformat()
    said = measures(answer(api, "summary", developer=["user_001"], **{"from": day, "to": day}))
    assert said["active_developers"]["value"] == said["merged_prs"]["value"] == 0
    assert said["median_cycle_time_hours"]["value"] is None


@pytest.mark.parametrize(
    ("period", "today", "previous"),
    [
        pytest.param("this_month", date(2026, 3, 31), (date(2026, 2, 1), date(2026, 2, 28)), id="shorter month before"),
        pytest.param("this_month", date(2026, 1, 1), (date(2025, 12, 1), date(2025, 12, 1)), id="first day of a year"),
        pytest.param("last_month", date(2026, 3, 5), (date(2026, 1, 1), date(2026, 1, 31)), id="whole months"),
        pytest.param("last_7_days", date(2026, 3, 7), (date(2026, 2, 22), date(2026, 2, 28)), id="as many days"),
        pytest.param("today", date(2026, 3, 1), (date(2026, 2, 28), date(2026, 2, 28)), id="one day"),
    ],
)
def test_period_before_is_the_one_that_people_mean(period: Any, today: date, previous: tuple[date, date]) -> None:
    before = Days(*days_of(period, today)).before(period)
    assert (before.first, before.last) == previous


@settings(deadline=None, max_examples=60)
@given(*(st.floats(0.01, 100) for _ in range(4)), st.integers(0, 60), st.integers(0, 60))
def test_claim_has_an_interval_without_zero_and_enough_pull_requests(
    value: float, width: float, previous: float, other: float, n: int, m: int
) -> None:
    def estimate(middle: float, by: float, count: int) -> Estimate:
        shown = Interval(middle, middle / (1 + by / 2), middle * (1 + by / 2))
        return Estimate(middle, count, shown, Interval(middle, middle / (1 + by), middle * (1 + by)))

    row = _compared("median_cycle_time_hours", estimate(value, width, n), estimate(previous, other, m))
    assert (row["verdict"] == "too_few") == (min(n, m) < 20)
    if row["verdict"] in ("higher", "lower"):
        assert (row["change_low"] > 0) == (row["verdict"] == "higher") == (value > previous)
        assert not row["change_low"] <= 0 <= row["change_high"]
