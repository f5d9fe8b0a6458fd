"""The prices of a correct pipeline: what tokens cost by the rate card, or by the second source.

It reads the seeds of the dbt project and shares no line with it, nor with the package.
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path
from typing import Self

SOLD = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")  # disjoint: they add up to all tokens
CONTEXT = ("input", "cache_read", "cache_write_5m", "cache_write_1h")

_MONEY = Decimal("1E-12")
_AT_LIST_PRICE = ("", "global", "not_available")


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model from one day on; `usd` is the rate per million tokens of each kind, None where unknown."""

    source: str
    model: str
    speed: str
    region: str
    context_over_tokens: int
    valid_from: date
    usd: Mapping[str, Decimal | None]
    usd_per_search: Decimal | None

    @property
    def is_empty(self) -> bool:
        """Whether no kind of tokens has a rate."""
        return all(rate is None for rate in self.usd.values())


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an event, and its source, both None or `unknown` where it is not known; then `gap` says why."""

    usd: Decimal | None
    source: str | None = None
    gap: str | None = None
    model: str | None = None
    context_over_tokens: int | None = None


@dataclass(frozen=True)
class Prices:
    """The prices of both sources, and what leads from a logged name to theirs."""

    offers: tuple[Price, ...]
    rules: tuple[tuple[str, str, str], ...] = ()
    aliases: Mapping[str, str] | None = None

    @classmethod
    def read(cls, seeds: Path) -> Self:
        """Return the prices in a folder of seeds."""
        offers = [
            _price(source, row)
            for source, name in (("rate_card", "usage_prices"), ("second_source", "usage_prices_second"))
            for row in _rows(seeds / f"{name}.csv")
        ]
        steps = sorted(_rows(seeds / "usage_model_rules.csv"), key=lambda row: int(row["step"]))
        rules = tuple((row["pattern"], row["replacement"], row["speed"]) for row in steps)
        return cls(
            tuple(offers), rules, {row["alias"]: row["model"] for row in _rows(seeds / "usage_model_aliases.csv")}
        )

    @cached_property
    def _of_models(self) -> dict[str, list[Price]]:
        models: dict[str, list[Price]] = {}
        for offer in self.offers:
            models.setdefault(offer.model, []).append(offer)
        return models

    def cost(
        self,
        model: str | None,
        speed: str | None,
        region: str | None,
        day: date,
        tokens: Mapping[str, int | None],
        searches: int,
    ) -> Cost:
        """Return the cost of tokens by kind, and of web searches."""
        if model is None:
            return Cost(None, "unknown", "no_model")
        name, named_speed = self.find(model)
        offers = self._of_models.get(name or "", [])
        context = sum(tokens[kind] or 0 for kind in CONTEXT)
        place = (region or "").lower()
        gap = "model"
        region = "" if place in _AT_LIST_PRICE else place
        needs: tuple[tuple[str, Callable[[Price], bool]], ...] = (
            ("speed", lambda offer: offer.speed == (named_speed or speed or "standard")),
            ("region", lambda offer: offer.region == region),
            ("day", lambda offer: offer.valid_from <= day),
            ("context", lambda offer: offer.context_over_tokens < max(context, 1)),
        )
        for need, is_met in needs:
            if offers:
                offers, gap = list(filter(is_met, offers)), need
        price = _that_counts(offers)
        over = None if price is None else price.context_over_tokens
        if all(count is None for count in tokens.values()):
            return Cost(None, "unknown", "no_tokens", name, over)
        if price is None:
            return Cost(None, "unknown", gap, name)
        usd = _cost_at(price, tokens, searches)
        if usd is None:
            return Cost(None, "unknown", "context" if price.is_empty and over else "rate", name, over)
        return Cost(usd, price.source, None, name, over)

    def find(self, model: str) -> tuple[str | None, str | None]:
        """Return the model of a logged name, and the speed that the name says; None where it has none."""
        name, speed = re.sub("[. ]", "-", model.lower()), None
        for pattern, replacement, of_speed in (("^$", "", ""), *self.rules):
            match = re.search(pattern, name)
            if match and (match.end() == len(name) or not pattern.endswith("$")):
                name = name[: match.start()] + replacement + name[match.end() :]
                speed = of_speed or speed
            known = (self.aliases or {}).get(name, name)
            if known in self._of_models:
                return known, speed
        return None, None


def money(amount: Decimal) -> Decimal:
    """Return an amount in USD with the twelve decimals of the marts."""
    return amount.quantize(_MONEY, ROUND_HALF_UP)


def _that_counts(offers: list[Price]) -> Price | None:
    """Return the newest price for the longest context, of the card where it has any rate."""
    by_source = {
        source: max(
            (offer for offer in offers if offer.source == source),
            key=lambda offer: (offer.valid_from, offer.context_over_tokens),
            default=None,
        )
        for source in ("rate_card", "second_source")
    }
    found = [offer for offer in by_source.values() if offer is not None]
    return next((offer for offer in found if not offer.is_empty), found[0] if found else None)


def _cost_at(price: Price, tokens: Mapping[str, int | None], searches: int) -> Decimal | None:
    """Return the cost; None where something that was used has no rate."""
    parts = [(tokens[kind] or 0, price.usd[kind], 10**6) for kind in SOLD] + [(searches, price.usd_per_search, 1)]
    if price.is_empty or any(count and rate is None for count, rate, _ in parts):
        return None
    return money(sum((count * (rate or Decimal(0)) / unit for count, rate, unit in parts), Decimal(0)))


def _rows(seed: Path) -> list[dict[str, str]]:
    with seed.open(newline="") as file:
        return list(csv.DictReader(file))


def _price(source: str, row: Mapping[str, str]) -> Price:
    usd = {kind: Decimal(row[f"{kind}_usd"]) if row[f"{kind}_usd"] else None for kind in SOLD}
    search = Decimal(row["web_search_usd"]) if row["web_search_usd"] else None
    over, since = int(row["context_over_tokens"]), date.fromisoformat(row["valid_from"])
    return Price(source, row["model"], row["speed"], row["region"], over, since, usd, search)
