"""Prices that a person types: their names, keys and rates, and the checks before one is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Self

from millrace.errors import ConfigError
from millrace.prices import TYPED, TYPED_COLUMNS, PricedModel, RateCard, key_of, premium
from millrace.status import maps, suggestions
from millrace.terminal import printable

TABLE = "usage_prices"
TOKENS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
RATES = (*TOKENS, "web_search")
SPEEDS = ("standard", "fast", "flex", "batch", "ultrafast")
FIRST_DAY = date(2024, 1, 1)
"""The first day of a price whose first day is not known, as in the rate card."""

_MOST = Decimal(100_000)
_LEAST_USUAL = {"input": Decimal("0.005"), "output": Decimal("0.01")}
_LEAST_OF_CACHES = Decimal("0.0005")
_MOST_USUAL = Decimal(1000)
_MOST_OF_A_SEARCH = Decimal(1)
_KEY = ("model", "speed", "region", "context_over_tokens", "valid_from")


@dataclass(frozen=True, slots=True)
class Price:
    """One price: USD per million tokens of each kind, and per web search; without a rate it takes one back."""

    model: str
    speed: str
    region: str
    context_over_tokens: int
    valid_from: date
    rates: Mapping[str, Decimal | None] = field(default_factory=dict)
    source: str = ""

    @classmethod
    def of_key(cls, row: Mapping[str, str]) -> Self:
        """Return the price that takes back the one with this key."""
        model, speed, region, over, day = (row[name] for name in _KEY)
        return cls(model, speed, region, int(over), date.fromisoformat(day))

    def row(self) -> dict[str, object]:
        """Return the row of the dropped file; a rate that is not known is left out, as 0 would be a price."""
        key = {"model": self.model, "speed": self.speed, "region": self.region}
        rest = {"context_over_tokens": self.context_over_tokens, "valid_from": self.valid_from.isoformat()}
        rates = {f"{kind}_usd": float(rate) for kind, rate in self.rates.items() if rate is not None}
        return key | rest | rates | ({"source": self.source} if self.source else {})

    def as_text(self) -> dict[str, str]:
        """Return the row as one of the rate card."""
        empty = {f"{kind}_usd": "" for kind in RATES} | {"source": ""}
        return empty | {name: str(value) for name, value in self.row().items()}


def rows(query: Callable[[str], list[tuple[Any, ...]]]) -> list[dict[str, str]]:
    """Return the typed prices of a store, as rows of the rate card; none in marts of an earlier version."""
    if not maps.has_table(query, "stg_usage_prices"):
        return []
    return [
        {name: "" if value is None else str(value) for name, value in zip(TYPED_COLUMNS, row, strict=True)}
        for row in query(TYPED)
    ]


def name_of(model: str, card: RateCard) -> PricedModel:
    """Return the name under which a model has its price; a new one is in lower case, with dashes for dots."""
    word = model.strip()
    if not word or word == suggestions.UNKNOWN or printable(word) != word:
        raise ConfigError(f"expected the name of a model as its log has it, got {model!r}")
    return card.model(word) or next(card.forms(word))


def priced(
    card: RateCard,
    model: str,
    rates: Mapping[str, Decimal | None],
    *,
    speed: str | None = None,
    region: str | None = None,
    over: int = 0,
    first_day: date | None = None,
    source: str = "",
    force: bool = False,
) -> Price:
    """Return the price that was typed; ConfigError for one that cannot be meant.

    Without a first day it has that of the model's newest price, in whose place it is.
    """
    known = name_of(model, card)
    key = (known.name, known.speed or speed or "standard", premium((region or "").strip()), str(over))
    of_key = [row for _, row in card.rows(known.name) if key_of(row)[:4] == key]
    newest = max(of_key, key=lambda row: row["valid_from"], default=None)
    if not force:
        _require_usual(rates, newest)
    for kind, rate in rates.items():
        if rate is not None and (not 0 <= rate <= _MOST or rate != round(rate, 6)):
            raise ConfigError(
                f"{option(kind)}: expected USD from 0 to {_MOST:,}, with at most six decimal places, got {rate}"
            )
    day = first_day or (date.fromisoformat(newest["valid_from"]) if newest else FIRST_DAY)
    return Price(key[0], key[1], key[2], over, day, rates, source)


def option(kind: str) -> str:
    """Return the option of a rate."""
    return "--" + kind.replace("_", "-")


def key_text(row: Mapping[str, str]) -> str:
    """Return the key of a price as options."""
    over = f" --context-over {row['context_over_tokens']}" if row["context_over_tokens"] != "0" else ""
    region = f" --region {row['region']}" if row["region"] else ""
    return f"--speed {row['speed']}{region}{over} --from {row['valid_from']}"


def _require_usual(rates: Mapping[str, Decimal | None], newest: Mapping[str, str] | None) -> None:
    for kind, rate in rates.items():
        if not rate:
            continue
        if kind == "web_search":
            if rate > _MOST_OF_A_SEARCH:
                _refuse(kind, rate, f"a price of 1,000 searches: for one it is {_plain(rate / 1000)}")
            continue
        for factor, unit in ((10**6, "token"), (1000, "thousand tokens")):
            if rate < _LEAST_USUAL.get(kind, _LEAST_OF_CACHES) and rate * factor <= _MOST_USUAL:
                _refuse(kind, rate, f"a price per {unit}: per million tokens it is {_plain(rate * factor)}")
        if rate > _MOST_USUAL:
            _refuse(kind, rate, "more than USD per million tokens")
        before = Decimal(newest[f"{kind}_usd"] or 0) if newest else Decimal(0)
        if before and not before / 100 < rate < before * 100:
            _refuse(kind, rate, f"a price of another unit: per million tokens the model has {_plain(before)} USD now")


def _refuse(kind: str, rate: Decimal, why: str) -> None:
    raise ConfigError(f"{option(kind)} {_plain(rate)} looks like {why}; --force takes it as it is")


def _plain(rate: Decimal) -> str:
    return format(rate.normalize(), "f")
