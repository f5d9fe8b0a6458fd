"""The rate card, the second source, and the rules that lead from a logged name to a model in them."""

import csv
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml
from tests.dbt.conftest import PROJECT

SEEDS = PROJECT / "seeds"
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
SPEEDS = ("standard", "fast", "flex", "batch", "ultrafast")

CARD, SECOND = "usage_prices", "usage_prices_second"
# The share of the price of input that a read from the cache costs, where it is not a tenth.
READS = {
    r"claude-opus-5-5": {"0.05"},
    r"claude-sonnet-5-5": {"0.1", "0.05"},  # from one day to the next
    r"claude-(fable|mythos)-5-[12]": {"0.025"},
}
ROUNDED = "claude-3-haiku"  # listed on the vendor's page in whole cents


@dataclass(frozen=True, slots=True)
class Price:
    """One row."""

    model: str
    speed: str
    region: str
    context_over_tokens: int
    valid_from: date
    rates: dict[str, Decimal | None]
    web_search: Decimal | None
    source: str

    def name(self) -> str:
        return f"{self.model} {self.speed} {self.region} over {self.context_over_tokens} since {self.valid_from}"

    @property
    def is_of_anthropic(self) -> bool:
        return self.model.startswith("claude-")


def read_rows(seed: str) -> list[dict[str, str]]:
    with (SEEDS / f"{seed}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_prices(seed: str) -> list[Price]:
    return [
        Price(
            model=row["model"],
            speed=row["speed"],
            region=row["region"],
            context_over_tokens=int(row["context_over_tokens"]),
            valid_from=date.fromisoformat(row["valid_from"]),
            rates={kind: Decimal(row[f"{kind}_usd"]) if row[f"{kind}_usd"] else None for kind in KINDS},
            web_search=Decimal(row["web_search_usd"]) if row["web_search_usd"] else None,
            source=row["source"],
        )
        for row in read_rows(seed)
    ]


PRICES = read_prices(CARD)
SECONDS = read_prices(SECOND)
RULES = read_rows("usage_model_rules")
ALIASES = read_rows("usage_model_aliases")
MODELS = {price.model for price in (*PRICES, *SECONDS)}


def test_rules_are_written_in_what_all_engines_read_alike() -> None:
    """Each is bound to an end of the name, so that the first match is the only one."""
    patterns = [row["pattern"] for row in RULES]
    rests = {
        pattern: re.sub(r"\[0-9\]\{\d\}|\[0-9\]\+|\[-@\]|\[\]\[\]|\[\^\]\[\]\*|\^\.\*/", "", pattern)
        for pattern in patterns
    }
    assert [pattern for pattern, rest in rests.items() if not re.fullmatch(r"[\^a-z0-9:=()|?$-]*", rest)] == []
    assert [pattern for pattern in patterns if not (pattern.startswith("^") or pattern.endswith("$"))] == []
    assert [int(row["step"]) for row in RULES] == list(range(1, len(RULES) + 1))
    assert {row["speed"] for row in RULES} <= {"", *SPEEDS}


def test_alternatives_of_a_rule_do_not_begin_alike_unless_the_longer_comes_first() -> None:
    """POSIX takes the longest alternative, RE2 and Python the first."""
    for row in RULES:
        words = re.findall(r"[a-z-]+", row["pattern"])
        early = [
            (one, other)
            for place, one in enumerate(words)
            for other in words[place + 1 :]
            if other.startswith(f"{one}-")
        ]
        assert early == [] or row["pattern"].endswith("$"), row


def test_duckdb_changes_names_as_python_does() -> None:
    with (Path(__file__).parents[1] / "golden" / "models.csv").open(newline="") as file:
        names = [row["name"].lower() for row in csv.DictReader(file)]
    patterns = [(row["pattern"], row["replacement"]) for row in RULES]
    with duckdb.connect() as connection:
        found = connection.execute(
            "select name, pattern, regexp_replace(name, pattern, replacement)"
            " from (select unnest(?) as name) cross join (select unnest(?) as pattern, unnest(?) as replacement)",
            [names, *map(list, zip(*patterns, strict=True))],
        ).fetchall()
    expected = {(name, pattern, re.sub(pattern, new, name, count=1)) for name in names for pattern, new in patterns}
    assert set(found) == expected


def test_names_of_models_and_aliases_are_lower_case_with_dashes() -> None:
    aliases = [row["alias"] for row in ALIASES]
    assert [name for name in (*MODELS, *aliases) if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []


def test_alias_leads_to_model_with_a_price_and_is_none_itself() -> None:
    assert {row["model"] for row in ALIASES} <= MODELS
    assert {row["alias"] for row in ALIASES} & MODELS == set()


def test_every_claude_model_is_known_in_either_order_of_its_name() -> None:
    aliases = {row["alias"]: row["model"] for row in ALIASES}
    numbers = re.compile(r"claude-([a-z]+)-([0-9-]+)|claude-([0-9-]+)-([a-z]+)")
    found = {price.model: numbers.fullmatch(price.model) for price in PRICES if price.is_of_anthropic}
    turned = {
        model: f"claude-{match[2]}-{match[1]}" if match[1] else f"claude-{match[4]}-{match[3]}"
        for model, match in found.items()
        if match
    }
    assert len(turned) > 20
    assert {model: aliases.get(name) for model, name in turned.items()} == {model: model for model in turned}


def test_every_model_has_a_standard_price() -> None:
    assert {price.model for price in (*PRICES, *SECONDS) if price.speed == "standard" and not price.region} == MODELS


def test_prices_have_known_speeds_and_keys_of_their_own() -> None:
    keys = [(price.model, price.speed, price.region, price.context_over_tokens, price.valid_from) for price in PRICES]
    assert len(set(keys)) == len(keys) > 300
    assert {price.speed for price in (*PRICES, *SECONDS)} <= set(SPEEDS)


def test_second_source_has_no_price_where_the_card_has_a_rate_now() -> None:
    newest: dict[tuple[str, str, str, int], Price] = {}
    for price in sorted(PRICES, key=lambda price: price.valid_from):
        newest[price.model, price.speed, price.region, price.context_over_tokens] = price
    sold = {key[:3] for key, price in newest.items() if any(rate is not None for rate in price.rates.values())}
    assert [price.name() for price in SECONDS if (price.model, price.speed, price.region) in sold] == []
    assert 100 < len(SECONDS) < 300


def test_us_costs_a_tenth_more_than_the_list_price() -> None:
    listed = {
        (price.model, price.speed, price.context_over_tokens, price.valid_from): price
        for price in PRICES
        if not price.region
    }
    abroad = [price for price in PRICES if price.region]
    pairs = [(price, listed[price.model, price.speed, price.context_over_tokens, price.valid_from]) for price in abroad]
    assert {price.region for price in abroad} == {"us"}
    assert {price.model for price in abroad} >= {
        "claude-opus-4-6",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        "claude-fable-5",
    }
    assert {price.model for price in abroad} & {"claude-opus-4-5", "claude-haiku-4-5", "claude-sonnet-4-5"} == set()
    assert [
        price.name()
        for price, base in pairs
        if price.rates != {kind: rate and rate * Decimal("1.1") for kind, rate in base.rates.items()}
        or price.web_search != base.web_search
    ] == []


def test_anthropics_caches_cost_a_fixed_part_of_input() -> None:
    prices = [price for price in PRICES if price.is_of_anthropic and price.model != ROUNDED]
    assert len(prices) > 20
    assert [price.name() for price in prices if not has_fixed_parts(price)] == []


def has_fixed_parts(price: Price) -> bool:
    per_input = {kind: rate / (price.rates["input"] or 1) for kind, rate in price.rates.items() if rate is not None}
    allowed = next((parts for name, parts in READS.items() if re.fullmatch(name, price.model)), {"0.1"})
    writes = per_input["cache_write_5m"], per_input["cache_write_1h"]
    return writes == (Decimal("1.25"), Decimal(2)) and per_input["cache_read"] in {Decimal(part) for part in allowed}


def test_batches_and_flex_of_large_models_cost_half() -> None:
    halves = [price for price in PRICES if price.speed in ("batch", "flex") and any(price.rates.values())]
    assert len(halves) > 50
    assert [price.name() for price in halves if not is_half(price)] == []


def is_half(price: Price) -> bool:
    """Return whether input and output cost half of the standard price; OpenAI rounds the rest."""
    (standard,) = [
        other
        for other in PRICES
        if (other.speed, other.model, other.region, other.context_over_tokens, other.valid_from)
        == ("standard", price.model, price.region, price.context_over_tokens, price.valid_from)
    ]
    kinds = KINDS if price.is_of_anthropic else ("input", "output")
    return all((price.rates[kind] or 0) * 2 == standard.rates[kind] for kind in kinds)


def test_no_rate_is_negative_and_every_price_has_dated_source() -> None:
    every = [*PRICES, *SECONDS]
    assert [price for price in every if any(rate is not None and rate < 0 for rate in price.rates.values())] == []
    assert [price for price in PRICES if not re.search(r"20\d\d-\d\d", price.source)] == []
    assert {price.source for price in SECONDS} == {"LiteLLM 1.110.2"}


def test_rates_have_no_more_digits_than_a_cost() -> None:
    rates = [
        rate for price in (*PRICES, *SECONDS) for rate in (*price.rates.values(), price.web_search) if rate is not None
    ]
    assert [rate for rate in rates if rate != round(rate, 6)] == []


def test_only_tiers_of_openai_and_deepseek_lack_input_or_output_rates() -> None:
    without = {
        (price.model.split("-")[0], price.speed)
        for price in PRICES
        if None in (price.rates["input"], price.rates["output"])
    }
    assert without == {("gpt", "fast"), ("gpt", "flex"), ("deepseek", "standard")}


def test_the_two_ways_to_choose_a_row_are_one() -> None:
    """The order of the two checks, the day and the length of the prompt, must not matter."""
    contexts = sorted({price.context_over_tokens + 1 for price in PRICES})
    days = sorted({price.valid_from for price in PRICES})
    for key in {(price.model, price.speed, price.region) for price in PRICES}:
        rows = [price for price in PRICES if (price.model, price.speed, price.region) == key]
        for context in contexts:
            fitting = [price for price in rows if context > price.context_over_tokens]
            for day in days:
                valid = [price for price in fitting if price.valid_from <= day]
                by_day = max(valid, key=lambda price: (price.valid_from, price.context_over_tokens), default=None)
                by_length = max(valid, key=lambda price: (price.context_over_tokens, price.valid_from), default=None)
                assert by_day == by_length, (key, context, day)


@pytest.mark.parametrize(
    "name", [CARD, SECOND, "usage_model_rules", "usage_model_aliases", "usage_repositories", "usage_authors"]
)
def test_every_column_of_a_seed_has_its_type_and_its_meaning(name: str) -> None:
    header = (SEEDS / f"{name}.csv").read_text().splitlines()[0].split(",")
    (seed,) = yaml.safe_load((SEEDS / f"{name}.yml").read_text())["seeds"]
    assert [column["name"] for column in seed["columns"] if column["description"]] == header
    assert list(seed["config"]["column_types"]) == header
