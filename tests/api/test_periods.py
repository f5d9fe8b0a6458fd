# ruff: noqa: S608 - the names are our own
"""Periods and zones of the usage routes: a word means the same days everywhere, and no zone loses or doubles time."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo

import duckdb
import pytest
from fastapi.testclient import TestClient
from tests.api.conftest import NOW, ask, no_status

from millrace.api.app import Api
from millrace.api.document import parameters_of
from millrace.api.filters import UsageFilters
from millrace.api.periods import MAX_DAYS, Period, days_of
from millrace.api.routes import ROUTES, Route
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader

USAGE = [route for route in ROUTES if issubclass(route.filters, UsageFilters)]
LISTS = ["summary", "people", "repositories", "models", "sessions", "pull-requests"]
DAYS = {"today": 1, "week": 7, "month": 30, "all": MAX_DAYS}
# Two have a fraction of an hour, and three changed their clocks within the world's days, Lord Howe by half an hour.
ZONES = ["UTC", "Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe", "Australia/Sydney", "America/St_Johns"]
FAR = ("Pacific/Kiritimati", "Pacific/Pago_Pago")


def asked(reader: DuckDBReader, route: Route, question: dict[str, Any], now: datetime = NOW) -> dict[str, Any]:
    api = Api(reader, no_status, lambda: now)
    asking = route.filters.model_validate({"money": "text"} | question)
    answer: dict[str, Any] = json.loads(api.answer(route, asking).body)
    return answer


def path_of(name: str) -> Route:
    return next(route for route in ROUTES if route.path == name)


def test_the_usage_routes_are_those_with_usage() -> None:
    assert [route.path for route in USAGE] == [
        "projects",
        "dashboard-data",
        "cost-data",
        "cost-data/by-provider",
        "cost-data/by-model",
        *LISTS,
    ]


# The days follow from the filters alone: each is asked for at one route, and one of them at every route.
_ASKED = [
    *((path, period, "Pacific/Kiritimati") for path, period in (("projects", "all"), ("projects", "week"))),
    *(("dashboard-data", period, zone) for period in (*DAYS, "yesterday") for zone in (None, "UTC", *FAR)),
    *((route.path, "yesterday", "Pacific/Kiritimati") for route in USAGE if route.path != "dashboard-data"),
]


@pytest.mark.parametrize(("path", "period", "zone"), _ASKED)
def test_a_period_is_the_days_that_it_means_in_the_zone(
    reader: DuckDBReader, path: str, period: str, zone: str | None
) -> None:
    route = path_of(path)
    now = datetime(2026, 10, 19, 10, 30, tzinfo=UTC)  # the 20th at Kiritimati, the 18th at Pago Pago
    of_zone: dict[str, Any] = {} if zone is None else {"tz": zone}
    last = now.astimezone(ZoneInfo(zone or "UTC")).date() - timedelta(days=period == "yesterday")
    days: dict[str, Any] = {"from": last - timedelta(days=DAYS.get(period, 1) - 1), "to": last}
    if (route.path, period) == ("projects", "all"):
        days = {}  # a list of projects is of all time unless days are requested
    named = asked(reader, route, {"period": period} | of_zone, now)
    plain = asked(reader, route, days | of_zone, now)
    assert named == plain
    if days:
        assert (named["from"], named["to"]) == (days["from"].isoformat(), days["to"].isoformat())


@pytest.mark.parametrize(
    ("period", "today", "first", "last"),
    [
        ("this_month", date(2026, 10, 20), date(2026, 10, 1), date(2026, 10, 20)),
        ("last_month", date(2026, 1, 31), date(2025, 12, 1), date(2025, 12, 31)),
        ("last_month", date(2028, 3, 1), date(2028, 2, 1), date(2028, 2, 29)),
        ("last_7_days", date(2026, 10, 20), date(2026, 10, 14), date(2026, 10, 20)),
        ("last_30_days", date(2026, 10, 20), date(2026, 9, 21), date(2026, 10, 20)),
        ("last_90_days", date(2026, 10, 20), date(2026, 7, 23), date(2026, 10, 20)),
        ("this_year", date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 1)),
    ],
)
def test_a_period_of_the_calendar_ends_today_at_the_latest(
    period: Period, today: date, first: date, last: date
) -> None:
    assert days_of(period, today) == (first, last)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_takes_a_period(reader: DuckDBReader, route: Route) -> None:
    named = asked(reader, route, {"period": "last_month"}, datetime(2026, 10, 20, 12, tzinfo=UTC))
    assert (named["from"], named["to"]) == ("2026-09-01", "2026-09-30")


@pytest.mark.parametrize("route", USAGE, ids=lambda route: route.path)
@pytest.mark.parametrize("day", ["from", "to"])
def test_a_period_beside_days_is_refused(client: TestClient, route: Route, day: str) -> None:
    reply = client.get(f"/api/{route.path}", params={"period": "week", day: "2026-10-01"})
    assert (reply.status_code, reply.headers["Content-Type"]) == (422, "application/problem+json")
    assert "expected either period, or from and to, got both" in reply.json()["detail"]


@pytest.mark.parametrize("route", USAGE, ids=lambda route: route.path)
@pytest.mark.parametrize("period", ["fortnight", "to day", "7"])
def test_an_unknown_period_is_refused(client: TestClient, route: Route, period: str) -> None:
    reply = client.get(f"/api/{route.path}", params={"period": period})
    said = "period: expected today, yesterday, week, month, all, this_month, last_month,"
    assert (reply.status_code, said in reply.json()["detail"]) == (422, True)


@pytest.mark.parametrize("route", USAGE, ids=lambda route: route.path)
def test_the_document_has_the_periods_and_the_zones(client: TestClient, route: Route) -> None:
    document = client.get("/openapi.json").json()
    parameters = parameters_of(document, document["paths"][f"/api/{route.path}"]["get"])
    schemas = {each["name"]: each["schema"] for each in parameters}
    assert schemas["period"]["enum"] == list(get_args(Period))
    assert "tz" in schemas


# ---- the days of any zone


def begins(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("filters", [{}, {"agent": ["claude"]}], ids=["all", "an agent"])
def test_days_of_a_zone_add_up_to_the_marts_between_their_instants(
    reader: DuckDBReader, store: DataDir, zone: str, filters: dict[str, list[str]]
) -> None:
    first, last = date(2026, 9, 26), date(2026, 10, 10)
    of_agent = "AND agent = 'claude'" if filters else ""
    between = f"occurred_at >= '{begins(first, zone)}' AND occurred_at < '{begins(last + timedelta(days=1), zone)}'"
    sums = "count(*) FILTER (role = 'assistant'), sum(total_tokens), sum(cost_usd)"
    [expected] = ask(store.published, f"SELECT {sums} FROM mart.usage_events WHERE {between} {of_agent}")
    question = {"tz": zone, "from": first, "to": last, **filters}
    said = asked(reader, path_of("dashboard-data"), question)
    rows = said["rows"]
    assert (said["has_more"], len(rows) > 5) == (False, True)
    money = sum((Decimal(row["cost_usd"]) for row in rows if row["cost_usd"] is not None), Decimal(0))
    assert (sum(row["assistant_message_count"] for row in rows), sum(row["total_tokens"] for row in rows), money) == (
        expected
    )
    whole = said["totals"]
    assert (whole["assistant_message_count"], whole["total_tokens"], Decimal(whole["cost_usd"])) == expected
    for name in ("cost-data/by-provider", "cost-data/by-model"):
        others = asked(reader, path_of(name), question)["totals"]
        assert (others["total_tokens"], Decimal(others["cost_usd"])) == expected[1:]


BORDERS = [
    pytest.param("Asia/Kathmandu", date(2026, 7, 1), id="a fraction of an hour"),
    pytest.param("Pacific/Chatham", date(2026, 9, 27), id="a short day with a fraction"),
    pytest.param("Pacific/Chatham", date(2026, 4, 5), id="a long day with a fraction"),
    pytest.param("Europe/Berlin", date(2026, 3, 29), id="a short day"),
    pytest.param("Europe/Berlin", date(2026, 10, 25), id="a long day"),
    pytest.param("America/Havana", date(2026, 11, 1), id="a day that has midnight twice"),
    pytest.param("Africa/Cairo", date(2026, 4, 24), id="a day without midnight"),
    pytest.param("Australia/Lord_Howe", date(2026, 10, 4), id="a change by half an hour"),
    pytest.param("Pacific/Kiritimati", date(2026, 12, 31), id="the first day on earth"),
    pytest.param("Pacific/Pago_Pago", date(2026, 1, 1), id="the last day on earth"),
]


@pytest.mark.parametrize(("zone", "day"), BORDERS)
def test_a_day_of_a_zone_has_its_first_and_its_last_second(place: DataDir, zone: str, day: date) -> None:
    start, end = begins(day, zone), begins(day + timedelta(days=1), zone)
    second = timedelta(seconds=1)
    inside, outside = (start, start + second, start + (end - start) / 2, end - second), (start - second, end)
    replace_instants(place, (*inside, *outside))
    reader = DuckDBReader(place.published)
    api = Api(reader, no_status, lambda: NOW, without=frozenset({"usage_session"}))
    asked = {"tz": zone, "from": day, "to": day}
    for route in USAGE:
        question = asked | ({"include_stats": True} if route.path == "projects" else {})
        said = json.loads(api.answer(route, route.filters.model_validate(question)).body)
        assert counted(route, said) == {name: len(inside) for name in counted(route, said)}, route.path
    reader.close()


def replace_instants(place: DataDir, instants: tuple[datetime, ...]) -> None:
    """Leave one response, in a session of its own, and one merged pull request at each instant."""
    with duckdb.connect(place.published) as connection:
        connection.execute("CREATE TEMP TABLE event AS FROM mart.usage_events WHERE role = 'assistant' LIMIT 1")
        connection.execute("CREATE TEMP TABLE pull AS FROM mart.merged_pull_requests LIMIT 1")
        for table in ("usage_events", "merged_pull_requests"):
            connection.execute(f"DELETE FROM mart.{table}")
        for n, instant in enumerate(instants):
            at = f"'{instant}'::TIMESTAMP"
            event = f"'S{n}' AS session_id, {at} AS occurred_at, {at}::DATE AS day, 'p' AS project"
            pull = f"{n} AS number, {at} AS merged_at"
            connection.execute(f"INSERT INTO mart.usage_events BY NAME SELECT * REPLACE ({event}) FROM event")
            connection.execute(f"INSERT INTO mart.merged_pull_requests BY NAME SELECT * REPLACE ({pull}) FROM pull")


def counted(route: Route, said: dict[str, Any]) -> dict[str, int]:
    """Return how many responses, sessions and pull requests an answer has, as far as the route counts them."""
    rows = said["rows"]
    if route.path == "pull-requests":
        return {"merged_prs": len(rows)}
    if route.path == "summary":
        values = {row["measure"]: row["value"] for row in rows}
        return {name: values[name] for name in ("session_count", "merged_prs")}
    names = {"assistant_message_count", "session_count", "merged_prs"} & route.row.model_fields.keys()
    # Null is the usage of a developer to whom no user is matched, and the merges of a user who is no developer.
    return {name: sum(row[name] or 0 for row in rows) for name in names}
