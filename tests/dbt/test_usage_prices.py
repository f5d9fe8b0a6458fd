"""The rate card: each model has one price at a time, and an unknown model has none."""

import csv
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb
import pytest
import yaml
from tests.dbt.conftest import PROJECT

SEEDS = PROJECT / "seeds"
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
SPEEDS = ("standard", "fast", "batch")
MILLION = 1_000_000
TODAY = date(2026, 11, 26)

KNOWN = {
    "anthropic": """
        claude-3-haiku-20240307 claude-3-sonnet-20240229 claude-3-opus-20240229 claude-3-opus-latest
        claude-3-5-haiku-20241022 claude-3-5-haiku-latest claude-3-5-haiku@20241022 claude-3-5-sonnet-20240620
        claude-3-5-sonnet-20241022 claude-3-5-sonnet-v2@20241022 claude-3-7-sonnet-20250219 claude-3-7-sonnet-latest
        claude-opus-4-20250514 claude-opus-4-0 claude-opus-4@20250514 claude-opus-4-1 claude-opus-4-1-20250805
        claude-opus-4-5 claude-opus-4-5-20251101 claude-opus-4-6 claude-opus-4-6-20260205 claude-opus-4-6[1m]
        claude-opus-4-7 claude-opus-4-8 claude-opus-5 claude-opus-5-5 claude-opus-5-5[1m] claude-opus-4-6@default
        claude-sonnet-4-20250514 claude-sonnet-4-0 claude-sonnet-4-5 claude-sonnet-4-5-20250929
        claude-sonnet-4-5-20250929[1m] claude-sonnet-4-5@20250929 claude-sonnet-4-6 claude-sonnet-5 claude-sonnet-5-5
        claude-haiku-4-5 claude-haiku-4-5-20251001 claude-haiku-5-5 claude-fable-5 claude-fable-5-1 claude-fable-5-2
        claude-mythos-5 claude-mythos-5-1 claude-mythos-5-2
    """,
    "openai": """
        gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18
        gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-nano o3 o3-2025-04-16 o3-mini o3-pro o4-mini codex-mini-latest
        gpt-5 gpt-5-2025-08-07 gpt-5-chat-latest gpt-5-codex gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-pro
        gpt-5.1 gpt-5.1-2025-11-13 gpt-5.1-codex gpt-5.1-codex-max gpt-5.1-codex-mini gpt-5.2 gpt-5.2-codex gpt-5.2-pro
        gpt-5.3-codex gpt-5.4 gpt-5.4-2026-03-05 gpt-5.4-mini gpt-5.4-nano gpt-5.4-pro gpt-5.5 gpt-5.5-pro
        gpt-5.6 gpt-5.6-sol gpt-5.6-terra gpt-5.6-luna gpt-6-astra gpt-6-sol gpt-6-luna gpt-6.1-sol gpt-6.1-terra
        gpt-6.2-sol gpt-6.2-astra
    """,
    "google": """
        gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-3-pro-preview gemini-3-flash-preview
        gemini-3.1-pro-preview gemini-3.1-flash-lite gemini-3.5-flash gemini-3.5-flash-lite
    """,
    "zai": "glm-4.5 glm-4.5-air glm-4.6 glm-4.7 glm-5 glm-5.1 glm-5.2 glm-5.3",
    "xai": "grok-code-fast-1 grok-code-fast-1-0825 grok-build-0.1 grok-4.3 grok-4.5 grok-4.6 grok-4.7",
    "cursor": """
        claude-4-sonnet claude-4-sonnet-thinking claude-4.5-sonnet claude-4.5-sonnet-thinking claude-4.5-haiku
        claude-4.5-opus-high-thinking claude-4.6-opus-high-thinking claude-4.6-sonnet composer-1 composer-1.5 composer-2
        composer-2-fast composer-2.5 composer-2.5[fast=false] composer-2.5-fast composer-2.5[fast=true]
    """,
    "deepseek": "deepseek-chat deepseek-reasoner deepseek-v4-flash",
}
SAME_ELSEWHERE = {"codex": "openai", "openai-native": "openai", "gemini": "google", "claude": "zai"}
NOBODY_KNOWS = """
    claude-opus-4-9 claude-opus-4-10 claude-opus-6 claude-opus-5-6 claude-sonnet-4-7 claude-sonnet-6 claude-haiku-5
    claude-haiku-4-5-2025 claude-opus-4-5-20251101-v2 claude-sonnet-4-5-latest-2 xclaude-opus-4-5 claude-opus-4-5x
    anthropic.claude-opus-4-5 anthropic/claude-sonnet-4 claude-fable-6 claude-2.1 <synthetic> opus
    gpt-4 gpt-4x1 gpt-5.7 gpt-5.7-codex gpt-6 gpt-6.3-sol gpt-5-codex-mini gpt-5.4-codex gpt-55 gpt-5x5
    gpt-4o-2026-01-01 o3x o5 gemini-2.5-pro-exp gemini-4-argon glm-6 glm-5x1 grok-5 composer-3
    claude-4.7-opus claude-4.6-opus-fast cursor-auto deepseek-v4-pro deepseek-v5
"""
UNKNOWN = NOBODY_KNOWS.split()
# The share of the price of input that a read from the cache costs, where it is not a tenth.
READS = {
    r"claude-opus-5-5": {"0.05"},
    r"claude-sonnet-5-5": {"0.1", "0.05"},  # from one day to the next
    r"claude-(fable|mythos)-5-[12]": {"0.025"},
}
ROUNDED = "claude-3-haiku"  # listed on the vendor's page in whole cents


@dataclass(frozen=True, slots=True)
class Price:
    """One row, with its line number in the file."""

    provider: str
    model_pattern: str
    speed: str
    context_over_tokens: int
    valid_from: date
    rates: dict[str, Decimal | None]
    source: str

    def is_of(self, provider: str, model: str, speed: str = "standard") -> bool:
        return (self.provider, self.speed) == (provider, speed) and re.fullmatch(self.model_pattern, model) is not None

    def name(self) -> str:
        model = re.sub(r"\(.*", "", self.model_pattern)
        return f"{model} {self.speed} over {self.context_over_tokens} since {self.valid_from}"

    def is_named(self, name: str) -> bool:
        """Return whether its pattern begins with a model's name, followed by nothing or a group."""
        return re.match(rf"{name}(?=\(|$)", self.model_pattern) is not None


def read_prices() -> list[Price]:
    with (SEEDS / "usage_prices.csv").open(newline="") as file:
        return [
            Price(
                provider=row["provider"],
                model_pattern=row["model_pattern"],
                speed=row["speed"],
                context_over_tokens=int(row["context_over_tokens"]),
                valid_from=date.fromisoformat(row["valid_from"]),
                rates={kind: Decimal(row[f"{kind}_usd"]) if row[f"{kind}_usd"] else None for kind in KINDS},
                source=row["source"],
            )
            for row in csv.DictReader(file)
        ]


PRICES = read_prices()
PATTERNS = sorted({price.model_pattern for price in PRICES})
ALIKE = {provider: KNOWN[other] for provider, other in SAME_ELSEWHERE.items()}
IDS = [(provider, model) for provider, models in (KNOWN | ALIKE).items() for model in models.split()]


def price_of(provider: str, model: str, day: date = TODAY, context: int = 0, speed: str = "standard") -> Price | None:
    """Return the row that prices an event, as the marts choose it."""
    rows = [
        price
        for price in PRICES
        if price.is_of(provider, model, speed)
        and price.valid_from <= day
        and (price.context_over_tokens == 0 or context > price.context_over_tokens)
    ]
    return max(rows, key=lambda price: (price.valid_from, price.context_over_tokens), default=None)


def test_the_list_of_real_models_is_long_enough_to_mean_something() -> None:
    assert len({model for _, model in IDS}) >= 100


def test_patterns_are_written_in_what_all_engines_read_alike() -> None:
    rests = {pattern: re.sub(r"\[0-9\]\{\d\}|\[\.\]|\[\]\[\]", "", pattern) for pattern in PATTERNS}
    assert [pattern for pattern, rest in rests.items() if not re.fullmatch(r"[a-z0-9@=()|?-]+", rest)] == []


def test_duckdb_finds_the_same_matches_as_python() -> None:
    models = [model for _, model in IDS] + UNKNOWN
    expected = {
        (pattern, model) for pattern in PATTERNS for model in models if re.fullmatch(pattern, model) is not None
    }
    with duckdb.connect() as connection:
        found = connection.execute(
            "select pattern, model from (select unnest(?) as pattern) cross join (select unnest(?) as model)"
            " where regexp_full_match(model, pattern)",
            [PATTERNS, models],
        ).fetchall()
    assert set(found) == expected


def test_known_models_have_one_price_at_a_time() -> None:
    rows = {known: [price for price in PRICES for speed in SPEEDS if price.is_of(*known, speed)] for known in IDS}
    moments = {
        known: [(price.speed, price.context_over_tokens, price.valid_from) for price in prices]
        for known, prices in rows.items()
    }
    assert [known for known, times in moments.items() if len(set(times)) < len(times)] == []
    assert [known for known in IDS if price_of(*known) is None] == []
    assert [known for known, prices in rows.items() if len({price.model_pattern for price in prices}) != 1] == []


def test_unknown_models_have_no_price() -> None:
    priced = [(model, pattern) for model in UNKNOWN for pattern in PATTERNS if re.fullmatch(pattern, model)]
    assert priced == []


def test_every_row_is_of_some_known_model() -> None:
    unused = [price for price in PRICES if not any(price.is_of(*known, price.speed) for known in IDS)]
    assert unused == []


@pytest.mark.parametrize(
    ("provider", "model", "same"),
    [
        pytest.param("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", id="with a date"),
        pytest.param("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5@20250929", id="with a date as Google has it"),
        pytest.param("anthropic", "claude-opus-4-6", "claude-opus-4-6[1m]", id="with the long context"),
        pytest.param("anthropic", "claude-opus-4-0", "claude-opus-4-20250514", id="under its alias"),
        pytest.param("openai", "gpt-5", "gpt-5-2025-08-07", id="with a date as OpenAI has it"),
        pytest.param("openai", "gpt-5.6", "gpt-5.6-sol", id="under its short name"),
    ],
)
def test_a_model_has_the_price_of_its_other_names(provider: str, model: str, same: str) -> None:
    assert price_of(provider, model) == price_of(provider, same)


@pytest.mark.parametrize(("provider", "other"), SAME_ELSEWHERE.items())
def test_a_model_costs_the_same_whatever_the_agent_calls_its_provider(provider: str, other: str) -> None:
    rows = {(price.model_pattern, price.context_over_tokens, price.valid_from, str(price.rates)) for price in PRICES
            if price.provider == provider}  # fmt: skip
    others = {(price.model_pattern, price.context_over_tokens, price.valid_from, str(price.rates)) for price in PRICES
              if price.provider == other and price.speed == "standard"}  # fmt: skip
    assert rows == others


def test_anthropics_caches_cost_a_fixed_part_of_input() -> None:
    prices = [price for price in PRICES if price.provider == "anthropic" and not price.is_named(ROUNDED)]
    assert len(prices) > 20
    assert [price.name() for price in prices if not has_fixed_parts(price)] == []


def has_fixed_parts(price: Price) -> bool:
    per_input = {kind: rate / (price.rates["input"] or 1) for kind, rate in price.rates.items() if rate is not None}
    allowed = next((parts for name, parts in READS.items() if price.is_named(name)), {"0.1"})
    writes = per_input["cache_write_5m"], per_input["cache_write_1h"]
    return writes == (Decimal("1.25"), Decimal(2)) and per_input["cache_read"] in {Decimal(part) for part in allowed}


def test_a_batch_costs_half() -> None:
    batches = [price for price in PRICES if price.speed == "batch"]
    assert batches
    assert [
        price.name()
        for price in batches
        if standard_rates(price) != [{kind: rate and rate * 2 for kind, rate in price.rates.items()}]
    ] == []


def standard_rates(price: Price) -> list[dict[str, Decimal | None]]:
    return [
        other.rates
        for other in PRICES
        if (other.speed, other.provider, other.model_pattern, other.context_over_tokens, other.valid_from)
        == ("standard", price.provider, price.model_pattern, price.context_over_tokens, price.valid_from)
    ]


def test_no_rate_is_negative_and_every_price_has_dated_source() -> None:
    assert [price for price in PRICES if any(rate is not None and rate < 0 for rate in price.rates.values())] == []
    assert [price for price in PRICES if not re.search(r"20\d\d-\d\d", price.source)] == []


def test_only_openai_fast_and_deepseek_lack_input_or_output_rates() -> None:
    without = {
        (price.provider, price.speed) for price in PRICES if None in (price.rates["input"], price.rates["output"])
    }
    assert without == {("openai", "fast"), ("deepseek", "standard")}


def test_the_two_ways_to_choose_a_row_are_one() -> None:
    """The order of the two checks, the day and the length of the prompt, must not matter."""
    contexts = sorted({price.context_over_tokens + 1 for price in PRICES})
    days = sorted({price.valid_from for price in PRICES})
    for provider, model in IDS:
        for speed in SPEEDS:
            rows = [price for price in PRICES if price.is_of(provider, model, speed)]
            for context in contexts:
                fitting = [price for price in rows if context > price.context_over_tokens]
                for day in days:
                    valid = [price for price in fitting if price.valid_from <= day]
                    by_day = max(valid, key=lambda price: (price.valid_from, price.context_over_tokens), default=None)
                    by_length = max(
                        valid, key=lambda price: (price.context_over_tokens, price.valid_from), default=None
                    )
                    assert by_day == by_length, (provider, model, speed, context, day)


@pytest.mark.parametrize(
    ("provider", "model", "speed", "day", "tokens", "usd"),
    [
        pytest.param(
            "anthropic", "claude-sonnet-4-5-20250929", "standard", TODAY, (4, 500, 14_000, 600, 0), "0.013962",
            id="a response of Claude Code",  # 4 x 3 + 500 x 15 + 14000 x 0.30 + 600 x 3.75 millionths
        ),
        pytest.param(
            "anthropic", "claude-opus-4-5", "standard", TODAY, (0, 0, 0, 0, 100_000), "1",
            id="an hour in the cache is twice the input",
        ),
        pytest.param(
            "anthropic", "claude-sonnet-4-5", "standard", TODAY, (200_000, 0, 0, 0, 0), "0.6",
            id="200,000 tokens are not over 200,000",
        ),
        pytest.param(
            "anthropic", "claude-sonnet-4-5", "standard", TODAY, (1, 1_000, 200_000, 0, 0), "0.142506",
            id="one more makes the whole response dearer",  # 1 x 6 + 1000 x 22.50 + 200000 x 0.60
        ),
        pytest.param(
            "anthropic", "claude-opus-4-6", "standard", date(2026, 3, 12), (300_000, 0, 0, 0, 0), "3",
            id="a long prompt before 2026-03-13",
        ),
        pytest.param(
            "anthropic", "claude-opus-4-6", "standard", date(2026, 3, 13), (300_000, 0, 0, 0, 0), "1.5",
            id="and since",
        ),
        pytest.param(
            "anthropic", "claude-opus-4-6", "fast", TODAY, (1_000, 1_000, 0, 0, 0), "0.18", id="six times, fast",
        ),
        pytest.param(
            "anthropic", "claude-haiku-4-5", "batch", TODAY, (MILLION, 0, 0, 0, 0), "0.5", id="half, in a batch",
        ),
        pytest.param(
            "anthropic", "claude-sonnet-5-5", "standard", date(2026, 10, 6), (0, 0, MILLION, 0, 0), "0.2",
            id="reads of the cache before 2026-10-07",
        ),
        pytest.param(
            "anthropic", "claude-sonnet-5-5", "standard", date(2026, 10, 7), (0, 0, MILLION, 0, 0), "0.1",
            id="reads of the cache since",
        ),
        pytest.param(
            "openai", "gpt-5-codex", "standard", TODAY, (1_000, 350, 200, 0, 0), "0.004775",
            id="a response of Codex",  # 1000 x 1.25 + 350 x 10 + 200 x 0.125
        ),
        pytest.param("cursor", "claude-4.5-sonnet", "standard", TODAY, (0, 25, 0, 0, 0), "0.000375", id="of Cursor"),
        pytest.param("claude", "glm-5.1", "standard", TODAY, (1_000, 100, 0, 0, 0), "0.00184", id="behind a proxy"),
    ],
)  # fmt: skip
def test_response_cost_matches_published_price(
    provider: str, model: str, speed: str, day: date, tokens: tuple[int, ...], usd: str
) -> None:
    price = price_of(provider, model, day, sum(tokens) - tokens[1], speed)
    assert price is not None
    rates = [price.rates[kind] for kind in KINDS]
    assert sum((rate or 0) * count for rate, count in zip(rates, tokens, strict=True)) == Decimal(usd) * MILLION


@pytest.mark.parametrize("name", ["usage_prices", "usage_repositories", "usage_authors"])
def test_every_column_of_a_seed_has_its_type_and_its_meaning(name: str) -> None:
    header = (SEEDS / f"{name}.csv").read_text().splitlines()[0].split(",")
    (seed,) = yaml.safe_load((SEEDS / f"{name}.yml").read_text())["seeds"]
    assert [column["name"] for column in seed["columns"] if column["description"]] == header
    assert list(seed["config"]["column_types"]) == header
