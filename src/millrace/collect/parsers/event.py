"""The canonical usage event, and how two readings of the same event are merged."""

import re
from bisect import bisect_left
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
LINE = "line:"
"""How the request begins that a parser makes of a response's first line where the log names none."""
_RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-Za-z]{16,}", re.IGNORECASE)
_MESSAGE_OF_ANTHROPIC = re.compile(r"msg_(?:[a-z]+_)?01[0-9A-Za-z]{22}(?![0-9A-Za-z])")
_LEAST_CHARACTERS = 8  # different ones; a number with zeros before it has fewer
_Link = tuple[object, ...]
_Age = tuple[datetime, str, str, str, bool, str]


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
    `repository` is the `owner/name` of the folder's repository, which no log contains; None where it is not known.
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
    repository: str | None = None

    @property
    def key(self) -> EventKey:
        """The key by the agent's own ids: lines that share it are one event; see `resolve` for copies with another."""
        return (self.agent, self.message_id, self.request_id)

    def to_json(self) -> dict[str, object]:
        """Return what a log says of the event as one flat JSON object, with RFC 3339 instants and costs as text."""
        fields = asdict(self)
        fields |= fields.pop("tokens")
        del fields["repository"]
        cost = None if self.cost_usd is None else format(self.cost_usd, "f")
        return fields | {"occurred_at": self.occurred_at.isoformat().replace("+00:00", "Z"), "cost_usd": cost}


def merge(one: UsageEvent, other: UsageEvent) -> UsageEvent:
    """Merge two events with the same key; the result does not depend on the order of any number of them.

    Each field of tokens is the maximum: a response is logged while it streams, and only its last line has the true
    counts. Cache writes are the maximum of their sum, with the largest known part for one hour. Counted tokens replace
    estimated ones. Session, instant, project and repository are those of the earlier event: a resumed or forked session
    copies history.
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
    by_message: dict[tuple[str, str], list[UsageEvent]] = {}
    for event in merge_all(events).values():
        by_message.setdefault((event.agent, event.message_id), []).append(event)
    return [
        event for same in by_message.values() for event in (same if len(same) == 1 else map(_as_one, _groups(same)))
    ]


def _groups(events: list[UsageEvent]) -> list[list[UsageEvent]]:
    """Return the events of one agent's message id in groups of copies; a copy of a copy is in the same group."""
    named = {_prompt_tokens(event) for event in events if not (event.request_id or LINE).startswith(LINE)}
    anchored = [event for event in events if not _is_loose(event, named)] or events
    links = {event.key: _links(event) for event in anchored}
    parents: dict[_Link, _Link] = {}
    for first, *others in links.values():
        for other in others:
            parents[_root(parents, other)] = _root(parents, first)
    groups: dict[_Link, list[UsageEvent]] = {}
    for event in anchored:
        groups.setdefault(_root(parents, links[event.key][0]), []).append(event)
    found = sorted(groups.values(), key=lambda group: min(map(_rank, group)))
    if len(anchored) == len(events):
        return found
    homes, all_of = _Homes(found), [list(group) for group in found]
    for event in events:
        if _is_loose(event, named):
            all_of[homes.of(event)].append(event)
    return all_of


def _is_loose(event: UsageEvent, named: set[int]) -> bool:
    """Return whether an event does not say itself which response of its message id it belongs to.

    `named` are the prompts' tokens of events that name a request.
    """
    if event.request_id is None:
        return event.agent in ("claude", "codex")
    tokens = _prompt_tokens(event)
    return event.agent == "claude" and event.request_id.startswith(LINE) and (not tokens or tokens in named)


class _Homes:
    """Where loose events belong: the next group of their session, else its last one, else the first of all.

    Only groups with as many tokens in the prompt count, if there are any.
    """

    def __init__(self, groups: list[list[UsageEvent]]) -> None:
        self._own: dict[tuple[int | None, str], list[tuple[datetime, int]]] = {}
        self._first: dict[int | None, int] = {}
        for place, group in enumerate(groups):
            for one in group:
                for tokens in (None, _prompt_tokens(one)):
                    self._own.setdefault((tokens, one.session_id), []).append((one.occurred_at, place))
                    self._first.setdefault(tokens, place)
        for places in self._own.values():
            places.sort()

    def of(self, event: UsageEvent) -> int:
        """Return the place of the group of a loose event."""
        tokens = _prompt_tokens(event) or None
        tokens = tokens if tokens in self._first else None
        own = self._own.get((tokens, event.session_id))
        if own is None:
            return self._first[tokens]
        return own[min(bisect_left(own, (event.occurred_at, -1)), len(own) - 1)][1]


def _links(event: UsageEvent) -> list[_Link]:
    """Return what an event shares with its copies.

    Claude Code copies history into side questions with new requests and instants, into forks with new sessions, and
    sometimes without requests. Message ids of the API are unique. A gateway may number the messages of each session
    again from 1, or use one id for all: then a copy has as many tokens in its prompt, and the same session; without a
    request of its own, also the same instant in another session.

    Codex copies counters without their response's id into forks; two responses with ids are the same if the ids are.
    A fork of Kilo Code copies messages under new ids: with the instant, the model, the counts and the cost.
    """
    links: list[_Link] = [("request", event.request_id)]
    if event.agent == "kilocode":
        return [*links, (event.occurred_at, event.role, event.provider, event.model, event.tokens, event.cost_usd)]
    if event.agent != "claude":
        return links
    if is_unique_id(event.message_id):
        return [("message",)]
    tokens = _prompt_tokens(event)
    if tokens:
        links.append(("session", tokens, event.session_id))
        if event.request_id is not None and event.request_id.startswith(LINE):
            links.append(("instant", tokens, event.occurred_at))
    return links


def is_unique_id(message_id: str) -> bool:
    """Return whether no two responses have this message id: it has a random part, and does not count."""
    if message_id.startswith("h-"):
        return False
    if found := _MESSAGE_OF_ANTHROPIC.match(message_id):
        return _is_varied(found[0][-22:])
    return any(_is_varied(part) and _is_random(part) for part in _RANDOM.findall(message_id))


def _is_varied(part: str) -> bool:
    return len(set(part)) >= _LEAST_CHARACTERS


def _is_random(part: str) -> bool:
    """Return whether a part has digits among its letters, and no word."""
    if "-" in part:
        return True
    has_word = re.search(r"[a-z]{6}|[A-Z]{6}", part) is not None
    has_both_cases = not (part.islower() or part.isupper())
    numbers = len(re.findall(r"\d+", part))
    return not has_word and not part.isdecimal() and numbers > (0 if has_both_cases else 2)


def _prompt_tokens(event: UsageEvent) -> int:
    """Return how many tokens the prompt had; 0 when that is unknown, for no prompt is empty."""
    return (event.tokens.input_tokens or 0) + (event.tokens.cache_read_tokens or 0) + (event.tokens.written or 0)


def _root(parents: dict[_Link, _Link], link: _Link) -> _Link:
    while (parent := parents.setdefault(link, link)) != link:
        parents[link] = link = parents[parent]
    return link


def _as_one(copies: list[UsageEvent]) -> UsageEvent:
    return replace(reduce(merge, copies), request_id=min(copies, key=_rank).request_id)


def _rank(event: UsageEvent) -> tuple[bool, bool, _Age, str]:
    """Return the order of copies by whose request is theirs: an own one, then one that a parser made."""
    request_id = event.request_id or ""
    return event.request_id is None, request_id.startswith(LINE), _age(event), request_id


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


def add_tokens(one: Tokens, other: Tokens) -> Tokens:
    """Return the sum of each field; an unknown one adds nothing to a known one."""
    return Tokens(*(_sum(getattr(one, name), getattr(other, name)) for name in Tokens.__slots__))


def _age(event: UsageEvent) -> _Age:
    """Return the order of copies; of one folder's those with a known repository are first."""
    repository = event.repository
    return event.occurred_at, event.session_id, event.project or "", event.role, repository is None, repository or ""


def _known(one: _Name | None, other: _Name | None) -> _Name | None:
    """Return the known name; if two lines disagree, always the same one of them."""
    return min((name for name in (one, other) if name is not None), default=None)


def _most(one: _Number | None, other: _Number | None) -> _Number | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)
