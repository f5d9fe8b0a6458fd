"""The usage marts of a few events, computed by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent
from simulator.truth.prices import SOLD, Price, Prices
from simulator.truth.usage import OwnedEvent, marts, price_event


def offer(model: str, since: str, *usd: str, speed: str = "standard", over: int = 0, **more: Any) -> Price:
    rates = dict(zip(SOLD, [Decimal(rate) if rate else None for rate in usd], strict=True))
    search = Decimal("0.01") if model == "opus" else None
    place = {"source": "rate_card", "region": ""} | more
    return Price(
        model=model, speed=speed, context_over_tokens=over, valid_from=date.fromisoformat(since), usd=rates,
        usd_per_search=search, **place,
    )  # fmt: skip


PRICES = Prices(
    offers=(
        offer("opus", "2026-01-01", "5", "25", "0.5", "6.25", "10"),
        offer("opus", "2026-01-01", "30", "150", "3", "", "", speed="fast"),
        offer("opus", "2026-01-01", "10", "50", "1", "12.5", "20", over=1000),
        offer("opus", "2026-07-01", "1", "2", "0.1", "1.25", "2"),
        offer("opus", "2026-01-01", "5.5", "27.5", "0.55", "6.875", "11", region="us"),
        offer("glm", "2026-01-01", "1", "3", "0.1", "", ""),
        offer("far", "2026-01-01", "", "", "", "", "", over=50),
        offer("kimi", "2026-01-01", "2", "4", "0.1", "", "", source="second_source"),
        offer("glm", "2026-01-01", "9", "9", "9", "9", "9", source="second_source"),
        offer("mini", "2026-01-01", "", "", "", "", ""),
        offer("mini", "2026-01-01", "1", "1", "", "", "", source="second_source"),
    ),
    rules=(("^.*/", "", ""), ("-20[0-9]{6}$", "", ""), ("-fast$", "", "fast")),
    aliases={"great-work": "opus"},
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANSWER = UsageEvent(
    agent="claude",
    session_id="s1",
    message_id="m1",
    request_id="r1",
    role="assistant",
    occurred_at=NOON,
    project="app",
    provider="anthropic",
    model="opus",
    tokens=Tokens(100, 10, 200, 20, 2, 5),
)
PROMPT = replace(
    ANSWER,
    message_id="p1",
    request_id=None,
    role="user",
    provider=None,
    model=None,
    tokens=NO_TOKENS,
    cost_usd=NO_COST,
)
BASE_COST = Decimal("0.000995")  # (100*5 + 10*25 + 200*0.5 + 20*6.25 + 2*10) / 1e6


def mart(name: str, *events: UsageEvent | OwnedEvent, zone: str = "UTC") -> list[dict[str, Any]]:
    owned = [event if isinstance(event, OwnedEvent) else OwnedEvent(event, "ann@example.com") for event in events]
    return marts(owned, PRICES, zone)[name]


def columns(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


LONG = Tokens(input_tokens=500, cache_read_tokens=400, cache_write_5m_tokens=100, cache_write_1h_tokens=1)


@pytest.mark.parametrize(
    ("event", "cost", "source"),
    [
        pytest.param(ANSWER, BASE_COST, "rate_card", id="every kind of tokens at its own rate"),
        pytest.param(PROMPT, Decimal(0), None, id="a prompt costs nothing"),
        pytest.param(replace(ANSWER, model="opus-20260101"), BASE_COST, "rate_card", id="a dated id"),
        pytest.param(replace(ANSWER, model="opus-20260101x"), None, "unknown", id="the whole id has to match"),
        pytest.param(replace(ANSWER, model=None), None, "unknown", id="no model"),
        pytest.param(replace(ANSWER, provider="anybody"), BASE_COST, "rate_card", id="whoever serves it"),
        pytest.param(replace(ANSWER, model="x/Great.Work"), BASE_COST, "rate_card", id="another name"),
        pytest.param(replace(ANSWER, is_estimated=True), BASE_COST, "estimated", id="estimated tokens"),
        pytest.param(replace(ANSWER, cost_usd=Decimal(7)), BASE_COST, "rate_card", id="the rate card comes first"),
        pytest.param(
            replace(ANSWER, is_estimated=True, cost_usd=Decimal(7)),
            Decimal(7),
            "provider",
            id="a report before an estimate",
        ),
        pytest.param(
            replace(ANSWER, provider="cline-pass", cost_usd=Decimal(7)),
            Decimal(7),
            "provider",
            id="a seller's own price",
        ),
        pytest.param(
            replace(ANSWER, model="x", cost_usd=Decimal(7), is_estimated=True),
            Decimal(7),
            "provider",
            id="without a price what the agent says",
        ),
        pytest.param(replace(ANSWER, tokens=Tokens(reasoning_tokens=1)), None, "unknown", id="no token is known"),
        pytest.param(replace(ANSWER, tokens=Tokens(0)), Decimal(0), "rate_card", id="no token was used"),
        pytest.param(replace(ANSWER, region="Global"), BASE_COST, "rate_card", id="a region at the list price"),
        pytest.param(replace(ANSWER, region="us"), BASE_COST * Decimal("1.1"), "rate_card", id="a region with a price"),
        pytest.param(replace(ANSWER, region="eu"), None, "unknown", id="a region without a price"),
        pytest.param(replace(ANSWER, web_searches=2), BASE_COST + Decimal("0.02"), "rate_card", id="two searches"),
        pytest.param(
            replace(ANSWER, model="glm", tokens=Tokens(1), web_searches=1),
            None,
            "unknown",
            id="a search without a price",
        ),
        pytest.param(
            replace(ANSWER, model="kimi", tokens=Tokens(1)),
            Decimal("0.000002"),
            "second_source",
            id="the second source",
        ),
        pytest.param(
            replace(ANSWER, model="mini", tokens=Tokens(1)),
            Decimal("0.000001"),
            "second_source",
            id="the second source where the card has no rate",
        ),
        pytest.param(
            replace(ANSWER, model="opus-fast", tokens=Tokens(1)),
            Decimal("0.00003"),
            "rate_card",
            id="a speed in the name",
        ),
        pytest.param(replace(ANSWER, speed="batch"), None, "unknown", id="a speed without a price"),
        pytest.param(replace(ANSWER, speed="fast"), None, "unknown", id="a kind that is used has no rate"),
        pytest.param(
            replace(ANSWER, speed="fast", tokens=Tokens(1, 1, None, 0, None)),
            Decimal("0.00018"),
            "rate_card",
            id="a kind that is not used needs no rate",
        ),
        pytest.param(
            replace(ANSWER, provider=None, model="glm", tokens=Tokens(1, 1)),
            Decimal("0.000004"),
            "rate_card",
            id="the card before the second source",
        ),
        pytest.param(
            replace(ANSWER, tokens=replace(LONG, cache_write_1h_tokens=0)),
            Decimal("0.003325"),
            "rate_card",
            id="a context of exactly the bound is not over it",
        ),
        pytest.param(
            replace(ANSWER, tokens=LONG),
            Decimal("0.00667"),
            "rate_card",
            id="all that went in is the context",
        ),
        pytest.param(
            replace(ANSWER, occurred_at=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
            None,
            "unknown",
            id="before the first price",
        ),
        pytest.param(
            replace(ANSWER, occurred_at=datetime(2026, 7, 1, tzinfo=UTC), tokens=Tokens(1000, 10)),
            Decimal("0.00102"),
            "rate_card",
            id="from its first day on the newest price",
        ),
        pytest.param(
            replace(ANSWER, occurred_at=datetime(2026, 7, 1, tzinfo=UTC), tokens=LONG),
            Decimal("0.000667"),
            "rate_card",
            id="a newer price is also for long contexts",
        ),
    ],
)
def test_an_event_costs(event: UsageEvent, cost: Decimal | None, source: str | None) -> None:
    found = price_event(event, PRICES)
    assert (found.usd, found.source) == (cost, source)


@pytest.mark.parametrize(
    ("event", "gap"),
    [
        pytest.param(replace(ANSWER, model=None), "no_model", id="the log names no model"),
        pytest.param(replace(ANSWER, tokens=Tokens()), "no_tokens", id="the log has no counts"),
        pytest.param(replace(ANSWER, model="x"), "model", id="a model that no source has"),
        pytest.param(replace(ANSWER, speed="batch"), "speed", id="a speed that no source has"),
        pytest.param(replace(ANSWER, region="eu"), "region", id="a region that no source has"),
        pytest.param(replace(ANSWER, speed="fast", region="us"), "region", id="a region not at this speed"),
        pytest.param(
            replace(ANSWER, occurred_at=datetime(2025, 1, 1, tzinfo=UTC)), "day", id="a day before all prices"
        ),
        pytest.param(replace(ANSWER, model="far", tokens=Tokens(50)), "context", id="only long prompts have a row"),
        pytest.param(replace(ANSWER, model="far", tokens=Tokens(51)), "context", id="long prompts are not sold"),
        pytest.param(replace(ANSWER, speed="fast"), "rate", id="a kind that is used has no rate"),
        pytest.param(ANSWER, None, id="nothing is missing"),
        pytest.param(replace(ANSWER, model="x", cost_usd=Decimal(1)), None, id="the agent reports it"),
        pytest.param(PROMPT, None, id="a prompt"),
    ],
)
def test_what_a_price_lacks(event: UsageEvent, gap: str | None) -> None:
    assert price_event(event, PRICES).gap == gap


def test_a_cost_has_twelve_decimals() -> None:
    reported = replace(ANSWER, model=None, cost_usd=Decimal("0.0000000000005"))
    assert price_event(reported, PRICES).usd == Decimal("0.000000000001")


def test_an_event_is_a_row() -> None:
    assert mart("usage_events", replace(ANSWER, cost_usd=Decimal("0.5"))) == [
        {
            "event_id": "829c429c34621316fc77783370f5f1b8",
            "agent": "claude",
            "session_id": "s1",
            "message_id": "m1",
            "request_id": "r1",
            "role": "assistant",
            "occurred_at": datetime(2026, 3, 1, 12),  # noqa: DTZ001 - the warehouse's have no offset
            "day": date(2026, 3, 1),
            "user_id": "ann@example.com",
            "project": "app",
            "repository": None,
            "provider": "anthropic",
            "model": "opus",
            "speed": None,
            "region": None,
            "input_tokens": 100,
            "output_tokens": 10,
            "cache_read_tokens": 200,
            "cache_write_5m_tokens": 20,
            "cache_write_1h_tokens": 2,
            "reasoning_tokens": 5,
            "total_tokens": 332,
            "web_searches": None,
            "is_estimated": False,
            "is_lower_bound": False,
            "cost_usd": BASE_COST,
            "cost_source": "rate_card",
            "reported_cost_usd": Decimal("0.5"),
            "price_model": "opus",
            "context_over_tokens": 0,
            "price_gap": None,
        }
    ]


def test_a_request_is_a_part_of_the_id() -> None:
    ids = {row["event_id"] for row in mart("usage_events", ANSWER, replace(ANSWER, request_id=None))}
    assert len(ids) == 2


def test_unknown_tokens_stay_null_in_event_and_add_zero_in_mart() -> None:
    event = replace(ANSWER, tokens=Tokens(output_tokens=3))
    names = ("input_tokens", "output_tokens", "total_tokens")
    assert columns(mart("usage_events", event)[0], *names) == (None, 3, 3)
    assert columns(mart("usage_daily", event)[0], *names) == (0, 3, 3)


def test_a_day_is_one_of_the_reporting_zone() -> None:
    late = replace(ANSWER, occurred_at=datetime(2026, 3, 28, 23, 30, tzinfo=UTC))
    summer = replace(late, message_id="m2", occurred_at=datetime(2026, 3, 29, 22, 30, tzinfo=UTC))
    assert [row["day"] for row in mart("usage_daily", late, summer, zone="Europe/Berlin")] == [
        date(2026, 3, 29),
        date(2026, 3, 30),
    ]


def test_a_price_is_one_of_the_utc_day() -> None:
    event = replace(ANSWER, occurred_at=datetime(2026, 6, 30, 23, tzinfo=UTC), tokens=Tokens(1, 0))
    (row,) = mart("usage_events", event, zone="Europe/Berlin")
    assert columns(row, "day", "cost_usd") == (date(2026, 7, 1), Decimal("0.000005"))


def test_daily() -> None:
    second = replace(ANSWER, message_id="m2", session_id="s2", cost_usd=Decimal("0.5"), is_lower_bound=True)
    assert mart("usage_daily", ANSWER, second)[0] == {
        "day": date(2026, 3, 1),
        "user_id": "ann@example.com",
        **{"project": "app", "repository": None, "agent": "claude"},
        "provider": "anthropic",
        "model": "opus",
        "speed": None,
        "session_count": 2,
        "message_count": 2,
        "assistant_message_count": 2,
        "user_message_count": 0,
        "input_tokens": 200,
        "output_tokens": 20,
        "cache_read_tokens": 400,
        "cache_write_5m_tokens": 40,
        "cache_write_1h_tokens": 4,
        "reasoning_tokens": 10,
        "total_tokens": 664,
        "lower_bound_count": 1,
        "cost_usd": 2 * BASE_COST,
        "n_cost": 2,
        "reported_cost_usd": Decimal("0.5"),
    }


def test_unknown_keys_are_rows_of_their_own() -> None:
    nobody = OwnedEvent(replace(ANSWER, message_id="m2", project=None, speed="standard"), None)
    rows = mart("usage_daily", ANSWER, nobody, PROMPT)
    assert [columns(row, "user_id", "project", "model", "speed") for row in rows] == [
        (None, None, "opus", "standard"),
        ("ann@example.com", "app", None, None),
        ("ann@example.com", "app", "opus", None),
    ]


@pytest.mark.parametrize(
    ("events", "cost", "known"),
    [
        pytest.param([PROMPT], Decimal(0), 0, id="prompts alone cost nothing"),
        pytest.param([PROMPT, replace(ANSWER, model="x")], None, 0, id="no response with a known cost"),
        pytest.param([ANSWER, replace(ANSWER, message_id="m2", model="x")], BASE_COST, 1, id="what is known is summed"),
    ],
)
def test_the_cost_of_a_group(events: list[UsageEvent], cost: Decimal | None, known: int) -> None:
    (row,) = mart("usage_project", *events)
    assert columns(row, "cost_usd", "n_cost", "reported_cost_usd") == (cost, known, None)


def test_a_session() -> None:
    first = OwnedEvent(replace(PROMPT, project=None), None)
    later = replace(ANSWER, occurred_at=NOON.replace(hour=13), project="b")
    same_time = replace(later, message_id="m2", project="a", model="glm", provider="z")
    last = replace(ANSWER, message_id="m3", occurred_at=NOON.replace(hour=14), project="0", provider="0", model="0")
    (row,) = mart("usage_session", last, later, same_time, first)
    names = ("agent", "session_id", "user_id", "project", "provider", "primary_model", "is_one_shot", "message_count")
    assert columns(row, *names) == ("claude", "s1", "ann@example.com", "a", "anthropic", "0", False, 4)
    assert columns(row, "first_at", "last_at") == tuple(
        instant.replace(tzinfo=None) for instant in (NOON, NOON.replace(hour=14))
    )


def test_the_primary_model_has_most_responses() -> None:
    events = [replace(ANSWER, message_id=str(n), model=model) for n, model in enumerate(("b", "b", "a", None, None))]
    assert mart("usage_session", *events)[0]["primary_model"] == "b"


@pytest.mark.parametrize(
    ("events", "is_one_shot"),
    [
        pytest.param([PROMPT, ANSWER], True, id="one prompt and one response"),
        pytest.param([PROMPT, replace(PROMPT, message_id="p2")], False, id="two prompts"),
        pytest.param([ANSWER], False, id="a response alone"),
        pytest.param([PROMPT, ANSWER, replace(ANSWER, message_id="m2")], False, id="two responses"),
    ],
)
def test_one_shot(events: list[UsageEvent], is_one_shot: bool) -> None:
    assert mart("usage_session", *events)[0]["is_one_shot"] is is_one_shot


def test_equal_session_ids_of_two_agents_are_two_sessions() -> None:
    other = replace(ANSWER, agent="codex")
    assert [row["agent"] for row in mart("usage_session", ANSWER, other)] == ["claude", "codex"]
    assert columns(mart("usage_project", ANSWER, other)[0], "session_count", "agent_count") == (2, 2)


def test_a_project() -> None:
    nobody = OwnedEvent(replace(ANSWER, message_id="m2"), None)
    bob = OwnedEvent(replace(ANSWER, message_id="m3", occurred_at=NOON.replace(day=2)), "bob@example.com")
    (row,) = mart("usage_project", ANSWER, PROMPT, nobody, bob)
    names = ("project", "session_count", "user_count", "agent_count", "message_count", "user_message_count")
    assert columns(row, *names) == ("app", 1, 2, 1, 4, 1)


def test_a_provider_day_counts_known_projects() -> None:
    prompt = replace(PROMPT, project="b")
    events = (ANSWER, replace(ANSWER, message_id="m2", project=None), prompt)
    rows = mart("usage_provider_day", *events)
    names = ("agent", "provider", "project_count", "assistant_message_count", "user_message_count", "cost_usd")
    assert [columns(row, *names) for row in rows] == [
        ("claude", None, 1, 0, 1, Decimal(0)),
        ("claude", "anthropic", 1, 2, 0, 2 * BASE_COST),
    ]


def test_a_model_day_has_responses_only() -> None:
    rows = mart("usage_model_day", ANSWER, PROMPT, replace(ANSWER, message_id="m2", agent="cursor", speed="fast"))
    assert [columns(row, "provider", "model", "speed", "message_count", "cost_usd") for row in rows] == [
        ("anthropic", "opus", None, 1, BASE_COST),
        ("anthropic", "opus", "fast", 1, None),
    ]


def test_no_events_are_no_rows() -> None:
    assert set(map(len, marts([], PRICES, "UTC").values())) == {0}
