"""The canonical usage event, and how two readings of the same event are merged."""

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Literal, TypeVar

Role = Literal["user", "assistant"]
Speed = Literal["standard", "fast", "flex", "batch", "ultrafast"]
_Number = TypeVar("_Number", int, Decimal)
_Name = TypeVar("_Name", bound=str)
EventKey = tuple[str, str, str | None]
_UNIQUE = re.compile(r"[0-9A-Za-z]{16}|[0-9a-f]{8}-[0-9a-f]{4}-")
"""What only a random id contains: ids of gateways that count (`msg_1`) are short, or of words."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One disjoint split of the tokens that were billed; None is unknown.

    The first five add up to all tokens of the response. `reasoning_tokens` is a part of `output_tokens`, and never
    added to it. A cache write of unknown lifetime counts as one of five minutes, the providers' default.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        """The sum of all known tokens."""
        return sum(part or 0 for part in (self.input_tokens, self.output_tokens, self.cache_read_tokens, self.written))

    @property
    def written(self) -> int | None:
        """All tokens that were written to a cache."""
        return _sum(self.cache_write_5m_tokens, self.cache_write_1h_tokens)


NO_TOKENS = Tokens(0, 0, 0, 0, 0, 0)
NO_COST = Decimal(0)


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One response of a model, or one prompt of a user, which costs nothing (`NO_TOKENS`, `NO_COST`).

    For a response, `cost_usd` is the cost that the agent logged. `is_estimated`: the tokens follow from a text's
    length. `provider`, `model`, `project`, `speed`, `region` and `web_searches` are None when they are not in the log.
    `provider` is who served it, as the log says; `region` is where the provider promised to answer, as it says.
    `is_lower_bound`: at least these tokens were used, and the log cannot tell how many more.
    """

    agent: str
    session_id: str
    message_id: str
    request_id: str | None
    role: Role
    occurred_at: datetime
    project: str | None = None
    provider: str | None = None
    model: str | None = None
    speed: Speed | None = None
    tokens: Tokens = NO_TOKENS
    is_estimated: bool = False
    cost_usd: Decimal | None = None
    region: str | None = None
    web_searches: int | None = None
    is_lower_bound: bool = False

    @property
    def key(self) -> EventKey:
        """The key by the agent's own ids: lines that share it are one event; see `resolve` for copies with another."""
        return (self.agent, self.message_id, self.request_id)

    def to_json(self) -> dict[str, object]:
        """Return the event as one flat JSON object, with RFC 3339 instants and costs as text."""
        fields = asdict(self)
        fields |= fields.pop("tokens")
        cost = None if self.cost_usd is None else format(self.cost_usd, "f")
        return fields | {"occurred_at": self.occurred_at.isoformat().replace("+00:00", "Z"), "cost_usd": cost}


def merge(one: UsageEvent, other: UsageEvent) -> UsageEvent:
    """Merge two events with the same key; the result does not depend on the order of any number of them.

    Each field of tokens is the maximum: a response is logged while it streams, and only its last line has the true
    counts. Cache writes are the maximum of their sum, with the largest known part for one hour. Counted tokens replace
    estimated ones. Session, instant and project are those of the earlier event: a resumed or forked session copies
    history.
    """
    counted = [event for event in (one, other) if not event.is_estimated] or [one, other]
    return replace(
        min(one, other, key=_age),
        provider=_known(one.provider, other.provider),
        model=_known(one.model, other.model),
        speed=_known(one.speed, other.speed),
        tokens=merge_tokens(counted[0].tokens, counted[-1].tokens),
        is_estimated=counted[0].is_estimated,
        cost_usd=_most(one.cost_usd, other.cost_usd),
        region=_known(one.region, other.region),
        web_searches=_most(one.web_searches, other.web_searches),
        is_lower_bound=all(event.is_lower_bound for event in counted),
    )


def merge_all(events: Iterable[UsageEvent]) -> dict[EventKey, UsageEvent]:
    """Return one event per key, in the order in which the keys first appear."""
    merged: dict[EventKey, UsageEvent] = {}
    for event in events:
        known = merged.get(event.key)
        merged[event.key] = event if known is None else merge(known, event)
    return merged


def resolve(events: Iterable[UsageEvent]) -> list[UsageEvent]:
    """Return the events that were billed: copies of one response become one event, whatever request they name.

    The result has the request of the earliest copy that names one. It depends neither on the order of the events nor
    on how often each appears.
    """
    by_message: dict[tuple[str, str], dict[str | None, UsageEvent]] = {}
    for event in merge_all(events).values():
        by_message.setdefault((event.agent, event.message_id), {})[event.request_id] = event
    return [_as_one(group) for same in by_message.values() for group in _groups(list(same.values()))]


def _groups(events: list[UsageEvent]) -> list[list[UsageEvent]]:
    """Return the events of one message in groups of copies; a copy of a copy is in the same group."""
    groups: list[list[UsageEvent]] = []
    for event in events:
        joined = [group for group in groups if any(is_copy(event, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([event, *(other for group in joined for other in group)])
    return groups


def _as_one(copies: list[UsageEvent]) -> UsageEvent:
    named = min(copies, key=lambda event: (event.request_id is None, _age(event), event.request_id or ""))
    return replace(reduce(merge, copies), request_id=named.request_id)


def is_copy(one: UsageEvent, other: UsageEvent) -> bool:
    """Return whether two events of one agent and message are one response that was logged twice.

    Claude Code copies history into side questions with new requests, and into resumed sessions. Message ids of the
    API are unique. A gateway may number the messages of each session anew: then the request, the session or the
    instant has to be the same.

    Codex copies counters without their response's id into forks; two responses with ids are the same if the ids are.

    A fork of Kilo Code copies messages under new ids: with the instant, the model, the counts and the cost.
    """
    if one.request_id == other.request_id:
        return True
    if one.agent == "kilocode":
        return _without_place(one) == _without_place(other)
    if one.agent == "claude":
        is_unique = _UNIQUE.search(one.message_id) is not None
        return is_unique or one.session_id == other.session_id or one.occurred_at == other.occurred_at
    return one.agent == "codex" and None in (one.request_id, other.request_id)


def _without_place(event: UsageEvent) -> tuple[object, ...]:
    return event.occurred_at, event.role, event.provider, event.model, event.tokens, event.cost_usd


def merge_tokens(one: Tokens, other: Tokens) -> Tokens:
    """Return the maximum of each field; cache writes as their largest sum, split by the largest known hour part."""
    written = _most(one.written, other.written)
    is_known = one.cache_write_5m_tokens is not None or other.cache_write_5m_tokens is not None
    hour = _most(one.cache_write_1h_tokens, other.cache_write_1h_tokens)
    return Tokens(
        input_tokens=_most(one.input_tokens, other.input_tokens),
        output_tokens=_most(one.output_tokens, other.output_tokens),
        cache_read_tokens=_most(one.cache_read_tokens, other.cache_read_tokens),
        cache_write_5m_tokens=(written or 0) - (hour or 0) if is_known else None,
        cache_write_1h_tokens=hour,
        reasoning_tokens=_most(one.reasoning_tokens, other.reasoning_tokens),
    )


def _age(event: UsageEvent) -> tuple[datetime, str, str]:
    return event.occurred_at, event.session_id, event.project or ""


def _known(one: _Name | None, other: _Name | None) -> _Name | None:
    """Return the known name; if two lines disagree, always the same one of them."""
    return min((name for name in (one, other) if name is not None), default=None)


def _most(one: _Number | None, other: _Number | None) -> _Number | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
