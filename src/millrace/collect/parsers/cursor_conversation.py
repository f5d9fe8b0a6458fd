"""What only a conversation of Cursor says about its answers: the model, the tokens of the last context, and the cost.

Cursor states context and cost once for all answers, so they are counted with one of them. `rows` are the bubbles that
have a row of their own, by their ids, as `cursor_rows` summarizes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from millrace.collect.parsers.cursor_bubble import (
    AGENT,
    event_of,
    instant_of,
    message_id,
    model_of,
    read_any_instant,
    role_of,
    tokens_of,
)
from millrace.collect.parsers.event import NO_COST, Role, Tokens, UsageEvent
from millrace.collect.parsers.fields import (
    MOST_USD,
    MalformedError,
    Record,
    SkipReason,
    read_cost,
    read_count,
    read_id,
    read_model,
    read_object,
    read_text,
)

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Bubble:
    """A bubble of a conversation. `value` is None when its row is gone, and only the header is left."""

    bubble_id: str
    role: Role | None
    value: Record | None
    occurred_at: datetime
    model: str | None = None
    is_listed: bool = True

    @property
    def is_event(self) -> bool:
        """Whether its own row is an event: the bubble has counts or a text."""
        return self._tokens()[0] is not None

    @property
    def is_counted(self) -> bool:
        tokens, is_estimated = self._tokens()
        return tokens is not None and not is_estimated

    def _tokens(self) -> tuple[Tokens | None, bool]:
        try:
            return (None, False) if self.value is None else tokens_of(self.value)
        except MalformedError:  # its own row is counted as malformed
            return None, False


def events_of(composer_id: str, composer: Record, rows: Record) -> list[UsageEvent]:
    """Return an event for each answer, which merges with that of the answer's own row.

    The first answer has the context as its input, and the cost. If any answer has counts, the context is a part of
    them, and each model's cost is counted with its first answer. Raises MalformedError when a field is.
    """
    session_id, created_at = str(read_id({"id": composer_id}, "id")), _created_at(composer)
    bubbles = _bubbles(composer, rows, created_at)
    answers = [bubble for bubble in bubbles if bubble.role == "assistant"]
    context, costs = _context(composer), _costs(composer)
    if any(answer.is_counted for answer in answers):
        context, stated = None, _cost_by_model(answers, costs)
    else:
        stated = _cost_of_all(answers, costs)
    first = _first(answers)
    found = []
    for answer in answers:
        tokens = Tokens(input_tokens=context if answer is first else None)
        cost = stated.get(answer.bubble_id)
        if answer.is_event or tokens.input_tokens or (answer is first and cost is not None):
            found.append(_event(session_id, answer, tokens, cost))
    return [*found, *_inline_events(session_id, composer, rows, created_at)]


def _event(session_id: str, answer: _Bubble, tokens: Tokens, cost_usd: Decimal | None) -> UsageEvent:
    return UsageEvent(
        agent=AGENT,
        session_id=session_id,
        message_id=message_id(session_id, answer.bubble_id),
        request_id=None,
        role="assistant",
        occurred_at=answer.occurred_at,
        model=answer.model,
        tokens=tokens,
        is_estimated=True,
        cost_usd=cost_usd,
        is_lower_bound=True,
    )


def _inline_events(session_id: str, composer: Record, rows: Record, created_at: object) -> Iterator[UsageEvent]:
    """Yield the events of bubbles that an older version kept in the conversation, and that have no row."""
    for bubble_id, value in _listed(composer, "conversation").items():
        role = role_of(value)
        if role is not None and bubble_id not in rows:
            event = event_of(session_id, bubble_id, role, value, model_of(value), created_at)
            if isinstance(event, UsageEvent):
                yield event


def _bubbles(composer: Record, rows: Record, created_at: object) -> list[_Bubble]:
    """Return the bubbles in the order of the conversation, then rows that it no longer lists, oldest first."""
    headers, inline = _listed(composer, "fullConversationHeadersOnly"), _listed(composer, "conversation")
    listed = inline | headers
    values = inline | {bubble_id: row for bubble_id, row in rows.items() if isinstance(row, dict)}
    late = composer.get("lastUpdatedAt") or created_at
    found = [
        _bubble(bubble_id, header, values.get(bubble_id), created_at, late) for bubble_id, header in listed.items()
    ]
    lost = [_bubble(bubble_id, {}, values[bubble_id], created_at, late) for bubble_id in values.keys() - listed.keys()]
    lost.sort(key=lambda bubble: (bubble.occurred_at, bubble.bubble_id))
    known = [bubble for bubble in found + lost if bubble.occurred_at is not _NEVER]
    if found + lost and not known:
        raise MalformedError(SkipReason.BAD_TIME)
    return _with_models(known, _model(composer))


def _bubble(bubble_id: str, header: Record, value: Record | None, created_at: object, late: object) -> _Bubble:
    """Return a bubble, which is of _NEVER when its instant is unknown.

    One whose row is gone may be in the store under an earlier instant, which a later one does not replace.
    """
    try:
        at = read_any_instant(header.get("createdAt") or late) if value is None else instant_of(value, created_at)
    except MalformedError:
        at = _NEVER
    return _Bubble(bubble_id, role_of(value or {}) or role_of(header), value, at, is_listed=bool(header))


def _with_models(bubbles: Sequence[_Bubble], of_conversation: str | None) -> list[_Bubble]:
    """Return the bubbles with their models: that of a bubble holds until the next prompt, else the conversation's."""
    found, model = [], of_conversation
    for bubble in bubbles:
        own = None if bubble.value is None else _own_model(bubble.value)
        if own is not None or bubble.role == "user" or not bubble.is_listed:
            model = own or of_conversation
        found.append(replace(bubble, model=model))
    return found


def _own_model(value: Record) -> str | None:
    info = value.get("modelInfo")
    return _name(info.get("modelName")) if isinstance(info, dict) else None


def _name(name: object) -> str | None:
    """Return the name of a model; None when it is malformed, or several names with commas between them."""
    try:
        return None if "," in str(name) else read_model({"name": name}, "name")
    except MalformedError:
        return None


def _first(answers: Sequence[_Bubble]) -> _Bubble | None:
    """Return the answer that stays the first one, also when the conversation is begun again and lists others."""
    first = next((answer for answer in answers if answer.is_listed), None)
    return min(
        [*([] if first is None else [first]), *(answer for answer in answers if not answer.is_listed)],
        key=lambda answer: answer.occurred_at,
        default=None,
    )


def _cost_of_all(answers: Sequence[_Bubble], costs: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the cost of each answer: the sum for the first one, 0 for the others; none when Cursor states none."""
    total, first = sum(costs.values(), NO_COST), _first(answers)
    if total > MOST_USD:
        raise MalformedError(SkipReason.BAD_NUMBER)
    return {answer.bubble_id: total if answer is first else NO_COST for answer in answers} if costs else {}


def _cost_by_model(answers: Sequence[_Bubble], costs: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the cost of each answer of a model with a cost: its sum for the first one, counted ones before others."""
    rest, found = dict(costs), {}
    for answer in sorted(answers, key=lambda answer: not answer.is_counted):
        if answer.model is not None and answer.model in costs and answer.is_event:
            found[answer.bubble_id] = rest.pop(answer.model, NO_COST)
    return found


def _context(composer: Record) -> int | None:
    """Return the tokens of the last context; how many the contexts before it had is unknown."""
    exact = read_count(read_object(composer, "promptTokenBreakdown"), "totalUsedTokens")
    return exact or read_count(composer, "contextTokensUsed") or None


def _costs(composer: Record) -> dict[str, Decimal]:
    """Return the cost of each model in USD."""
    usage = read_object(composer, "usageData")
    cents = {model: read_cost(read_object(usage, model), "costInCents") for model in usage}
    return {model: _dollars(cost) for model, cost in cents.items() if cost is not None}


def _dollars(cents: Decimal) -> Decimal:
    """Return an amount of cents in dollars, exactly: arithmetic of decimals rounds to 28 digits."""
    sign, digits, exponent = cents.as_tuple()
    return Decimal((sign, digits, int(exponent) - 2))


def _model(composer: Record) -> str | None:
    """Return the model that is chosen for the conversation, or the only one with a cost."""
    name, costs = read_text(read_object(composer, "modelConfig"), "modelName"), read_object(composer, "usageData")
    return _name(name or (next(iter(costs)) if len(costs) == 1 else None))


def _created_at(composer: Record) -> object:
    return composer.get("createdAt") or composer.get("lastUpdatedAt")


def _listed(composer: Record, name: str) -> dict[str, Record]:
    """Return the bubbles of a list by their ids, in its order; elements without an id are left out."""
    elements = composer.get(name)
    if not isinstance(elements, list | None):
        raise MalformedError(SkipReason.WRONG_TYPE)
    found: dict[str, Record] = {}
    for element in elements or []:
        bubble_id = element.get("bubbleId") if isinstance(element, dict) else None
        if isinstance(bubble_id, str) and bubble_id:
            found.setdefault(bubble_id, element)
    return found
