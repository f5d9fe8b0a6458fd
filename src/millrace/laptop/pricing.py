# ruff: noqa: S608 - the names are this project's own, and what is quoted is escaped
"""`millrace prices`: the typed prices of a data directory, what is refused, and what a price did to the usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Literal

from millrace.errors import ConfigError, Step
from millrace.laptop import typed_rows
from millrace.laptop.data_dir import DataDir
from millrace.prices import RateCard
from millrace.status import maps, suggestions, typed_prices
from millrace.status.maps import Amount
from millrace.status.typed_prices import Price
from millrace.warehouse import Node


@dataclass(frozen=True, slots=True)
class Effect:
    """What a price did to its models: their usage before and now, and what keeps some of it unknown.

    `short` responses used the kinds of tokens in `lacking`, for which the price has no rate; `other` responses have
    another speed, region, day or length of prompt.
    """

    state: Literal["loaded", "built", "failed"]
    before: Amount
    now: Amount
    lacking: tuple[str, ...] = ()
    short: int = 0
    other: int = 0
    bad_nodes: tuple[Node, ...] = ()


def card_of(data_dir: DataDir) -> RateCard:
    """Return the rate card with the typed prices of a data directory, as of its last build."""
    card = RateCard.load()
    if not data_dir.published.exists():
        return card
    return card.with_typed(typed_prices.rows(partial(typed_rows.query, data_dir)))


def models_of(data_dir: DataDir, price: Price) -> tuple[list[str], date | None]:
    """Return the names in logs that the price's model has, and the first day with usage of them."""
    typed_rows.require_built(data_dir)
    card = card_of(data_dir).with_typed([price.as_text()])
    found = typed_rows.query(
        data_dir, "SELECT model, min(day) FROM mart.usage_events WHERE role = 'assistant' AND model <> '' GROUP BY ALL"
    )
    named = [(name, day) for name, day in found if (known := card.model(name)) and known.name == price.model]
    return sorted(name for name, _ in named), min((day for _, day in named), default=None)


def usage_of(data_dir: DataDir, models: Sequence[str]) -> Amount:
    """Return the responses of models, and their cost."""
    ((responses, priced, cost),) = typed_rows.query(
        data_dir,
        f"SELECT count(*), count(cost_usd), sum(cost_usd) FROM mart.usage_events WHERE {_are(models)}",
    )
    return Amount(responses, priced, cost)


def apply(data_dir: DataDir, prices: Sequence[Price], models: Sequence[str], *, is_built: bool) -> Effect:
    """Write, load and build prices of one model, and return what they did."""
    before = usage_of(data_dir, models)
    applied = typed_rows.apply(data_dir, typed_prices.TABLE, [price.row() for price in prices], is_built=is_built)
    if applied.state != "built":
        return Effect(applied.state, before, before, bad_nodes=applied.bad_nodes)
    now = usage_of(data_dir, models)
    if not prices[0].rates:
        return Effect("built", before, now)
    used = ", ".join(f"coalesce(bool_or({kind}_tokens > 0), false)" for kind in typed_prices.TOKENS)
    unknown = f"{_are(models)} AND cost_source = 'unknown'"
    ((short, *is_used),) = typed_rows.query(
        data_dir, f"SELECT count(*), {used} FROM mart.usage_events WHERE {unknown} AND price_gap = 'rate'"
    )
    kinds = zip(typed_prices.TOKENS, is_used, strict=True)
    lacking = tuple(kind for kind, is_lacking in kinds if is_lacking and prices[0].rates.get(kind) is None)
    return Effect("built", before, now, lacking, short, now.responses - now.priced - short)


def typed(
    data_dir: DataDir, model: str, speed: str | None, region: str | None, over: int | None, day: date | None
) -> Price:
    """Return the typed price that these words mean, to take it back; ConfigError when it is none, or several."""
    typed_rows.require_built(data_dir)
    found = typed_prices.rows(partial(typed_rows.query, data_dir))
    name = typed_prices.name_of(model, card_of(data_dir)).name
    asked = {"speed": speed, "region": region, "context_over_tokens": over, "valid_from": day}
    own = [row for row in found if row["model"] == name]
    fitting = [row for row in own if all(value is None or row[key] == str(value) for key, value in asked.items())]
    if not own:
        near = suggestions.near(name, {row["model"] for row in found})
        raise ConfigError(f"no price of {model!r} was typed{maps.did_you_mean(near)}", step=Step.SEE_PRICES)
    if len(fitting) != 1:
        keys = "; ".join(typed_prices.key_text(row) for row in own)
        raise ConfigError(f"expected the key of one typed price of {name}, got that of {len(fitting)}: {keys}")
    return Price.of_key(fitting[0])


def _are(models: Sequence[str]) -> str:
    if not models:
        return "false"
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in models)
    return f"role = 'assistant' AND model IN ({quoted})"
