"""The price of a response, as an exact number of 1e-12 USD: by the rate card, a second source, or the agent's report.

The rates and the rules for names are seeds of the dbt project, which computes the same costs in SQL.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Literal, Protocol, Self, cast

PICODOLLARS = 10**12
"""How many of the units of a cost are a USD. A token at a rate of 1e-6 USD per million costs one."""

METERED = frozenset({"cline-pass"})
"""The providers that sell at a price of their own and report it: what they report comes first."""

NO_PREMIUM = frozenset({"", "global", "not_available"})
"""The regions of a log that are sold at the list price."""

Source = Literal["rate_card", "second_source"]
_KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
CostSource = Literal["rate_card", "second_source", "provider", "estimated", "unknown"]

_KEY = ("model", "speed", "region", "context_over_tokens", "valid_from")
_RATES = tuple(f"{kind}_usd" for kind in (*_KINDS, "web_search"))
TYPED_COLUMNS = (*_KEY, *_RATES, "source")
TYPED = f"""
    SELECT {", ".join(TYPED_COLUMNS)} FROM staging.stg_usage_prices
    WHERE is_usable AND NOT is_taken_back ORDER BY extracted_at DESC, model"""  # noqa: S608
"""The prices of dropped files in a warehouse, as rows of the rate card; of two names of a model the newest is first."""

_PACKAGE = Path(__file__).resolve().parent
_SEEDS = Path("jobs", "dbt-runner", "dbt", "seeds")
_PICODOLLARS_PER_RATE = 10**6
_DASHES = str.maketrans(". ", "--")

_Row = Mapping[str, str]
_Rules = list[tuple[re.Pattern[str], str, str | None]]


class _Tokens(Protocol):
    @property
    def input_tokens(self) -> int | None: ...
    @property
    def output_tokens(self) -> int | None: ...
    @property
    def cache_read_tokens(self) -> int | None: ...
    @property
    def cache_write_5m_tokens(self) -> int | None: ...
    @property
    def cache_write_1h_tokens(self) -> int | None: ...


class _Event(Protocol):
    """An event that has a price: the parsers' `UsageEvent`, or an object with the same attributes."""

    @property
    def role(self) -> str: ...
    @property
    def provider(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def speed(self) -> str | None: ...
    @property
    def region(self) -> str | None: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def tokens(self) -> _Tokens: ...
    @property
    def web_searches(self) -> int | None: ...
    @property
    def is_estimated(self) -> bool: ...
    @property
    def cost_usd(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of a model, in 1e-12 USD per token, or per web search; None: not sold, or not at one price."""

    source: Source
    context_over_tokens: int
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    web_search: int | None

    @property
    def has_any(self) -> bool:
        """Whether tokens of any kind have a rate."""
        return (self.input, self.output, self.cache_read, self.cache_write_5m, self.cache_write_1h) != (None,) * 5


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model under its name in the rate card; `speed` is that of its logged name, None where it has none."""

    name: str
    speed: str | None


class RateCard:
    """The rates of models by speed, region, day and length of the context."""

    def __init__(self, card: list[_Row], second: list[_Row], rules: list[_Row], aliases: list[_Row]) -> None:
        self._rows: dict[Source, dict[str, list[_Row]]] = {"rate_card": {}, "second_source": {}}
        for source, rows in (("rate_card", card), ("second_source", second)):
            for row in rows:
                self._rows[cast(Source, source)].setdefault(row["model"], []).append(row)
        self._aliases = {row["alias"]: row["model"] for row in aliases}
        self._unread_rules = sorted(rules, key=lambda row: int(row["step"]))
        self._rules: _Rules | None = None
        self._models: dict[str, PricedModel | None] = {}
        self._tiers: dict[tuple[PricedModel, str | None, str | None, date], list[list[Rates]]] = {}

    @classmethod
    def load(cls, typed: Path | None = None) -> Self:
        """Return the rate card of this package, with the typed prices in a file that a build has written."""
        installed = _PACKAGE / "project" / _SEEDS
        card = cls.read(installed if installed.is_dir() else _PACKAGE.parents[1] / _SEEDS)
        return card if typed is None or not typed.exists() else card.with_typed(_read(typed))

    @classmethod
    def read(cls, seeds: Path) -> Self:
        """Return the rate card of a folder of seeds."""
        names = ("usage_prices", "usage_prices_second", "usage_model_rules", "usage_model_aliases")
        return cls(*(_read(seeds / f"{name}.csv") for name in names))

    def without_second_source(self) -> Self:
        """Return the rate card alone."""
        alone = copy(self)
        alone._rows = {"rate_card": self._rows["rate_card"], "second_source": {}}
        alone._models, alone._tiers = {}, {}
        return alone

    def with_typed(self, typed: Iterable[Mapping[str, str]]) -> Self:
        """Return the rate card with the prices of dropped files, each in place of one with the same key."""
        # As in int_usage_prices_offered: a price under a model's own name comes first.
        own_first = sorted(typed, key=lambda row: row["model"] in self._aliases)
        named = [{**row, "model": self._aliases.get(row["model"], row["model"])} for row in own_first]
        rows = {key_of(row): row for row in reversed(named)}
        more = copy(self)
        more._rows = {
            source: {name: [row for row in of_model if key_of(row) not in rows] for name, of_model in models.items()}
            for source, models in self._rows.items()
        }
        for row in rows.values():
            more._rows["rate_card"].setdefault(row["model"], []).append(row)
        more._models, more._tiers = {}, {}
        return more

    def rows(self, model: str | None = None) -> Iterator[tuple[Source, Mapping[str, str]]]:
        """Yield the prices of a model under its name in the rate card, or all, with their source."""
        for source, models in self._rows.items():
            for name in models if model is None else [model]:
                yield from ((source, row) for row in models.get(name, []))

    def model(self, name: str | None) -> PricedModel | None:
        """Return the model that a name in a log means: the least changed form that has a price; None without one."""
        if name is None:
            return None
        if name not in self._models:
            self._models[name] = next(self._known(name), None)
        return self._models[name]

    def rates(
        self, model: str | None, speed: str | None, region: str | None, day: date, context_tokens: int
    ) -> Rates | None:
        """Return the rates of a model on a day (UTC) for a context of this length; None where no source has any."""
        known = self.model(model)
        if known is None:
            return None
        key = (known, speed, region, day)
        if key not in self._tiers:
            self._tiers[key] = [
                _valid(rows.get(known.name, []), source, known.speed or speed or "standard", premium(region), day)
                for source, rows in self._rows.items()
            ]
        fitting = [_fitting(tiers, context_tokens) for tiers in self._tiers[key]]
        return next((rates for rates in fitting if rates is not None and rates.has_any), None)

    def forms(self, name: str) -> Iterator[PricedModel]:
        """Yield the forms of a name in a log, each changed by one more rule, with the speed that they name."""
        speed: str | None = None
        changed = name.lower().translate(_DASHES)
        yield PricedModel(changed, speed)
        for pattern, replacement, of_name in self._compiled_rules():
            before, changed = changed, pattern.sub(replacement, changed, count=1)
            if changed != before:
                speed = of_name or speed
                yield PricedModel(changed, speed)

    def _compiled_rules(self) -> _Rules:
        if self._rules is None:
            # Python's $ matches before a line's end as well; that of the warehouses does not.
            self._rules = [
                (re.compile(row["pattern"].replace("$", r"\Z")), row["replacement"], row["speed"] or None)
                for row in self._unread_rules
            ]
        return self._rules

    def _known(self, name: str) -> Iterator[PricedModel]:
        for form in self.forms(name):
            known = self._aliases.get(form.name, form.name)
            if any(known in rows for rows in self._rows.values()):
                yield PricedModel(known, form.speed)


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
    """Return the cost in 1e-12 USD; None without rates, without known tokens, or where a used kind has no rate."""
    tokens = (input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens)
    if rates is None or tokens == (None,) * 5:
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


def price(card: RateCard, event: _Event) -> tuple[int | None, CostSource | None]:
    """Return the cost of an event in 1e-12 USD, None where it is unknown, and its source; a prompt costs nothing."""
    if event.role == "user":
        return 0, None
    tokens = event.tokens
    read, written = tokens.cache_read_tokens, (tokens.cache_write_5m_tokens or 0) + (tokens.cache_write_1h_tokens or 0)
    context = (tokens.input_tokens or 0) + (read or 0) + written
    rates = card.rates(event.model, event.speed, event.region, event.occurred_at.date(), context)
    cost = cost_of(
        rates,
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        cache_read_tokens=tokens.cache_read_tokens,
        cache_write_5m_tokens=tokens.cache_write_5m_tokens,
        cache_write_1h_tokens=tokens.cache_write_1h_tokens,
        web_searches=event.web_searches,
    )
    reported = None if event.cost_usd is None else to_picodollars(event.cost_usd)
    return choose(cost, rates, reported, is_estimated=event.is_estimated, provider=event.provider)


def choose(
    cost: int | None, rates: Rates | None, reported: int | None, *, is_estimated: bool, provider: str | None
) -> tuple[int | None, CostSource]:
    """Return the cost of a response and its source, of the cost at `rates` and the reported one.

    The price of counted tokens comes first, then the reported cost, then the price of estimated tokens.
    """
    if reported is not None and (cost is None or is_estimated or provider in METERED):
        return reported, "provider"
    if cost is None or rates is None:
        return None, "unknown"
    return cost, "estimated" if is_estimated else rates.source


def to_picodollars(usd: Decimal) -> int:
    """Return an amount as a whole number of 1e-12 USD."""
    return int((usd * PICODOLLARS).to_integral_value(ROUND_HALF_UP))


def key_of(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return the key of a price; of two with one key the dropped one counts."""
    return tuple(row[name] for name in _KEY)


def write_typed(rows: Iterable[Iterable[object]], path: Path) -> None:
    """Write typed prices, as `TYPED` selects them, for `RateCard.load`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(TYPED_COLUMNS)
        writer.writerows(rows)


def _read(seed: Path) -> list[_Row]:
    with seed.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def premium(region: str | None) -> str:
    """Return the region as it is in the rate card: empty where it is sold at the list price."""
    name = (region or "").lower()
    return "" if name in NO_PREMIUM else name


def _valid(rows: list[_Row], source: Source, speed: str, region: str, day: date) -> list[Rates]:
    """Return the rates that are valid on a day; those that count first: the newest, of these the longest context."""
    valid = [
        (row["valid_from"], int(row["context_over_tokens"]), row)
        for row in rows
        if row["speed"] == speed and row["region"] == region and row["valid_from"] <= day.isoformat()
    ]
    valid.sort(key=lambda each: each[:2], reverse=True)
    return [_rates(row, source) for _, _, row in valid]


def _fitting(tiers: list[Rates], context_tokens: int) -> Rates | None:
    is_long = (tier for tier in tiers if not tier.context_over_tokens or context_tokens > tier.context_over_tokens)
    return next(is_long, None)


def _rates(row: _Row, source: Source) -> Rates:
    of_tokens = {kind: _times(row[f"{kind}_usd"], _PICODOLLARS_PER_RATE) for kind in _KINDS}
    return Rates(
        source, int(row["context_over_tokens"]), **of_tokens, web_search=_times(row["web_search_usd"], PICODOLLARS)
    )


def _times(amount: str, unit: int) -> int | None:
    return int(Decimal(amount) * unit) if amount else None
