"""The results of a correct pipeline for usage events: the cost of each, and the usage marts, in plain Python.

Like the other marts' truth it shares no line with the dbt project. Every mart has all counts, so that a row here may
have columns that the mart leaves out.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from simulator.truth.prices import SOLD, Cost, Prices, money

Row = dict[str, Any]
_Rows = Sequence[Row]
_KINDS = (*(f"{kind}_tokens" for kind in SOLD), "reasoning_tokens")
_TOKENS = (*_KINDS, "total_tokens")
_DAILY = ("day", "user_id", "project", "repository", "agent", "provider", "model", "speed")


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
    @property
    def region(self) -> str | None: ...
    @property
    def web_searches(self) -> int | None: ...
    @property
    def is_lower_bound(self) -> bool: ...
    @property
    def repository(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class OwnedEvent:
    """An event, already merged with all that have its key, and its user."""

    event: _Event
    user_id: str | None = None


def price_event(event: _Event, prices: Prices) -> Cost:
    """Return the cost of an event, and where it comes from."""
    if event.role == "user":
        return Cost(Decimal(0))
    reported = None if event.cost_usd is None else money(event.cost_usd)
    listed = prices.cost(
        event.model,
        event.speed,
        event.region,
        event.occurred_at.date(),
        {kind: getattr(event.tokens, f"{kind}_tokens") for kind in SOLD},
        event.web_searches or 0,
    )
    if listed.usd is not None and not event.is_estimated and (reported is None or event.provider != "cline-pass"):
        return listed
    if reported is not None:
        return Cost(reported, "provider", None, listed.model, listed.context_over_tokens)
    if listed.usd is not None:
        return Cost(listed.usd, "estimated", None, listed.model, listed.context_over_tokens)
    return listed


def marts(events: Iterable[OwnedEvent], prices: Prices, zone: str) -> dict[str, list[Row]]:
    """Return each usage mart, with the days of that time zone (`Europe/Berlin`); rows are ordered by their key."""
    rows = [_event_row(owned, prices, ZoneInfo(zone)) for owned in events]
    responses = [row for row in rows if row["role"] == "assistant"]
    return {
        "usage_events": sorted(rows, key=lambda row: str(row["event_id"])),
        "usage_daily": _mart(rows, _DAILY, _of_sessions),
        "usage_session": _mart(rows, ("agent", "session_id"), _of_session),
        "usage_project": _mart(rows, ("project",), _of_project),
        "usage_provider_day": _mart(rows, ("day", "agent", "provider"), _of_provider),
        "usage_model_day": _mart(responses, ("day", "provider", "model", "speed"), _of_sessions),
    }


def _event_row(owned: OwnedEvent, prices: Prices, zone: ZoneInfo) -> Row:
    event = owned.event
    cost = price_event(event, prices)
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
        "repository": event.repository,
        "provider": event.provider,
        "model": event.model,
        "speed": event.speed,
        "region": event.region,
        **{name: getattr(event.tokens, name) for name in _KINDS},
        "total_tokens": sum(getattr(event.tokens, f"{kind}_tokens") or 0 for kind in SOLD),
        "web_searches": event.web_searches,
        "is_estimated": event.is_estimated,
        "is_lower_bound": event.is_lower_bound,
        "cost_usd": cost.usd,
        "cost_source": cost.source,
        "reported_cost_usd": None if event.cost_usd is None else money(event.cost_usd),
        "price_model": cost.model,
        "context_over_tokens": cost.context_over_tokens,
        "price_gap": cost.gap,
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
        "lower_bound_count": sum(row["is_lower_bound"] for row in responses),
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
        **{name: _first_known(rows, name) for name in ("user_id", "project", "repository", "provider")},
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
