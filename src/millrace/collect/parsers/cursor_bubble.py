"""One bubble of Cursor: a prompt or an answer; and a blob of its agent, which has the same fields for most of it."""

from collections.abc import Mapping
from datetime import datetime

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Role, Tokens, UsageEvent
from millrace.collect.parsers.fields import (
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

AGENT = "cursor"
CHARACTERS_PER_TOKEN = 4
_ROLES: Mapping[int, Role] = {1: "user", 2: "assistant"}
_EARLIEST_SENT_MS = 10**12  # of 2001; smaller numbers count from the start of the window


def role_of(bubble: Record) -> Role | None:
    """Return whose bubble it is."""
    kind = bubble.get("type")
    return _ROLES.get(kind) if type(kind) is int else None


def model_of(bubble: Record) -> str | None:
    """Return the model that the bubble names; in most it names none."""
    return read_model(read_object(bubble, "modelInfo"), "modelName")


def tokens_of(bubble: Record) -> tuple[Tokens | None, bool]:
    """Return the tokens, and whether they are estimated; Cursor writes two counts of zero when it has none."""
    counts = read_object(bubble, "tokenCount")
    fresh, output = read_count(counts, "inputTokens"), read_count(counts, "outputTokens")
    if fresh or output:
        return Tokens(input_tokens=fresh, output_tokens=output), False
    length = _text_length(bubble)
    return (Tokens(output_tokens=_estimate(length)), True) if length else (None, False)


def instant_of(bubble: Record, created_at: object) -> datetime:
    """Return when the bubble was created; before October 2025, when it was sent, or `created_at` of its conversation.

    Raises MalformedError when none of them is an instant.
    """
    if bubble.get("createdAt"):
        return read_any_instant(bubble["createdAt"])
    sent = read_object(bubble, "timingInfo").get("clientRpcSendTime")
    return read_any_instant(sent if type(sent) is int and sent > _EARLIEST_SENT_MS else created_at)


def read_any_instant(value: object) -> datetime:
    """Return the UTC instant of a number of milliseconds, or of a timestamp."""
    return read_epoch_ms({"at": value}, "at") if type(value) is int else read_instant({"at": value}, "at")


def event_of(
    session_id: str, bubble_id: str, role: Role, value: Record, model: str | None, created_at: object
) -> UsageEvent | SkipReason:
    """Return the event of a prompt or an answer; an answer without counts and text is none.

    An estimate is a lower bound: a text is only a part of the output, and says nothing about the input.
    """
    tokens, is_estimated = (NO_TOKENS, False) if role == "user" else tokens_of(value)
    if tokens is None:
        return SkipReason.NO_TOKENS
    return UsageEvent(
        agent=AGENT,
        session_id=session_id,
        message_id=message_id(session_id, bubble_id),
        request_id=None,
        role=role,
        occurred_at=instant_of(value, created_at),
        model=model if role == "assistant" else None,
        tokens=tokens,
        is_estimated=is_estimated,
        cost_usd=NO_COST if role == "user" else None,
        is_lower_bound=is_estimated,
    )


def message_id(session_id: str, bubble_id: str) -> str:
    """Return the id of a bubble's event."""
    return f"{session_id}:{read_id({'id': bubble_id}, 'id')}"


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
