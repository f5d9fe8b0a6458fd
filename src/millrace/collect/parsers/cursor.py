"""Cursor: rows of the table `cursorDiskKV` in `state.vscdb`, one JSON object `{key, value}` a line.

`cursor_rows` reads the rows of the database in this form, and adds `created_at` of its conversation to the row of a
bubble, and `bubbles` to that of a conversation; a row that changed is read again. Since February 2026 bubbles have no
counts: the output is estimated from the length of an answer's text, and the conversation says the rest.
"""

import re

from millrace.collect.parsers import cursor_bubble, cursor_conversation
from millrace.collect.parsers.event import Role
from millrace.collect.parsers.fields import (
    MalformedError,
    Record,
    SkipReason,
    read_id,
    read_model,
    read_object,
    read_text,
)
from millrace.collect.parsers.reading import (
    PARSER_LIMITS,
    LogState,
    Outcome,
    ParserLimits,
    Reading,
    Step,
    parse_json,
    read_lines,
)

AGENT = cursor_bubble.AGENT
# The conversation is in the key, or in older versions in the value.
_ROW = re.compile(r"(?P<kind>bubbleId|agentKv:blob|composerData):(?:(?P<conversation>[^:]+):)?(?P<id>[^:]+)")
_PREFIXES = ("bubbleId:", "agentKv:blob:", "composerData:")


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
    if row is None or (row["kind"] == "composerData" and row["conversation"]):
        raise MalformedError(SkipReason.BAD_NAME)
    value = parse_json(text)
    if not isinstance(value, dict):
        raise MalformedError(SkipReason.NOT_AN_OBJECT)
    if row["kind"] == "composerData":
        events = cursor_conversation.events_of(row["id"], value, read_object(record, "bubbles"))
        return state, tuple(events) or SkipReason.NO_USAGE
    return state, _outcome(row, value, record.get("created_at"))


def _outcome(row: re.Match[str], value: Record, created_at: object) -> Outcome:
    is_bubble = row["kind"] == "bubbleId"
    role = cursor_bubble.role_of(value) if is_bubble else read_text(value, "role")
    if role not in ("user", "assistant"):
        return SkipReason.NO_USAGE if role in ("system", "tool") else SkipReason.UNKNOWN_KIND
    model = cursor_bubble.model_of(value) if is_bubble else _blob_model(value)
    session_id = read_id({"id": row["conversation"]}, "id") or read_id(value, "conversationId")
    if session_id is None:
        raise MalformedError(SkipReason.NO_ID)
    whose: Role = "user" if role == "user" else "assistant"
    return cursor_bubble.event_of(session_id, row["id"], whose, value, model, created_at)


def _blob_model(value: Record) -> str | None:
    return read_model(read_object(read_object(value, "providerOptions"), "cursor"), "modelName")
