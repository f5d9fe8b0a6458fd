"""Cline's CLI and SDK: one JSON object, `sessions/<session>/<session>.messages.json`, which is rewritten each time.

A message of the assistant with `metrics` is one response. `inputTokens` includes the cache, as Cline itself bills it;
in a log in which the cache exceeds it, it does not. `session_manifest` says what is not in the messages: the folder,
the session that was forked first, whose messages a fork has with their ids, and whether a sub-agent wrote them.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent
from millrace.collect.parsers.fields import (
    MalformedError,
    Record,
    SkipReason,
    read_cost,
    read_count,
    read_epoch_ms,
    read_id,
    read_instant,
    read_model,
    read_name,
    read_object,
    read_text,
)
from millrace.collect.parsers.naming import hashed
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits, Reading, Step, read_document

_BETWEEN_AGENTS = "__"
"""What separates the session from its sub-agent in the session id of the latter."""


def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read the messages of a session; `state` is what its folder and its manifest say."""
    return read_document(content, state, _step, caps, _unwrap)


def _unwrap(value: object, state: LogState) -> tuple[list[object], LogState]:
    """Return the messages, and the state in which the first is read."""
    if not isinstance(value, dict):
        raise MalformedError(SkipReason.NOT_AN_OBJECT)
    messages = value.get("messages")
    if not isinstance(messages, list):
        raise MalformedError(SkipReason.WRONG_TYPE)
    session = value["sessionId"] if isinstance(value.get("sessionId"), str) else None
    named = state.session_id if session is None else _id({"id": session}, "id")
    root, _, sub_agent = (session or state.session_id or "").partition(_BETWEEN_AGENTS)
    state = replace(
        state,
        session_id=named,
        root_id=state.root_id or _id({"id": root}, "id"),
        is_fork=state.is_fork or bool(sub_agent) or value.get("agent") in ("subagent", "teammate"),
    )
    return _with_instants(messages, value), state


def _with_instants(messages: list[object], document: Record) -> list[object]:
    """Return the messages with an instant `at`: a prompt that has none of its own was written before the next one."""
    found: list[object] = []
    at: object = None
    with contextlib.suppress(MalformedError):
        at = _milliseconds(read_instant(document, "updated_at"))
    for message in reversed(messages):
        if isinstance(message, dict):
            at = message.get("ts") if type(message.get("ts")) is int else at
            message = {**message, "at": at}
        found.append(message)
    return found[::-1]


def _step(message: Record, state: LogState) -> Step:
    role = read_text(message, "role")
    if role not in ("user", "assistant"):
        return state, SkipReason.UNKNOWN_KIND
    if role == "user":
        is_prompt = not state.is_fork and _is_from_person(message.get("content"))
        return state, _event(message, state, is_prompt=True) if is_prompt else SkipReason.NO_USAGE
    model = read_object(message, "modelInfo")
    state = replace(
        state,
        model=read_model(model, "id") or state.model,
        provider=read_name(model, "provider") or state.provider,
    )
    metrics = read_object(message, "metrics")
    tokens, cost = _tokens(metrics), read_cost(metrics, "cost")
    if not tokens.total_tokens and not cost:
        return state, SkipReason.NO_TOKENS
    event = _event(message, state)
    return state, replace(
        event,
        role="assistant",
        provider=state.provider,
        model=state.model,
        tokens=tokens if tokens.total_tokens else Tokens(),
        cost_usd=cost,
    )


def _is_from_person(content: object) -> bool:
    """Return whether a user wrote it: results of tools are in messages of the user as well."""
    if isinstance(content, str):
        return bool(content.strip())
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    kinds = {block.get("type") for block in blocks if isinstance(block.get("type"), str)}
    return bool(kinds) and "tool_result" not in kinds


def _event(message: Record, state: LogState, is_prompt: bool = False) -> UsageEvent:
    name, has_instant = _id(message, "id"), message.get("ts") is not None
    if state.session_id is None or state.root_id is None or not (name or has_instant):
        raise MalformedError(SkipReason.NO_ID)
    instant = read_epoch_ms(message, "ts" if has_instant else "at")
    own = [*([name] if name else []), *[str(_milliseconds(instant))] * has_instant]
    return UsageEvent(
        agent="cline",
        session_id=state.session_id,
        message_id=":".join([state.root_id, *own, *["prompt"] * is_prompt]),
        request_id=None,
        role="user",
        occurred_at=instant,
        project=state.project,
        repository=state.repository,
        tokens=NO_TOKENS,
        cost_usd=NO_COST,
    )


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _id(record: Record, name: str) -> str | None:
    """Return an id; a random one may begin or end with any character of its alphabet."""
    text = read_text(record, name)
    try:
        return read_id(record, name)
    except MalformedError:
        return None if text is None else hashed(text)


def _tokens(metrics: Mapping[str, object]) -> Tokens:
    came_in = read_count(metrics, "inputTokens")
    read, written = read_count(metrics, "cacheReadTokens"), read_count(metrics, "cacheWriteTokens")
    cached = (read or 0) + (written or 0)
    if came_in is not None and cached <= came_in:
        came_in -= cached
    return Tokens(
        input_tokens=came_in,
        output_tokens=read_count(metrics, "outputTokens"),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
    )
