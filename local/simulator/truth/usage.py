"""The results of a correct pipeline for usage events: the cost of each, and the usage marts, in plain Python.

Like the other marts' truth it shares no line with the dbt project. Every mart has all counts, so that a row here may
have columns that the mart leaves out.
"""

import csv
import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

Row = dict[str, Any]
_Rows = Sequence[Row]
_Name = tuple[str, str | None, str]

_MONEY = Decimal("1E-12")
_SOLD = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")  # disjoint: they add up to all tokens
_CONTEXT = ("input", "cache_read", "cache_write_5m", "cache_write_1h")
_KINDS = (*(f"{kind}_tokens" for kind in _SOLD), "reasoning_tokens")
_TOKENS = (*_KINDS, "total_tokens")
_DAILY = ("day", "user_id", "project", "agent", "provider", "model", "speed")


class _Event(Protocol):
    """A response or a prompt from the logs: the parsers' `UsageEvent`, or an object with the same attributes."""

    @property
    def agent(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def message_id(self) -> str: ...
    @property
    def request_id(self) -> str | None: ...
    @property
    def role(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def project(self) -> str | None: ...
    @property
    def provider(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def speed(self) -> str | None: ...
    @property
    def tokens(self) -> object: ...
    @property
    def is_estimated(self) -> bool: ...
    @property
    def cost_usd(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class OwnedEvent:
    """An event, already merged with all that have its key, and its user."""

    event: _Event
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model from one day on; `usd` is the rate per million tokens of each kind, None where unknown."""

    provider: str
    model_pattern: str
    speed: str
    context_over_tokens: int
    valid_from: date
    usd: Mapping[str, Decimal | None]


def read_prices(text: str) -> list[Price]:
    """Return the rows of a rate card, which is CSV with a header."""
    return [
        Price(
            row["provider"],
            row["model_pattern"],
            row["speed"],
            int(row["context_over_tokens"]),
            date.fromisoformat(row["valid_from"]),
            {kind: Decimal(row[f"{kind}_usd"]) if row[f"{kind}_usd"] else None for kind in _SOLD},
        )
        for row in csv.DictReader(io.StringIO(text))
    ]


def price_event(event: _Event, prices: Iterable[Price]) -> tuple[Decimal | None, str | None]:
    """Return the cost in USD and its source: rate_card, estimated, provider or unknown; None for a prompt."""
    if event.role == "user":
        return Decimal(0), None
    name = _name(event)
    cost = _rate_card_cost(event, [price for price in prices if _is_for(price, name)])
    if cost is not None:
        return cost, "estimated" if event.is_estimated else "rate_card"
    if event.cost_usd is not None:
        return _money(event.cost_usd), "provider"
    return None, "unknown"


def marts(events: Iterable[OwnedEvent], prices: Sequence[Price], zone: str) -> dict[str, list[Row]]:
    """Return each usage mart, with the days of that time zone (`Europe/Berlin`); rows are ordered by their key."""
    events = list(events)
    names = {_name(owned.event) for owned in events}
    offers = {name: [price for price in prices if _is_for(price, name)] for name in names}
    rows = [_event_row(owned, offers[_name(owned.event)], ZoneInfo(zone)) for owned in events]
    responses = [row for row in rows if row["role"] == "assistant"]
    return {
        "usage_events": sorted(rows, key=lambda row: str(row["event_id"])),
        "usage_daily": _mart(rows, _DAILY, _of_sessions),
        "usage_session": _mart(rows, ("agent", "session_id"), _of_session),
        "usage_project": _mart(rows, ("project",), _of_project),
        "usage_provider_day": _mart(rows, ("day", "agent", "provider"), _of_provider),
        "usage_model_day": _mart(responses, ("day", "provider", "model", "speed"), _of_sessions),
    }


def _name(event: _Event) -> _Name:
    """Return the key by which a price is looked up."""
    return event.provider or event.agent, event.model, event.speed or "standard"


def _is_for(price: Price, name: _Name) -> bool:
    provider, model, speed = name
    return (
        model is not None
        and (price.provider, price.speed) == (provider, speed)
        and re.fullmatch(price.model_pattern, model) is not None
    )


def _rate_card_cost(event: _Event, offers: Iterable[Price]) -> Decimal | None:
    """Return the cost at the newest price for this context length; None where a used kind has no rate."""
    tokens = {kind: getattr(event.tokens, f"{kind}_tokens") or 0 for kind in _SOLD}
    price = _matching(event, offers)
    if price is None:
        return None
    cost = Decimal(0)
    for kind in _SOLD:
        if tokens[kind]:
            rate = price.usd[kind]
            if rate is None:
                return None
            cost += tokens[kind] * rate
    return _money(cost / 10**6)


def _matching(event: _Event, offers: Iterable[Price]) -> Price | None:
    """Return the newest price for this context length."""
    context = sum(getattr(event.tokens, f"{kind}_tokens") or 0 for kind in _CONTEXT)
    valid = [
        price
        for price in offers
        if price.valid_from <= event.occurred_at.date()
        and (price.context_over_tokens == 0 or price.context_over_tokens < context)
    ]
    return max(valid, key=lambda price: (price.valid_from, price.context_over_tokens), default=None)


def _money(amount: Decimal) -> Decimal:
    return amount.quantize(_MONEY, ROUND_HALF_UP)


def _event_row(owned: OwnedEvent, offers: Sequence[Price], zone: ZoneInfo) -> Row:
    event = owned.event
    cost, source = price_event(event, offers)
    price = None if event.role == "user" else _matching(event, offers)
    request = "" if event.request_id is None else f"\x1f{event.request_id}"
    text = f"{event.agent}\x1f{event.message_id}{request}"
    return {
        "event_id": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        "agent": event.agent,
        "session_id": event.session_id,
        "message_id": event.message_id,
        "request_id": event.request_id,
        "role": event.role,
        "occurred_at": event.occurred_at.replace(tzinfo=None),  # UTC
        "day": event.occurred_at.astimezone(zone).date(),
        "user_id": owned.user_id,
        "project": event.project,
        "provider": event.provider,
        "model": event.model,
        "speed": event.speed,
        **{name: getattr(event.tokens, name) for name in _KINDS},
        "total_tokens": sum(getattr(event.tokens, f"{kind}_tokens") or 0 for kind in _SOLD),
        "is_estimated": event.is_estimated,
        "cost_usd": cost,
        "cost_source": source,
        "reported_cost_usd": None if event.cost_usd is None else _money(event.cost_usd),
        "context_over_tokens": None if price is None else price.context_over_tokens,
    }


def _mart(rows: _Rows, key: tuple[str, ...], describe: Callable[[_Rows], Row]) -> list[Row]:
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in key)].append(row)
    ordered = sorted(groups, key=lambda values: [(value is not None, str(value)) for value in values])
    return [
        dict(zip(key, values, strict=True)) | describe(groups[values]) | _measure(groups[values]) for values in ordered
    ]


def _measure(rows: _Rows) -> Row:
    """Return the measures of every mart; reported costs are those of responses, as prompts cost nothing."""
    responses = [row for row in rows if row["role"] == "assistant"]
    costs = _known(responses, "cost_usd")
    reported = _known(responses, "reported_cost_usd")
    return {
        "message_count": len(rows),
        "assistant_message_count": len(responses),
        "user_message_count": len(rows) - len(responses),
        **{name: sum(row[name] or 0 for row in rows) for name in _TOKENS},
        "cost_usd": sum(costs, Decimal(0)) if costs or not responses else None,
        "n_cost": len(costs),
        "reported_cost_usd": sum(reported, Decimal(0)) if reported else None,
    }


def _of_sessions(rows: _Rows) -> Row:
    return {"session_count": len({(row["agent"], row["session_id"]) for row in rows})}


def _of_session(rows: _Rows) -> Row:
    responses = [row for row in rows if row["role"] == "assistant"]
    models = Counter(_known(responses, "model"))
    return {
        **{name: _first_known(rows, name) for name in ("user_id", "project", "provider")},
        "primary_model": min(models, key=lambda model: (-models[model], model), default=None),
        **_lifetime(rows),
        "is_one_shot": len(responses) == 1 and len(rows) == 2,
    }


def _of_project(rows: _Rows) -> Row:
    counts = {"user_count": len(set(_known(rows, "user_id"))), "agent_count": len({row["agent"] for row in rows})}
    return _lifetime(rows) | _of_sessions(rows) | counts


def _of_provider(rows: _Rows) -> Row:
    return _of_sessions(rows) | {"project_count": len(set(_known(rows, "project")))}


def _lifetime(rows: _Rows) -> Row:
    instants = [row["occurred_at"] for row in rows]
    return {"first_at": min(instants), "last_at": max(instants)}


def _first_known(rows: _Rows, name: str) -> str | None:
    """Return the value of the earliest event that has one, of equally early ones the smallest."""
    known = [(row["occurred_at"], row[name]) for row in rows if row[name] is not None]
    return min(known)[1] if known else None


def _known(rows: _Rows, name: str) -> list[Any]:
    return [row[name] for row in rows if row[name] is not None]
