"""Bytes of a log, read from where the last reading ended: line by line, or as one document."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from millrace.collect.parsers.event import UsageEvent, merge_all
from millrace.collect.parsers.fields import MalformedError, Reason, Record

Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LogState:
    """What one log has to be remembered by between two readings.

    `offset_bytes` is after the last complete line; the next reading starts there. `session_id` is given by the log's
    file or folder name, and replaced by the log's own. `totals` are the counters seen last, `prompts` how many came
    since, `root_id` is the session that began to count, `is_fork` whether that was another one. `counter` is the kind
    of line that counts. `is_within_long_line`: the offset is within a line over the cap, of which the rest is to go.
    """

    session_id: str | None = None
    offset_bytes: int = 0
    is_within_long_line: bool = False
    project: str | None = None
    provider: str | None = None
    model: str | None = None
    totals: Counts | None = None
    root_id: str | None = None
    is_fork: bool = False
    prompts: int = 0
    counter: str | None = None

    def to_json(self) -> str:
        """Give the state as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "LogState":
        """Give the state that `to_json` gave as `text`."""
        fields = json.loads(text)
        totals = fields.pop("totals")
        return cls(**fields, totals=None if totals is None else tuple(totals))


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that is looked at: larger lines and documents are counted, and not read."""

    line_bytes: int = 32 << 20
    document_bytes: int = 128 << 20


CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Reading:
    """What some bytes of a log say: events, one per key, and why the other lines gave none.

    `lines` is how many lines (elements of a document) were complete. Each gave an event or is in `skipped`:
    `lines == used + sum(skipped.values())`.
    """

    events: tuple[UsageEvent, ...]
    state: LogState
    lines: int
    used: int
    skipped: Mapping[Reason, int]


Step = tuple[LogState, UsageEvent | Reason]
StepFunction = Callable[[Record, LogState], Step]


def read_lines(content: bytes, state: LogState, step: StepFunction, caps: Caps) -> Reading:
    """Read the complete lines of `content`, which starts at `state.offset_bytes`; the rest is left for later."""
    events, skipped = list[UsageEvent](), Counter[Reason]()
    end = _complete_bytes(content)
    lines = content[:end].split(b"\n")[:-1]
    for line in lines:
        state, outcome = _read_line(line, state, step, caps)
        if isinstance(outcome, UsageEvent):
            events.append(outcome)
        else:
            skipped[outcome] += 1
    is_long = state.is_within_long_line or len(content) - end > caps.line_bytes
    offset_bytes = state.offset_bytes + (len(content) if is_long else end)
    state = replace(state, offset_bytes=offset_bytes, is_within_long_line=is_long)
    return Reading(tuple(merge_all(events).values()), state, len(lines), len(events), skipped)


def read_document(content: bytes, state: LogState, step: StepFunction, caps: Caps) -> Reading:
    """Read a whole JSON array, which its agent writes anew each time; one that does not end yet says nothing.

    The state stays as it came: the next reading begins where this one did.
    """
    if not content.rstrip().endswith(b"]"):
        return Reading((), state, 0, 0, {})
    try:
        elements = _parse(content, caps.document_bytes)
        if not isinstance(elements, list):
            raise MalformedError(Reason.WRONG_TYPE)
    except MalformedError as error:
        return Reading((), state, 1, 0, {error.reason: 1})
    events, skipped, current = list[UsageEvent](), Counter[Reason](), state
    for element in elements:
        current, outcome = _take(element, current, step)
        if isinstance(outcome, UsageEvent):
            events.append(outcome)
        else:
            skipped[outcome] += 1
    return Reading(tuple(merge_all(events).values()), state, len(elements), len(events), skipped)


def parse_json(text: bytes | str) -> object:
    """Give the value of a JSON text, with exact decimals; MalformedError says why it has none."""
    try:
        return json.loads(text, parse_float=_decimal)
    except RecursionError:
        raise MalformedError(Reason.TOO_DEEP) from None
    except UnicodeDecodeError:
        raise MalformedError(Reason.NOT_UTF8) from None
    except ValueError:
        raise MalformedError(Reason.NOT_JSON) from None


def _complete_bytes(content: bytes) -> int:
    """Give how many bytes are complete lines; an agent may be writing the rest."""
    return content.rfind(b"\n") + 1


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _read_line(line: bytes, state: LogState, step: StepFunction, caps: Caps) -> Step:
    if state.is_within_long_line:
        return replace(state, is_within_long_line=False), Reason.TOO_LARGE
    if not line.strip():
        return state, Reason.NO_USAGE
    try:
        value = _parse(line, caps.line_bytes)
    except MalformedError as error:
        return state, error.reason
    return _take(value, state, step)


def _take(value: object, state: LogState, step: StepFunction) -> Step:
    if not isinstance(value, dict):
        return state, Reason.NOT_AN_OBJECT
    try:
        return step(value, state)
    except MalformedError as error:
        return state, error.reason


def _parse(content: bytes, most_bytes: int) -> object:
    if len(content) > most_bytes:
        raise MalformedError(Reason.TOO_LARGE)
    try:
        return parse_json(content.decode())
    except UnicodeDecodeError:
        raise MalformedError(Reason.NOT_UTF8) from None
