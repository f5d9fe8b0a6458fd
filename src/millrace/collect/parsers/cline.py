"""Cline, Kilo Code and Roo Code: one JSON array, `tasks/<task>/ui_messages.json`, which is rewritten each time.

An element `api_req_started` is one response, with its counts in a JSON text. It exists before the response does, and
is rewritten when that ends. Roo Code and Kilo Code log the protocol of a call; then `tokensIn` includes the cache. In
Anthropic's calls before Roo Code 3.29.5 it did not, which is detected when the cache exceeds `tokensIn`.
"""

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
    read_model,
    read_name,
    read_object,
    read_text,
)
from millrace.collect.parsers.reading import (
    PARSER_LIMITS,
    LogState,
    ParserLimits,
    Reading,
    Step,
    StepFunction,
    parse_json,
    read_document,
)

_RESPONSES = ("api_req_started", "subagent_usage")


def read_cline(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read a task of Cline; `state.session_id` is the name of the task's folder."""
    return read_document(content, state, _step_of("cline"), caps)


def read_kilocode(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read a task of Kilo Code, by the rules for Cline."""
    return read_document(content, state, _step_of("kilocode"), caps)


def read_roocode(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read a task of Roo Code, by the rules for Cline."""
    return read_document(content, state, _step_of("roocode"), caps)


def _step_of(agent: str) -> StepFunction:
    def step(element: Record, state: LogState) -> Step:
        kind, say = read_text(element, "type"), read_text(element, "say")
        if kind not in ("say", "ask"):
            return state, SkipReason.UNKNOWN_KIND
        if say in _RESPONSES:
            return state, _response(agent, element, state)
        if say == "deleted_api_reqs":
            return state, SkipReason.DELETED
        if not _is_prompt(say, state):
            return state, SkipReason.NO_USAGE
        event = _event(agent, element, state)
        prompt = replace(event, message_id=f"{event.message_id}:prompt", role="user", cost_usd=NO_COST)
        return replace(state, prompts=state.prompts + 1), prompt

    return step


def _is_prompt(say: str | None, state: LogState) -> bool:
    """Return whether a user wrote it: the first text is the task, and later texts are the agent's."""
    return say in ("user_feedback", "task") or (say == "text" and state.prompts == 0)


def _response(agent: str, element: Record, state: LogState) -> UsageEvent | SkipReason:
    info = parse_json(read_text(element, "text") or "{}")
    if not isinstance(info, dict):
        raise MalformedError(SkipReason.NOT_AN_OBJECT)
    tokens = _tokens(info)
    if tokens.input_tokens is None and tokens.output_tokens is None:
        return SkipReason.NO_TOKENS
    model = read_object(element, "modelInfo")
    return replace(
        _event(agent, element, state),
        provider=read_name(model, "providerId"),
        model=read_model(model, "modelId"),
        tokens=tokens,
        cost_usd=read_cost(info, "cost"),
    )


def _event(agent: str, element: Record, state: LogState) -> UsageEvent:
    if state.session_id is None:
        raise MalformedError(SkipReason.NO_ID)
    return UsageEvent(
        agent=agent,
        session_id=state.session_id,
        message_id=f"{state.session_id}:{_milliseconds(read_epoch_ms(element, 'ts'))}",
        request_id=None,
        role="assistant",
        occurred_at=read_epoch_ms(element, "ts"),
        tokens=NO_TOKENS,
    )


def _milliseconds(instant: datetime) -> int:
    """Return the instant by which the agent itself finds an element: its place changes when older ones are deleted."""
    return round(instant.timestamp() * 1000)


def _tokens(info: Mapping[str, object]) -> Tokens:
    came_in = read_count(info, "tokensIn")
    read, written = read_count(info, "cacheReads"), read_count(info, "cacheWrites")
    cached = (read or 0) + (written or 0)
    if came_in is not None and _is_with_cache(info, came_in, cached):
        came_in -= cached
    return Tokens(
        input_tokens=came_in,
        output_tokens=read_count(info, "tokensOut"),
        cache_read_tokens=read,
        cache_write_5m_tokens=written,
    )


def _is_with_cache(info: Mapping[str, object], came_in: int, cached: int) -> bool:
    return read_text(info, "apiProtocol") is not None and cached <= came_in
