"""OpenCode's tables, as Kilo Code has them: rows of `message` with their session, one JSON object a line.

`message_rows` reads the rows in this form; a row that changed is read again. A message of the assistant is one call of
a model. Its tokens are disjoint, with the reasoning beside the output. They are zeros until the call ends, and where a
router failed; a cost of 0 is one that was not metered.

A fork copies messages with new ids, and leaves their instants. So the instant is a part of each event's key, and the
row's id is its request: `event.resolve` compares the rest.
"""

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
    read_lines,
)


def read_kilocode(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read rows of Kilo Code's database; one that is read again updates its event."""
    return read_lines(content, state, _step_of("kilocode"), caps)


def _step_of(agent: str) -> StepFunction:
    def step(row: Record, state: LogState) -> Step:
        data = parse_json(read_text(row, "data") or "null")
        if not isinstance(data, dict):
            raise MalformedError(SkipReason.NOT_AN_OBJECT)
        role = read_text(data, "role")
        if role == "assistant":
            return state, _response(agent, row, data, state)
        if role != "user":
            return state, SkipReason.UNKNOWN_KIND
        if read_text(row, "parent_id") or row.get("is_from_person") is False:
            return state, SkipReason.NO_USAGE
        return state, _event(agent, row, data, state, is_prompt=True)

    return step


def _response(agent: str, row: Record, data: Record, state: LogState) -> UsageEvent | SkipReason:
    tokens, cost = _tokens(read_object(data, "tokens")), read_cost(data, "cost") or None
    if tokens is None and cost is None:
        return SkipReason.NO_TOKENS
    event = _event(agent, row, data, state)
    return UsageEvent(
        agent=agent,
        session_id=event.session_id,
        message_id=event.message_id,
        request_id=event.request_id,
        role="assistant",
        occurred_at=event.occurred_at,
        project=event.project,
        repository=event.repository,
        provider=read_name(data, "providerID"),
        model=read_model(data, "modelID"),
        tokens=tokens or Tokens(),
        cost_usd=cost,
    )


def _event(agent: str, row: Record, data: Record, state: LogState, is_prompt: bool = False) -> UsageEvent:
    session_id, row_id = read_id(row, "session_id"), read_id(row, "id")
    if session_id is None or row_id is None:
        raise MalformedError(SkipReason.NO_ID)
    instant = _instant(row, data)
    milliseconds = round(instant.timestamp() * 1000)
    folder = read_text(read_object(data, "path"), "cwd") or read_text(row, "directory")
    return UsageEvent(
        agent=agent,
        session_id=session_id,
        message_id=f"{milliseconds}:prompt" if is_prompt else f"{milliseconds}",
        request_id=row_id,
        role="user",
        occurred_at=instant,
        project=state.project_of(folder),
        repository=state.repository_of(folder),
        tokens=NO_TOKENS,
        cost_usd=NO_COST,
    )


def _instant(row: Record, data: Record) -> datetime:
    time = read_object(data, "time")
    return read_epoch_ms(time, "created") if time.get("created") is not None else read_epoch_ms(row, "time_created")


def _tokens(counts: Record) -> Tokens | None:
    """Return the tokens; None when none is known or all are zeros."""
    cache = read_object(counts, "cache")
    said, thought = read_count(counts, "output"), read_count(counts, "reasoning")
    tokens = Tokens(
        input_tokens=read_count(counts, "input"),
        output_tokens=None if said is None and thought is None else (said or 0) + (thought or 0),
        cache_read_tokens=read_count(cache, "read"),
        cache_write_5m_tokens=read_count(cache, "write"),
        reasoning_tokens=thought,
    )
    return tokens if tokens.total_tokens else None
