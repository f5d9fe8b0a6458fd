"""A response costs what its model costs, whoever serves it and under whatever name."""

import csv
import random
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent
from millrace.prices import PICODOLLARS, PricedModel, RateCard, cost_of, price, write_typed

PROJECT = Path(__file__).parents[1]
CARD = RateCard.load()
TYPED = ("standard", "", 0, "2024-01-01", Decimal("3.000000"), Decimal("15.000000"), None, None, None, None, None)
TODAY = date(2026, 11, 26)
with (Path(__file__).parent / "golden" / "models.csv").open(newline="") as file:
    NAMES = {row["name"]: PricedModel(row["model"], row["speed"] or None) for row in csv.DictReader(file)}
KNOWN = {name: model for name, model in NAMES.items() if model.name}
VENDORS = [
    "claude",
    "gpt",
    "gemini",
    "grok",
    "glm",
    "deepseek",
    "kimi",
    "minimax",
    "qw",
    "mistral",
    "codestral",
    "devstral",
    "magistral",
    "composer",
]
ANSWER = UsageEvent(
    agent="claude",
    session_id="s1",
    message_id="m1",
    request_id=None,
    role="assistant",
    occurred_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
    project=None,
    provider="anthropic",
    model="claude-opus-4-8",
    tokens=Tokens(20_000, 1_000, 0, 0, 0),
)


def usd(event: UsageEvent) -> tuple[Decimal | None, str | None]:
    cost, source = price(CARD, event)
    return None if cost is None else Decimal(cost) / PICODOLLARS, source


def test_every_name_in_the_corpus_means_one_model() -> None:
    found = {name: CARD.model(name) or PricedModel("", None) for name in NAMES}
    assert {name: model for name, model in found.items() if model != NAMES[name]} == {}
    assert len(KNOWN) > 700


def test_no_name_means_model_of_another_vendor() -> None:
    """A name that mentions one vendor's models leads to a model of that vendor, or to none."""
    vendors = {name: [vendor for vendor in VENDORS if vendor in name.rsplit("/", 1)[-1].lower()] for name in KNOWN}
    wrong = {
        name: KNOWN[name].name
        for name, words in vendors.items()
        if words and not KNOWN[name].name.startswith(tuple(words)) and not re.match("o[0-9]|codex", KNOWN[name].name)
    }
    assert wrong == {}


def test_gateways_and_capitals_do_not_change_the_model() -> None:
    dice = random.Random(20261130)  # noqa: S311 - made-up names
    gateways = ("", "openrouter/", "vertex_ai/", "azure/eu/", "accounts/acme/models/", "@cf/", "litellm_proxy/x/")
    plain = [name for name in KNOWN if "/" not in name]
    for name in dice.sample(plain, 300):
        changed = dice.choice(gateways) + (name.upper() if dice.random() < 0.3 else name)
        assert CARD.model(changed) == KNOWN[name], changed


@pytest.mark.parametrize(
    "name", [None, "", " ", "/", "[1m]", "-fast", "-high", "a" * 100_000, "[" * 5_000, "gpt-5\n", "\x00"]
)
def test_name_of_no_model_has_no_price(name: str | None) -> None:
    assert CARD.model(name) is None


@pytest.mark.parametrize(
    ("event", "cost", "source"),
    [
        pytest.param(ANSWER, "0.125", "rate_card", id="list price"),
        pytest.param(replace(ANSWER, role="user", tokens=NO_TOKENS, cost_usd=NO_COST), "0", None, id="a prompt"),
        pytest.param(replace(ANSWER, region="us"), "0.1375", "rate_card", id="case 11: us costs 1.1 times"),
        pytest.param(replace(ANSWER, region="global"), "0.125", "rate_card", id="global is the list price"),
        pytest.param(replace(ANSWER, region="not_available"), "0.125", "rate_card", id="no region is the list price"),
        pytest.param(replace(ANSWER, region="mars"), None, "unknown", id="a region without a price"),
        pytest.param(
            replace(ANSWER, model="claude-opus-4-5", region="us"), None, "unknown", id="a model not sold in the region"
        ),
        pytest.param(replace(ANSWER, speed="fast"), "0.25", "rate_card", id="case 16: fast"),
        pytest.param(replace(ANSWER, speed="fast", region="us"), "0.275", "rate_card", id="fast in us"),
        pytest.param(
            replace(ANSWER, model="claude-opus-4-5-20251101", web_searches=25),
            "0.375",
            "rate_card",
            id="case 10: searches",
        ),
        pytest.param(
            replace(ANSWER, region="us", web_searches=1), "0.1475", "rate_card", id="a search costs the same everywhere"
        ),
        pytest.param(
            replace(ANSWER, model="claude-opus-4-5", tokens=Tokens(5, 100, 0, 0, 60_120)),
            "0.603725",
            "rate_card",
            id="case 20: an hour in the cache",
        ),
        pytest.param(
            replace(
                ANSWER,
                agent="codex",
                provider="openai",
                model="gpt-5.6-sol",
                speed="fast",
                tokens=Tokens(5000, 600, 1000),
            ),
            "0.0648",
            "rate_card",
            id="case 33: the fast tier of Codex",
        ),
        pytest.param(
            replace(ANSWER, agent="codex", provider="packycode", model="gpt-5.4", tokens=Tokens(5000, 600, 1000)),
            "0.02175",
            "rate_card",
            id="case 39: any provider",
        ),
        pytest.param(
            replace(ANSWER, provider="codex", model="gpt-6-astra", speed="ultrafast", tokens=Tokens(1000, 100)),
            "0.09",
            "rate_card",
            id="ultrafast",
        ),
        pytest.param(
            replace(ANSWER, provider="codex", model="gpt-5.6", speed="flex", tokens=Tokens(1000, 100)),
            "0.003",
            "rate_card",
            id="flex is half",
        ),
        pytest.param(
            replace(ANSWER, provider=None, model="glm-5", tokens=Tokens(1000, 100, 0, 7, 8)),
            "0.00132",
            "rate_card",
            id="writing to the cache of GLM is free",
        ),
        pytest.param(
            replace(ANSWER, model="kimi-k3", tokens=Tokens(1000, 100)),
            "0.0045",
            "second_source",
            id="of the second source",
        ),
        pytest.param(
            replace(ANSWER, model="kimi-k3", tokens=Tokens(1000, 100), is_estimated=True),
            "0.0045",
            "estimated",
            id="an estimate at a price of the second source",
        ),
        pytest.param(
            replace(ANSWER, model="deepseek-v4-flash", tokens=Tokens(1000, 100)),
            "0.00042",
            "second_source",
            id="the second source where the card's newest price is empty",
        ),
        pytest.param(
            replace(
                ANSWER,
                model="deepseek-v4-flash",
                tokens=Tokens(1000, 100),
                occurred_at=datetime(2026, 8, 16, tzinfo=UTC),
            ),
            "0.000168",
            "rate_card",
            id="and the card before",
        ),
        pytest.param(replace(ANSWER, cost_usd=Decimal(7)), "0.125", "rate_card", id="a counted price beats a report"),
        pytest.param(
            replace(ANSWER, is_estimated=True, cost_usd=Decimal("0.37")),
            "0.37",
            "provider",
            id="case 51: a report beats an estimate",
        ),
        pytest.param(
            replace(
                ANSWER,
                provider="cline-pass",
                model="z-ai/glm-5.2",
                tokens=Tokens(6937, 213, 0, 0),
                cost_usd=Decimal("0.0021"),
            ),
            "0.0021",
            "provider",
            id="case 62: the seller meters its own price",
        ),
        pytest.param(replace(ANSWER, model="x", cost_usd=Decimal(7)), "7", "provider", id="without a price the report"),
        pytest.param(replace(ANSWER, model="gpt-5.3-codex-spark"), None, "unknown", id="no source has a price"),
        pytest.param(replace(ANSWER, tokens=Tokens()), None, "unknown", id="case 14: no token is known"),
        pytest.param(
            replace(ANSWER, tokens=Tokens(reasoning_tokens=5), web_searches=3),
            None,
            "unknown",
            id="reasoning is a part of output",
        ),
        pytest.param(replace(ANSWER, tokens=Tokens(), cost_usd=Decimal(0)), "0", "provider", id="a report of nothing"),
        pytest.param(replace(ANSWER, tokens=Tokens(0, 0)), "0", "rate_card", id="known to be nothing"),
        pytest.param(replace(ANSWER, model="grok-4.6", web_searches=1), None, "unknown", id="a search without a price"),
    ],
)
def test_response_costs(event: UsageEvent, cost: str | None, source: str | None) -> None:
    assert usd(event) == (None if cost is None else Decimal(cost), source)


def test_names_of_bedrock_vertex_and_routers_cost_what_the_model_costs() -> None:
    """Case 08: five names, 1,000 tokens in and 100 out each."""
    names = (
        *("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        *("anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic/claude-sonnet-4.5", "claude-sonnet-4-5@20250929"),
    )
    costs = [usd(replace(ANSWER, model=name, tokens=Tokens(1000, 100)))[0] for name in names]
    assert costs == [Decimal("0.0045")] * 5


def test_rates_are_whole_picodollars_of_context_and_day() -> None:
    rates = CARD.rates("claude-opus-4-6", None, None, date(2026, 3, 12), 200_001)
    assert rates is not None
    assert (rates.source, rates.context_over_tokens, rates.input, rates.web_search) == (
        "rate_card",
        200_000,
        10 * 10**6,
        10**10,
    )
    cheaper = CARD.rates("claude-opus-4-6", None, None, date(2026, 3, 12), 200_000)
    newer = CARD.rates("claude-opus-4-6", None, None, date(2026, 3, 13), 200_001)
    assert cheaper is not None
    assert newer is not None
    assert cheaper.input == newer.input == 5 * 10**6


def test_cost_without_rates_is_unknown() -> None:
    used = {"input_tokens": 1, "output_tokens": 1, "cache_read_tokens": None}
    written = {"cache_write_5m_tokens": None, "cache_write_1h_tokens": None, "web_searches": None}
    assert cost_of(None, **used, **written) is None
    assert cost_of(CARD.rates("gpt-5", None, None, TODAY, 1), **used, **written) == 11_250_000


def test_installed_package_reads_the_seeds_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = Path("jobs", "dbt-runner", "dbt", "seeds")
    shutil.copytree(PROJECT / seeds, tmp_path / "project" / seeds)
    with (tmp_path / "project" / seeds / "usage_prices.csv").open("a") as file:
        file.write("only-installed,standard,,0,2024-01-01,1,2,3,4,5,,made up\n")
    monkeypatch.setattr("millrace.prices._PACKAGE", tmp_path)
    assert RateCard.load().model("x/Only.Installed") == PricedModel("only-installed", None)


def test_typed_prices_of_a_file_count_under_the_own_name_first(tmp_path: Path) -> None:
    alias, name = next(iter(CARD._aliases.items()))
    file = tmp_path / "typed.csv"
    dear = (*TYPED[:4], Decimal("9.000000"), *TYPED[5:])
    write_typed([(alias, *dear), (name, *TYPED), (name, *dear), ("my-model", *TYPED)], file)
    card = RateCard.load(file)
    for model in (name, "my-model"):
        rates = card.rates(model, None, None, date(2024, 1, 1), 0)
        assert rates is not None
        assert (rates.source, rates.input, rates.output, rates.cache_read) == ("rate_card", 3 * 10**6, 15 * 10**6, None)
    assert RateCard.load(tmp_path / "none").rates("my-model", None, None, date(2024, 1, 1), 0) is None
