"""The marts, the package and the truth give every event the same cost to the last digit, and the same source."""

import csv
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.dbt.conftest import PROJECT, Build, Dbt
from tests.dbt.raw_tables import make_warehouse
from tests.dbt.usage_tellings import KINDS

from millrace.collect.parsers.event import Tokens, UsageEvent
from millrace.prices import PICODOLLARS, RateCard, price
from millrace.tables import LOAD_SEQ
from simulator.truth.prices import Prices
from simulator.truth.usage import price_event

SEEDS = PROJECT / "seeds"
PRICES = ("usage_prices", "usage_prices_second", "usage_model_rules", "usage_model_aliases")
BUILD = ("build", "--resource-types", "model seed", "--select", *PRICES, "+usage_events")
COLUMNS = (
    *("provider", "model", "speed", "region", *KINDS, "web_searches", "is_estimated", "occurred_at"),
    *("reported_cost_usd", "cost_usd", "cost_source", "price_model", "context_over_tokens", "price_gap"),
)
SPEEDS = (None, None, "standard", "fast", "flex", "batch", "ultrafast")
REGIONS = (None, None, None, "us", "US", "global", "not_available", "eu")
COUNTS = (None, 0, 1, 7, 999, 32_001, 100_000, 100_001, 199_999, 200_000, 200_001, 272_000, 272_001, 10**12)
REPORTS = (None, None, None, "0", "0.37", "0.0000000000005", "0.123456789012345")
DAYS = ("2023-12-31", "2024-01-01", "2026-03-12", "2026-03-13", "2026-05-15", "2026-08-17", "2026-08-21", "2026-11-26")


def names() -> list[str]:
    """Return the names of the corpus, and those of the sources themselves."""
    with (Path(__file__).parents[1] / "golden" / "models.csv").open(newline="") as file:
        logged = [row["name"] for row in csv.DictReader(file)]
    for seed in PRICES[:2]:
        with (SEEDS / f"{seed}.csv").open(newline="") as file:
            logged += [row["model"] for row in csv.DictReader(file)]
    return [*logged, "Claude Opus 4.5", "gpt-5\n", "GPT-5", "", "İ", "K2", "😀/gpt-5"]


def rows() -> list[dict[str, Any]]:
    """Return a response for every name, and for each some of the other keys of a price."""
    dice = random.Random(20261130)  # noqa: S311 - made-up rows
    return [
        {
            "collector_id": "c1",
            "agent": "claude",
            "message_id": f"m{number}",
            "session_id": "s1",
            "role": "assistant",
            "occurred_at": datetime.fromisoformat(dice.choice(DAYS)) + timedelta(seconds=dice.choice((0, 86_399))),
            "provider": dice.choice((None, "anthropic", "packycode", "cline-pass")),
            "model": dice.choice((None, name)) if dice.random() < 0.05 else name,
            "speed": dice.choice(SPEEDS),
            "region": dice.choice(REGIONS),
            **{kind: dice.choice(COUNTS) if dice.random() < 0.7 else None for kind in KINDS},
            "web_searches": dice.choice((None, None, None, 0, 1, 25, 10**6)),
            "is_estimated": dice.random() < 0.2,
            "reported_cost_usd": dice.choice(REPORTS),
            LOAD_SEQ: 1,
        }
        for number, name in enumerate(names() * 3)
    ]


@pytest.fixture(scope="module")
def built(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = dbt(make_warehouse(tmp_path_factory.mktemp("prices") / "millrace.duckdb", {"usage_events": rows()}), *BUILD)
    assert build.exit_code == 0, build.output
    return build


@pytest.fixture(scope="module")
def priced(built: Build) -> list[dict[str, Any]]:
    """The events of the mart, with their costs."""
    found = built.query(f"select {', '.join(COLUMNS)} from mart.usage_events order by event_id")  # noqa: S608
    return [dict(zip(COLUMNS, row, strict=True)) for row in found]


def event(row: dict[str, Any]) -> UsageEvent:
    return UsageEvent(
        **{"agent": "claude", "session_id": "s1", "message_id": "m1", "request_id": None, "project": None},
        **{name: row[name] for name in ("provider", "model", "speed", "region", "web_searches", "is_estimated")},
        role="assistant",
        occurred_at=row["occurred_at"].replace(tzinfo=UTC),
        tokens=Tokens(**{kind: row[kind] for kind in KINDS}),
        cost_usd=row["reported_cost_usd"],
    )


def test_package_gives_each_event_the_cost_of_the_mart(priced: list[dict[str, Any]]) -> None:
    card = RateCard.load()
    costs = [(row, *price(card, event(row))) for row in priced]
    wrong = [
        (row, cost, source)
        for row, cost, source in costs
        if (row["cost_usd"], row["cost_source"]) != (None if cost is None else Decimal(cost) / PICODOLLARS, source)
    ]
    assert wrong[:3] == []
    models = [(row["model"], row["price_model"]) for row in priced]
    assert [pair for pair in models if getattr(card.model(pair[0]), "name", None) != pair[1]] == []


def test_truth_gives_each_event_the_cost_of_the_mart_and_the_reason_where_it_has_none(
    priced: list[dict[str, Any]],
) -> None:
    prices = Prices.read(SEEDS)
    costs = [(row, price_event(event(row), prices)) for row in priced]
    said = ("cost_usd", "cost_source", "price_gap", "price_model", "context_over_tokens")
    wrong = [
        (row, cost)
        for row, cost in costs
        if tuple(row[name] for name in said) != (cost.usd, cost.source, cost.gap, cost.model, cost.context_over_tokens)
    ]
    assert wrong[:3] == []


def test_every_source_and_every_reason_is_among_them(priced: list[dict[str, Any]]) -> None:
    sources = {row["cost_source"] for row in priced}
    gaps = {row["price_gap"] for row in priced}
    assert sources == {"rate_card", "second_source", "provider", "estimated", "unknown"}
    assert gaps == {None, "no_model", "no_tokens", "model", "speed", "region", "day", "context", "rate"}
