"""Claude Code: one JSON object a line in `projects/<folder>/<session>.jsonl`.

A response is several lines, one per block of its content, with the same `message.id` and `requestId`. Each repeats the
counts as known at that time; the last has the true ones. `input_tokens` excludes the cache.
"""

from dataclasses import replace
from datetime import datetime

from millrace.collect.parsers.claude_prompts import is_typed
from millrace.collect.parsers.claude_usage import (
    Call,
    is_placeholder,
    read_region,
    read_searches,
    read_speed,
    read_usage,
)
from millrace.collect.parsers.event import LINE, NO_COST, NO_TOKENS, Tokens, UsageEvent, is_unique_id
from millrace.collect.parsers.fields import (
    MalformedError,
    Record,
    SkipReason,
    read_cost,
    read_id,
    read_instant,
    read_model,
    read_object,
    read_text,
)
from millrace.collect.parsers.naming import hashed
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits, Reading, Step, read_lines

AGENT = "claude"
_SYNTHETIC = "<synthetic>"
_WITHOUT_USAGE = frozenset(
    (
        *("agent-name", "agent-setting", "ai-title", "attachment", "bridge-session", "compact_summary", "continued-in"),
        *("cost-state", "custom-title", "file-history-delta", "file-history-snapshot", "frame-link", "last-prompt"),
        *("history-suppression", "mode", "permission-mode", "pr-link", "queue-operation", "started", "summary"),
        *("system", "tag", "turn_end"),
    )
)


def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read lines of a transcript; copies of older lines in a resumed session have the older events' keys."""
    return read_lines(content, state, _step, caps)


def _step(record: Record, state: LogState) -> Step:
    kind = read_text(record, "type")
    if kind is None and _has_usage(record):
        kind = "assistant"
    if kind not in ("assistant", "user"):
        if kind == "progress":
            return _progress(record, state)
        return state, SkipReason.NO_USAGE if kind in _WITHOUT_USAGE else SkipReason.UNKNOWN_KIND
    if state.project is None:
        state = state.within(read_text(record, "cwd"))
    message = read_object(record, "message")
    return _response(record, message, state) if kind == "assistant" else (state, _prompt(record, message, state))


def _progress(record: Record, state: LogState) -> Step:
    """Read the response of a sub-agent that a line of its session repeats; its own file may be missing."""
    data = record.get("data")
    line = data.get("message") if isinstance(data, dict) else None
    if not isinstance(line, dict) or line.get("type", "assistant") != "assistant" or not _has_usage(line):
        return state, SkipReason.NO_USAGE
    return _step({**record, "parentUuid": None, **line, "type": "assistant"}, state)


def _has_usage(record: Record) -> bool:
    message = record.get("message")
    return (
        isinstance(message, dict)
        and message.get("role", "assistant") == "assistant"
        and isinstance(message.get("usage"), dict)
    )


def _response(record: Record, message: Record, state: LogState) -> Step:
    if read_text(message, "model") == _SYNTHETIC:
        return state, SkipReason.SYNTHETIC
    usage = read_object(message, "usage")
    if not usage:
        return state, SkipReason.NO_TOKENS
    model = read_model(message, "model")
    occurred_at = read_instant(record, "timestamp")
    tokens, calls = read_usage(record, usage, model)
    message_id = read_id(message, "id")
    state, request_id = _request_id(record, message, message_id, state)
    response = UsageEvent(
        agent=AGENT,
        session_id=_session_id(record, state),
        message_id=message_id or read_id(record, "uuid") or request_id or _content_id(occurred_at, model, tokens),
        request_id=request_id,
        role="assistant",
        occurred_at=occurred_at,
        project=state.project,
        repository=state.repository,
        provider=_provider(model),
        model=model,
        speed=read_speed(usage),
        tokens=tokens,
        cost_usd=read_cost(record, "costUSD"),
        region=read_region(usage),
        web_searches=read_searches(usage),
        is_lower_bound=is_placeholder(record, message, tokens),
    )
    return state, (response, *(_asked(call, response) for call in calls)) if calls else response


def _content_id(occurred_at: datetime, model: str | None, tokens: Tokens) -> str:
    """Return the id of a response whose line has none; copies of the line have the same."""
    counts = tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens, tokens.written
    return hashed(f"{occurred_at} {model} {counts}")


def _asked(call: Call, response: UsageEvent) -> UsageEvent:
    """Return the event of another model that a response asked."""
    return replace(
        response,
        message_id=f"{response.message_id}:{call.name}",
        provider=_provider(call.model),
        model=call.model,
        speed=call.speed,
        tokens=call.tokens,
        cost_usd=None,
        web_searches=None,
        is_lower_bound=False,
    )


def _provider(model: str | None) -> str | None:
    return "anthropic" if model is not None and model.startswith("claude-") else None


def _request_id(
    record: Record, message: Record, message_id: str | None, state: LogState
) -> tuple[LogState, str | None]:
    """Return the request of a response: its own, or none when its message id says enough.

    Otherwise a gateway numbers its messages, or has one id for all: the response is named by its first line, which the
    next line has as its parent.
    """
    request_id = read_id(record, "requestId")
    if request_id is not None or message_id is None or is_unique_id(read_text(message, "id") or ""):
        return state, request_id
    line = read_id(record, "uuid") or hashed(str(read_instant(record, "timestamp")))
    before = f"{message_id} {read_id(record, 'parentUuid')} "
    if state.response is not None and state.response.startswith(before):
        request_id = state.response.removeprefix(before)
    else:
        request_id = LINE + line
    return replace(state, response=f"{message_id} {line} {request_id}"), request_id


def _prompt(record: Record, message: Record, state: LogState) -> UsageEvent | SkipReason:
    if not is_typed(record, message):
        return SkipReason.NO_USAGE
    return UsageEvent(
        agent=AGENT,
        session_id=_session_id(record, state),
        message_id=_uuid(record),
        request_id=None,
        role="user",
        occurred_at=read_instant(record, "timestamp"),
        project=state.project,
        repository=state.repository,
        tokens=NO_TOKENS,
        cost_usd=NO_COST,
    )


def _session_id(record: Record, state: LogState) -> str:
    session_id = read_id(record, "sessionId") or state.session_id
    if session_id is None:
        raise MalformedError(SkipReason.NO_ID)
    return session_id


def _uuid(record: Record) -> str:
    uuid = read_id(record, "uuid")
    if uuid is None:
        raise MalformedError(SkipReason.NO_ID)
    return uuid
