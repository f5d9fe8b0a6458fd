"""What `millrace prices add` accepts: the name of the model, its key, and rates that can be meant."""

from datetime import date
from decimal import Decimal

import pytest

from millrace.errors import ConfigError
from millrace.prices import RateCard
from millrace.status.typed_prices import Price, priced

pytestmark = pytest.mark.fast
CARD = RateCard.load()


def typed(model: str, force: bool = False, **changed: str) -> Price:
    return of({"input": "3", "output": "15"} | changed, model, force)


def of(rates: dict[str, str], model: str = "my-model", force: bool = False) -> Price:
    return priced(CARD, model, {kind: Decimal(rate) for kind, rate in rates.items()}, force=force)


def test_new_model_has_its_name_in_the_rate_cards_form() -> None:
    price = typed("My Model.2")
    assert (price.model, price.speed, price.region, price.valid_from) == (
        "my-model-2",
        "standard",
        "",
        date(2024, 1, 1),
    )


def test_known_model_is_priced_in_place_of_its_newest_price() -> None:
    price = typed("us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    (row,) = [
        row
        for _, row in CARD.rows("claude-sonnet-4-5")
        if (row["speed"], row["region"], row["context_over_tokens"]) == ("standard", "", "0")
    ]
    assert (price.model, price.valid_from.isoformat()) == ("claude-sonnet-4-5", row["valid_from"])


def test_speed_in_a_name_is_the_speed_of_the_price() -> None:
    price = typed("claude-opus-4-6-fast", input="30", output="150")
    assert (price.model, price.speed) == ("claude-opus-4-6", "fast")


def test_rate_that_is_left_out_is_unknown_and_never_0() -> None:
    row = typed("my-model", cache_read="0").row()
    assert (row["input_usd"], row["cache_read_usd"]) == (3.0, 0.0)
    assert not {"cache_write_5m_usd", "cache_write_1h_usd", "web_search_usd"} & set(row)


@pytest.mark.parametrize(
    ("rates", "why"),
    [
        pytest.param({"input": "0.000003"}, "--input 0.000003 looks like a price per token.* is 3;", id="a token"),
        pytest.param({"output": "0.0015"}, "a price per thousand tokens: .* is 1.5;", id="1,000"),
        pytest.param({"cache_read": "0.0000003"}, "--cache-read 0.0000003 looks like a price per token", id="a cache"),
        pytest.param({"input": "3000"}, "--input 3000 looks like more than USD per million tokens", id="too much"),
        pytest.param({"web_search": "10"}, "--web-search 10 .* 1,000 searches: for one it is 0.01;", id="searches"),
    ],
)
def test_price_of_another_unit_is_refused_unless_forced(rates: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        of(rates)
    if all(Decimal(rate) == round(Decimal(rate), 6) for rate in rates.values()):
        assert of(rates, force=True).rates


def test_price_far_from_the_known_one_is_refused_unless_forced() -> None:
    with pytest.raises(ConfigError, match="per million tokens the model has 3 USD now; --force"):
        typed("claude-sonnet-4-5", input="0.01")
    assert typed("claude-sonnet-4-5", input="0.01", force=True).rates["input"] == Decimal("0.01")


@pytest.mark.parametrize("rate", ["-1", "0.1234567", "100001"])
def test_rate_that_no_price_can_have_is_refused_even_if_forced(rate: str) -> None:
    with pytest.raises(ConfigError, match="expected USD from 0 to 100,000"):
        typed("my-model", input_usd=rate, force=True)


@pytest.mark.parametrize("model", ["", " ", "…", "a\x1b[2Jb"])
def test_name_that_no_model_has_is_refused(model: str) -> None:
    with pytest.raises(ConfigError, match="expected the name of a model"):
        typed(model)


def test_free_model_may_cost_0() -> None:
    assert typed("my-model", input="0", output="0").rates == {"input": 0, "output": 0}


def test_typed_price_takes_the_place_of_the_same_key() -> None:
    price = typed("claude-sonnet-4-5", input="2", output="10")
    known = CARD.with_typed([price.as_text()]).rates("claude-sonnet-4.5", None, None, date(2026, 11, 1), 1000)
    before = CARD.rates("claude-sonnet-4.5", None, None, date(2026, 11, 1), 1000)
    assert known
    assert before
    assert (known.input, before.input, known.cache_read) == (2_000_000, 3_000_000, None)
