"""The rate card: the price of a response, as an exact number of 1e-12 USD."""

import csv
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

PICODOLLARS = 10**12

_PACKAGE = Path(__file__).resolve().parent
_SEED = Path("jobs", "dbt-runner", "dbt", "seeds", "usage_prices.csv")
_KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a model, in 1e-12 USD per token, or per web search; None: not sold, or not at one price."""

    source: Literal["rate_card", "second_source"]
    context_over_tokens: int
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    web_search: int | None


@dataclass(frozen=True, slots=True)
class _Offer:
    pattern: str
    speed: str
    valid_from: date
    rates: Rates


class RateCard:
    """The prices of models by day, speed and length of the context."""

    def __init__(self, offers: list[_Offer]) -> None:
        self._offers = offers
        self._of_model = cache(self._matching)
        self._of_day = cache(self._valid)

    @classmethod
    def load(cls) -> "RateCard":
        """Return the rate card of the seed, in a checkout or installed."""
        installed = _PACKAGE / "project" / _SEED
        with (installed if installed.exists() else _PACKAGE.parents[1] / _SEED).open(newline="") as file:
            return cls([_offer(row) for row in csv.DictReader(file)])

    def rates(
        self, model: str | None, speed: str | None, region: str | None, day: date, context_tokens: int
    ) -> Rates | None:
        """Return the rates that a model had on a day (UTC), for a context of this length; None where none is known."""
        tiers = () if model is None else self._of_day(model, speed or "standard", day)
        return next(
            (rates for rates in tiers if context_tokens > rates.context_over_tokens or not rates.context_over_tokens),
            None,
        )

    def _valid(self, model: str, speed: str, day: date) -> tuple[Rates, ...]:
        """Return the newest rates, the longest context first."""
        offers = [offer for offer in self._of_model(model) if offer.speed == speed and offer.valid_from <= day]
        offers.sort(key=lambda offer: (offer.valid_from, offer.rates.context_over_tokens), reverse=True)
        return tuple(offer.rates for offer in offers)

    def _matching(self, model: str) -> tuple[_Offer, ...]:
        return tuple(offer for offer in self._offers if re.fullmatch(offer.pattern, model))


def _offer(row: dict[str, str]) -> _Offer:
    usd = {kind: int(float(row[f"{kind}_usd"]) * 10**6 + 0.5) if row[f"{kind}_usd"] else None for kind in _KINDS}
    rates = Rates("rate_card", int(row["context_over_tokens"]), **usd, web_search=None)
    return _Offer(row["model_pattern"], row["speed"], date.fromisoformat(row["valid_from"]), rates)


def cost_of(
    rates: Rates | None,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cache_read_tokens: int | None,
    cache_write_5m_tokens: int | None,
    cache_write_1h_tokens: int | None,
    web_searches: int | None,
) -> int | None:
    """Return the cost in 1e-12 USD; None without rates, or where a kind that was used has none."""
    if rates is None:
        return None
    cost = 0
    for used, rate in (
        (input_tokens, rates.input),
        (output_tokens, rates.output),
        (cache_read_tokens, rates.cache_read),
        (cache_write_5m_tokens, rates.cache_write_5m),
        (cache_write_1h_tokens, rates.cache_write_1h),
        (web_searches, rates.web_search),
    ):
        if used:
            if rate is None:
                return None
            cost += used * rate
    return cost
