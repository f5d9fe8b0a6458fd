"""Cursor: rows of the table `cursorDiskKV` in `state.vscdb`, one JSON object `{key, value}` a line.

`cursor_rows` reads the rows of the database in this form; a row that changed is read again. Most rows have no counts:
their usage is estimated from the length of the answer's text, here and nowhere else.
"""

import re
from datetime import datetime

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent
from millrace.collect.parsers.fields import (
    MalformedError,
    Record,
    SkipReason,
    read_count,
    read_epoch_ms,
    read_id,
    read_instant,
    read_model,
    read_object,
    read_text,
)
from millrace.collect.parsers.naming import id_name
from millrace.collect.parsers.reading import (
    PARSER_LIMITS,
    LogState,
    ParserLimits,
    Reading,
    Step,
    parse_json,
    read_lines,
)

AGENT = "cursor"
CHARACTERS_PER_TOKEN = 4
# The conversation is in the key, or in older versions in the value.
_ROW = re.compile(r"(?P<kind>bubbleId|agentKv:blob):(?:(?P<conversation>[\w-]{1,90}):)?(?P<id>[\w-]{1,90})", re.ASCII)
_PREFIXES = ("bubbleId:", "agentKv:blob:")
_ROLES = {1: "user", 2: "assistant"}


def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read rows; one that is read again updates its event."""
    return read_lines(content, state, _step, caps)


def _step(record: Record, state: LogState) -> Step:
    key, text = read_text(record, "key"), read_text(record, "value")
    if key is None:
        return state, SkipReason.UNKNOWN_KIND
    if text is None or not key.startswith(_PREFIXES):
        return state, SkipReason.NO_USAGE
    row = _ROW.fullmatch(key)
    if row is None:
        raise MalformedError(SkipReason.BAD_NAME)
    value = parse_json(text)
    if not isinstance(value, dict):
        raise MalformedError(SkipReason.NOT_AN_OBJECT)
    return state, _outcome(row, value)


def _outcome(row: re.Match[str], value: Record) -> UsageEvent | SkipReason:
    is_bubble = row["kind"] == "bubbleId"
    role = _bubble_role(value) if is_bubble else read_text(value, "role")
    if role not in ("user", "assistant"):
        return SkipReason.NO_USAGE if role in ("system", "tool") else SkipReason.UNKNOWN_KIND
    tokens, is_estimated = (NO_TOKENS, False) if role == "user" else _tokens(value)
    if tokens is None:
        return SkipReason.NO_TOKENS
    session_id = id_name(row["conversation"]) if row["conversation"] else read_id(value, "conversationId")
    if session_id is None:
        raise MalformedError(SkipReason.NO_ID)
    return UsageEvent(
        agent=AGENT,
        session_id=session_id,
        message_id=f"{session_id}:{id_name(row['id'])}",
        request_id=None,
        role="user" if role == "user" else "assistant",
        occurred_at=_instant(value),
        model=_model(value, is_bubble) if role == "assistant" else None,
        tokens=tokens,
        is_estimated=is_estimated,
        cost_usd=NO_COST if role == "user" else None,
    )


def _bubble_role(value: Record) -> str | None:
    kind = value.get("type")
    return _ROLES.get(kind) if type(kind) is int else None


def _model(value: Record, is_bubble: bool) -> str | None:
    if is_bubble:
        return read_model(read_object(value, "modelInfo"), "modelName")
    return read_model(read_object(read_object(value, "providerOptions"), "cursor"), "modelName")


def _instant(value: Record) -> datetime:
    return (
        read_epoch_ms(value, "createdAt") if type(value.get("createdAt")) is int else read_instant(value, "createdAt")
    )


def _tokens(value: Record) -> tuple[Tokens | None, bool]:
    """Return the tokens, and whether they are estimated; Cursor writes two counts of zero when it has none."""
    counts = read_object(value, "tokenCount")
    fresh, output = read_count(counts, "inputTokens"), read_count(counts, "outputTokens")
    if fresh or output:
        return Tokens(input_tokens=fresh, output_tokens=output), False
    length = _text_length(value)
    return (Tokens(output_tokens=_estimate(length)), True) if length else (None, False)


def _estimate(length: int) -> int:
    """Return the estimated tokens of an answer of so many characters; the input is unknown."""
    return length // CHARACTERS_PER_TOKEN


def _text_length(value: Record) -> int:
    if text := read_text(value, "text"):
        return len(text)
    content = value.get("content")
    if not isinstance(content, list):
        return len(read_text(value, "content") or "")
    return sum(len(read_text(part, "text") or "") for part in content if isinstance(part, dict))
