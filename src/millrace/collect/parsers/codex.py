"""Codex: one JSON object a line, `{timestamp, type, payload}`, in `sessions/…/rollout-<instant>-<id>.jsonl`.

Usage is in the lines `token_count`, and since 2026 again in `token_usage_record`. Their totals only grow within a
session, so an event is the difference from the counter before; a repeated counter is not an event. Input includes
cache reads and cache writes, and output includes reasoning.

A fork copies its parent's lines, with their instants or with its own. It continues the parent's counter, so an event's
id consists of the root session and the counter: copies of an event have the same id.
"""

from dataclasses import replace
from datetime import datetime

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent
from millrace.collect.parsers.fields import (
    MalformedError,
    Record,
    SkipReason,
    read_count,
    read_id,
    read_instant,
    read_model,
    read_name,
    read_object,
    read_text,
)
from millrace.collect.parsers.naming import project_slug
from millrace.collect.parsers.reading import PARSER_LIMITS, Counts, LogState, ParserLimits, Reading, Step, read_lines

AGENT = "codex"
_COUNTERS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_ZERO: Counts = (0, 0, 0, 0, 0)
_WITHOUT_USAGE = frozenset(("compacted", "response_item", "ghost_snapshot"))
_ITEMS_OF_OLD = frozenset(("message", "reasoning", "function_call", "function_call_output", "local_shell_call"))


def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read lines of a session; the state keeps the model, the counters and the root session for later lines."""
    return read_lines(content, state, _step, caps)


def _step(record: Record, state: LogState) -> Step:
    kind = read_text(record, "type")
    payload = read_object(record, "payload")
    if kind == "session_meta":
        return _begin(payload, state), SkipReason.NO_USAGE
    if kind is None and "payload" not in record and "id" in record:  # before 0.20, without an envelope
        return _begin(record, state), SkipReason.NO_USAGE
    if kind == "turn_context":
        return replace(state, model=read_model(payload, "model") or state.model), SkipReason.NO_USAGE
    if kind == "event_msg":
        return _message(record, payload, state)
    if kind == "token_usage_record":
        total, last = read_object(payload, "thread_token_usage"), read_object(payload, "usage")
        return _count(kind, total, last, record, state)
    is_known = kind in _WITHOUT_USAGE or kind in _ITEMS_OF_OLD or (kind is None and "record_type" in record)
    return state, SkipReason.NO_USAGE if is_known else SkipReason.UNKNOWN_KIND


def _begin(meta: Record, state: LogState) -> LogState:
    """Take the session of the first header; a later one is a copy, and may name the parent of an ancestor."""
    own, parent = read_id(meta, "id"), read_id(meta, "forked_from_id")
    if state.root_id is not None:
        return _follow(own, parent, state)
    session_id = own or state.session_id
    return replace(
        state,
        session_id=session_id,
        root_id=parent or session_id,
        is_fork=parent is not None,
        project=project_slug(state.owner.below(read_text(meta, "cwd"))),
        provider=read_name(meta, "model_provider"),
        model=read_model(meta, "model"),
    )


def _follow(ancestor: str | None, parent: str | None, state: LogState) -> LogState:
    return replace(state, root_id=parent) if parent is not None and ancestor == state.root_id else state


def _message(record: Record, payload: Record, state: LogState) -> Step:
    kind = read_text(payload, "type")
    if kind == "user_message":
        return _prompt(read_instant(record, "timestamp"), state)
    info = read_object(payload, "info") if kind == "token_count" else {}
    if not info:
        return state, SkipReason.NO_USAGE
    total, last = read_object(info, "total_token_usage"), read_object(info, "last_token_usage")
    return _count("token_count", total, last, record, state)


def _count(counter: str, total: Record, last: Record, record: Record, state: LogState) -> Step:
    """Count the usage of a line, if it is of the kind that is first in this log: the other kind repeats it."""
    if not total and not last:
        return state, SkipReason.NO_TOKENS
    if _is_told_twice(counter, state):
        return state, SkipReason.REPEATED
    now, state = read_instant(record, "timestamp"), replace(state, counter=counter)
    return _count_total(total, last, now, state) if total else _count_last(last, now, state)


def _count_total(total: Record, last: Record, now: datetime, state: LogState) -> Step:
    """Count the increase of the session's counter since the line before."""
    counters = _read_counters(total)
    after = replace(state, totals=counters, prompts=0)
    if _is_standing(counters, state):
        return state, SkipReason.REPEATED
    if _is_comparable(counters, state):
        used = _subtract(counters, state.totals or _ZERO)
    elif last:
        used = _read_counters(last)
    elif state.totals is None:  # a fork begins with its parent's counter
        return after, SkipReason.INHERITED
    else:  # the counter was reset
        used = counters
    return after, _event(_position(counters), now, after, _split(used, total))


def _count_last(last: Record, now: datetime, state: LogState) -> Step:
    """Count a single response where the session's counter is missing, and advance the counter."""
    used = _read_counters(last)
    before = _ZERO if state.totals is None and not state.is_fork else state.totals
    counters = None if before is None else tuple(map(sum, zip(before, used, strict=True)))
    after = replace(state, totals=counters, prompts=0)
    place = now.isoformat() if counters is None else _position(counters)
    return after, _event(place, now, after, _split(used, last))


def _is_told_twice(counter: str, state: LogState) -> bool:
    return state.counter not in (None, counter)


def _is_standing(counters: Counts, state: LogState) -> bool:
    return counters == state.totals


def _is_comparable(counters: Counts, state: LogState) -> bool:
    """Return whether this counter continues the one before."""
    if state.totals is None:
        return not state.is_fork
    return all(now >= before for now, before in zip(counters, state.totals, strict=True))


def _subtract(counters: Counts, before: Counts) -> Counts:
    return tuple(now - then for now, then in zip(counters, before, strict=True))


def _prompt(now: datetime, state: LogState) -> Step:
    place = f"{_position(state.totals or _ZERO)}:prompt{state.prompts}"
    event = replace(_event(place, now, state, NO_TOKENS), role="user", provider=None, model=None, cost_usd=NO_COST)
    return replace(state, prompts=state.prompts + 1), event


def _event(place: str, now: datetime, state: LogState, tokens: Tokens) -> UsageEvent:
    if state.session_id is None:
        raise MalformedError(SkipReason.NO_ID)
    return UsageEvent(
        agent=AGENT,
        session_id=state.session_id,
        message_id=f"{_root_id(state)}:{place}",
        request_id=None,
        role="assistant",
        occurred_at=now,
        project=state.project,
        provider=state.provider,
        model=state.model,
        tokens=tokens,
    )


def _root_id(state: LogState) -> str | None:
    return state.root_id or state.session_id


def _read_counters(usage: Record) -> Counts:
    """Return the counters in the order of `_COUNTERS`; one that is never logged is 0, which adds nothing."""
    return tuple(read_count(usage, name) or 0 for name in _COUNTERS)


def _position(counters: Counts) -> str:
    return ".".join(map(str, counters))


def _split(used: Counts, usage: Record) -> Tokens:
    """Return the tokens of one response, each counted once; a counter that is missing in `usage` is unknown."""
    total_input, cached, written, output, reasoning = used
    if cached + written > total_input or reasoning > output:
        raise MalformedError(SkipReason.BAD_NUMBER)
    has = {name: usage.get(name) is not None for name in _COUNTERS}
    return Tokens(
        input_tokens=total_input - cached - written if has["input_tokens"] else None,
        output_tokens=output if has["output_tokens"] else None,
        cache_read_tokens=cached if has["cached_input_tokens"] else None,
        cache_write_5m_tokens=written if has["cache_write_input_tokens"] else None,
        reasoning_tokens=reasoning if has["reasoning_output_tokens"] else None,
    )
