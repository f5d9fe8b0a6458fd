"""Each report has the sums of the usage marts, in any time zone, around changes of the clocks."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings, strategies as st
from tests.report.events import CHANGES, ZONES, events, rows

from millrace.collect.parsers.event import UsageEvent
from millrace.collect.records import to_microseconds
from millrace.laptop.project import PROJECT
from millrace.prices import RateCard
from millrace.report.formats import measures
from millrace.report.sums import Pricing, Sums
from millrace.report.tallies import Kind, Selection, monday, tally
from millrace.report.zones import Zone
from simulator.truth.prices import Prices
from simulator.truth.usage import OwnedEvent, marts

PRICES = Prices.read(PROJECT / "jobs/dbt-runner/dbt/seeds")
CARD = RateCard.load()
SAME: tuple[str, ...] = ("user_message_count", "assistant_message_count", "n_cost", "reasoning_tokens", "total_tokens")
SAME += ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
Sum = dict[str, Any]


def of_marts(found: list[UsageEvent], mart: str, key: str, zone: str) -> dict[str | None, Sum]:
    """Return the sums of a mart's rows with the same value of a column."""
    sums: dict[str | None, Sum] = {}
    for row in marts([OwnedEvent(event) for event in found], PRICES, zone)[mart]:
        value = None if row[key] is None else str(row[key])
        known = sums.setdefault(value, dict.fromkeys(SAME, 0) | {"cost_usd": Decimal(0)})
        known |= {name: known[name] + row[name] for name in (*SAME, "cost_usd") if row[name] is not None}
    for row in sums.values():
        if row["assistant_message_count"] and not row["n_cost"]:  # prompts beside them cost nothing
            row["cost_usd"] = None
    return sums


def of_report(found: list[UsageEvent], kind: Kind, zone: str) -> dict[str | None, Sum]:
    made = tally(rows(found), kind, Zone.named(zone), Pricing(CARD), Selection())
    return {line.key[-1]: same(line.sums) for line in made.lines}


def same(sums: Sums) -> Sum:
    return {name: measures(sums)[name] for name in SAME} | {"cost_usd": sums.cost_usd}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("kind", "mart", "key"),
    [
        ("daily", "usage_daily", "day"),
        ("session", "usage_session", "session_id"),
        ("project", "usage_project", "project"),
        ("repository", "usage_daily", "repository"),
        ("model", "usage_model_day", "model"),
    ],
)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(found=events)
def test_rows_have_the_sums_of_the_mart(zone: str, kind: Kind, mart: str, key: str, found: list[UsageEvent]) -> None:
    found = [event for event in found if kind != "session" or event.agent == "claude"]
    assert of_report(found, kind, zone) == of_marts(found, mart, key, zone)


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(found=events)
def test_days_add_up_to_weeks_months_and_totals(zone: str, found: list[UsageEvent]) -> None:
    days = of_report(found, "daily", zone)
    kinds: list[tuple[Kind, Callable[[str], str]]] = [("weekly", week), ("monthly", month)]
    for kind, period in kinds:
        expected: dict[str | None, int] = {}
        for day, sums in days.items():
            expected[period(str(day))] = expected.get(period(str(day)), 0) + sums["total_tokens"]
        assert {key: sums["total_tokens"] for key, sums in of_report(found, kind, zone).items()} == expected
    totals = tally(rows(found), "daily", Zone.named(zone), Pricing(CARD), Selection()).totals
    assert totals.total_tokens == sum(sums["total_tokens"] for sums in days.values())
    assert totals.cost == sum(int((sums["cost_usd"] or 0) * 10**12) for sums in days.values())


def week(day: str) -> str:
    return monday(date.fromisoformat(day)).isoformat()


def month(day: str) -> str:
    return day[:7]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(found=events, since=st.integers(-2, 2), until=st.integers(-2, 2))
def test_a_range_has_the_days_within_it(found: list[UsageEvent], since: int, until: int) -> None:
    first, last = (CHANGES[0].date() + timedelta(days=number) for number in (since, until))
    zone = Zone.named(ZONES[0])
    made = tally(rows(found), "daily", zone, Pricing(CARD), Selection(since=first, until=last))
    every = of_report(found, "daily", ZONES[0])
    expected = {day: sums for day, sums in every.items() if first.isoformat() <= str(day) <= last.isoformat()}
    assert {line.key[0]: same(line.sums) for line in made.lines} == expected


@pytest.mark.parametrize("zone", ZONES)
def test_day_is_the_day_of_duckdb(zone: str) -> None:
    where = Zone.named(zone)
    step = timedelta(minutes=15)
    found = [at + step * number for change in CHANGES for at in [change - timedelta(days=1)] for number in range(200)]
    found += [at - timedelta(microseconds=1) for at in found]
    local = f"(instant at time zone 'UTC' at time zone '{zone}')::date"
    sql = f"select {local} from (select unnest(?::timestamp[]) as instant)"  # noqa: S608
    expected = duckdb.execute(sql, [[at.replace(tzinfo=None) for at in found]]).fetchall()
    assert [where.day(to_microseconds(at)) for at in found] == [day for (day,) in expected]


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_time_have_a_day(year: int) -> None:
    at = to_microseconds(datetime(year, 12 if year > 1 else 1, 31 if year > 1 else 1, 23 * (year > 1), 59, tzinfo=UTC))
    assert {Zone.named(zone).day(at).year for zone in (*ZONES, "Pacific/Kiritimati")} == {year}
