"""The cost of an event: which source comes first, and what is unknown."""

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.report.events import ANSWER, PROMPT

from millrace.collect.parsers.event import Tokens, UsageEvent
from millrace.collect.records import to_row
from millrace.prices import RateCard
from millrace.report.sums import Pricing, Sums, to_usd

CARD = RateCard.load()
LISTED = 995_000_000  # 100 x 5 + 10 x 25 + 200 x 0.5 + 20 x 6.25 + 2 x 10 USD per million
TOLD = Decimal("0.5")


@pytest.mark.parametrize(
    ("event", "cost"),
    [
        pytest.param(ANSWER, LISTED, id="a price"),
        pytest.param(replace(ANSWER, cost_usd=TOLD), LISTED, id="a price before a reported cost"),
        pytest.param(replace(ANSWER, is_estimated=True), LISTED, id="a price of estimated tokens"),
        pytest.param(replace(ANSWER, is_estimated=True, cost_usd=TOLD), 5 * 10**11, id="reported before estimated"),
        pytest.param(replace(ANSWER, model="unsold-1", cost_usd=TOLD), 5 * 10**11, id="only a reported cost"),
        pytest.param(replace(ANSWER, model="unsold-1"), None, id="neither"),
        pytest.param(replace(ANSWER, model=None), None, id="no model"),
        pytest.param(PROMPT, 0, id="a prompt"),
    ],
)
def test_cost_comes_from_the_first_source_that_has_one(event: UsageEvent, cost: int | None) -> None:
    assert Pricing(CARD).cost(to_row(event))[0] == cost


@pytest.mark.parametrize(
    ("told", "cost"),
    [("0.0000000000005", 1), ("0.0000000000004", 0), ("0." + "1" * 38, 111111111111), ("1000000", 10**18)],
)
def test_reported_cost_is_rounded_half_up_to_twelve_decimals(told: str, cost: int) -> None:
    event = replace(ANSWER, model="unsold-1", cost_usd=Decimal(told))
    assert Pricing(CARD).cost(to_row(event))[0] == cost


def test_unknown_cost_of_all_responses_is_none_and_not_zero() -> None:
    sums = Sums()
    sums.add(to_row(ANSWER), (None, "unknown"))
    assert (sums.cost_usd, sums.unpriced_tokens, sums.is_cost_lower_bound) == (None, 332, True)


def test_cost_with_an_unpriced_response_beside_it_is_a_lower_bound() -> None:
    sums = Sums()
    sums.add(to_row(ANSWER), (7, "rate_card"))
    sums.add(to_row(ANSWER), (None, "unknown"))
    assert (sums.cost_usd, sums.n_cost, sums.is_cost_lower_bound) == (to_usd(7), 1, True)


@pytest.mark.parametrize(
    ("event", "is_lower_bound"),
    [
        pytest.param(ANSWER, False, id="all counted"),
        pytest.param(replace(ANSWER, is_lower_bound=True), True, id="marked by the parser"),
        pytest.param(replace(ANSWER, tokens=Tokens(input_tokens=1)), True, id="output that nobody counted"),
    ],
)
def test_tokens_that_nobody_counted_make_a_lower_bound(event: UsageEvent, is_lower_bound: bool) -> None:
    sums = Sums()
    sums.add(to_row(event), (7, "rate_card"))
    assert sums.is_lower_bound is is_lower_bound
