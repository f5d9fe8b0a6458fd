"""Bytes of a log, read from where the last reading ended: line by line, or as one document."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from itertools import islice

from millrace.collect.parsers.codex_thread import Thread
from millrace.collect.parsers.event import UsageEvent, merge_all
from millrace.collect.parsers.fields import MalformedError, Record, SkipReason
from millrace.collect.parsers.naming import UNKNOWN_OWNER, Owner, project_slug

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MOST_RESCUED_BYTES = 4 << 20
_MOST_TRIES = 1000
TORN = (SkipReason.NOT_JSON, SkipReason.NOT_UTF8)
"""Reasons why a line whose end is missing may have yielded no event."""

_UNDECODED = re.compile("[\udc80-\udcff]+")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{,]', re.DOTALL)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


_DECODER = json.JSONDecoder(parse_float=_decimal)
_SPACE = " \t\n\r"


RepositoryOf = Callable[[str | None], str | None]
"""Returns the `owner/name` of a folder's repository; None where there is none, or it may not be named."""


def no_repository(folder: str | None) -> str | None:
    """Return None: no repository is looked up."""
    return None


_OF_MACHINE = ("owner", "repository_of")


@dataclass(frozen=True, slots=True)
class LogState:
    """The state of one log between two readings.

    `offset_bytes` is after the last complete line; the next reading starts there. `session_id` is taken from the log's
    file or folder name, and replaced by the log's own. `is_within_long_line`: the offset is within a line over the cap.
    `prompts` is the number of prompts so far. `root_id` is the session of Cline that was forked first, and `is_fork`
    whether a sub-agent wrote this one. `thread` is the state of Codex's threads. `response` names the response
    of the last line, where only the order of lines does. `owner` and `repository_of` are the machine's, and not saved.
    """

    session_id: str | None = None
    offset_bytes: int = 0
    is_within_long_line: bool = False
    project: str | None = None
    provider: str | None = None
    model: str | None = None
    prompts: int = 0
    root_id: str | None = None
    is_fork: bool = False
    thread: Thread | None = None
    response: str | None = None
    repository: str | None = None
    owner: Owner = UNKNOWN_OWNER
    repository_of: RepositoryOf = no_repository

    def project_of(self, folder: str | None) -> str | None:
        """Return the project of a folder, without the machine's owner."""
        return project_slug(self.owner.below(folder))

    def within(self, folder: str | None) -> "LogState":
        """Return the state of a log whose session began in a folder."""
        return replace(self, project=self.project_of(folder), repository=self.repository_of(folder))

    def on_machine_of(self, other: "LogState") -> "LogState":
        """Return this state with what another one has of its machine."""
        return replace(self, owner=other.owner, repository_of=other.repository_of)

    def to_json(self) -> str:
        """Return the state as JSON, without what is the machine's."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name not in _OF_MACHINE}
        return json.dumps(fields | {"thread": None if self.thread is None else asdict(self.thread)})

    @classmethod
    def parse(cls, text: str) -> "LogState":
        """Return the state from the JSON that `to_json` returned; fields of another version are ignored."""
        saved = json.loads(text)
        known = {name: saved[name] for name in cls.__slots__ if name in saved}
        thread = known.get("thread")
        return cls(**known | {"thread": None if thread is None else Thread.of(thread)})


@dataclass(frozen=True, slots=True)
class ParserLimits:
    """Size limits: larger lines and documents are counted, and not read."""

    line_bytes: int = 32 << 20
    document_bytes: int = 128 << 20


MOST_VALUES = 1_000_000
"""The most values of one JSON text: a short text of empty objects takes thirty times its size in memory."""


PARSER_LIMITS = ParserLimits()


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading bytes of a log: events, one per key, and why the other lines yielded none.

    A line may yield several events, as one in which a second model was asked.

    `lines` is how many lines (elements of a document) were complete. Each yielded an event or is in `skipped`:
    `lines == used + sum(skipped.values())`.
    """

    events: tuple[UsageEvent, ...]
    state: LogState
    lines: int
    used: int
    skipped: Mapping[SkipReason, int]


Outcome = UsageEvent | tuple[UsageEvent, ...] | SkipReason
Step = tuple[LogState, Outcome]
StepFunction = Callable[[Record, LogState], Step]
Unwrap = Callable[[object, LogState], tuple[list[object], LogState]]


def read_lines(content: bytes, state: LogState, step: StepFunction, caps: ParserLimits) -> Reading:
    """Read the complete lines of `content`, which starts at `state.offset_bytes`; the rest is left for later."""
    events, skipped, used = list[UsageEvent](), Counter[SkipReason](), 0
    end = _complete_bytes(content)
    lines = content[:end].split(b"\n")[:-1]
    for line in lines:
        state, outcome = _read_line(line, state, step, caps)
        if isinstance(outcome, SkipReason):
            skipped[outcome] += 1
            continue
        used += 1
        if isinstance(outcome, tuple):
            events.extend(outcome)
        else:
            events.append(outcome)
    is_long = state.is_within_long_line or len(content) - end > caps.line_bytes
    offset_bytes = state.offset_bytes + (len(content) if is_long else end)
    state = replace(state, offset_bytes=offset_bytes, is_within_long_line=is_long)
    return Reading(tuple(merge_all(events).values()), state, len(lines), used, skipped)


def read_document(
    content: bytes, state: LogState, step: StepFunction, caps: ParserLimits, unwrap: Unwrap | None = None
) -> Reading:
    """Read a whole JSON array, which its agent rewrites each time; an incomplete one yields nothing.

    `unwrap` returns the elements of a document that is an object, and the state in which the first of them is read.
    The state is returned unchanged: the next reading begins where this one did.
    """
    if not content.rstrip().endswith(b"]" if unwrap is None else b"}"):
        return Reading((), state, 0, 0, {})
    try:
        elements, current = (unwrap or _as_array)(_parse(content, caps.document_bytes), state)
    except MalformedError as error:
        if unwrap is not None and error.reason is SkipReason.NOT_JSON:  # cut after an inner object
            return Reading((), state, 0, 0, {})
        return Reading((), state, 1, 0, {error.reason: 1})
    events, skipped, used = list[UsageEvent](), Counter[SkipReason](), 0
    for element in elements:
        current, outcome = _take(element, current, step)
        if isinstance(outcome, SkipReason):
            skipped[outcome] += 1
        else:
            used += 1
            events.extend(outcome if isinstance(outcome, tuple) else (outcome,))
    return Reading(tuple(merge_all(events).values()), state, len(elements), used, skipped)


def _as_array(value: object, state: LogState) -> tuple[list[object], LogState]:
    if not isinstance(value, list):
        raise MalformedError(SkipReason.WRONG_TYPE)
    return value, state


def parse_json(text: str) -> object:
    """Return the value of a JSON text, with exact decimals; MalformedError contains why it has none."""
    if _has_too_many_values(text):
        raise MalformedError(SkipReason.TOO_LARGE)
    text = text.strip(_SPACE)
    try:
        # As `decode`, which searches for white space twice: a log has many lines.
        value, end = _DECODER.raw_decode(text)
    except RecursionError:
        raise MalformedError(SkipReason.TOO_DEEP) from None
    except ValueError:
        raise MalformedError(SkipReason.NOT_JSON) from None
    if end != len(text):
        raise MalformedError(SkipReason.NOT_JSON)
    return value


def _has_too_many_values(text: str) -> bool:
    """Return whether a text has more than MOST_VALUES values: each but the first follows a bracket or a comma.

    Brackets and commas within strings are excluded only when the text could exceed the limit.
    """
    if len(text) <= MOST_VALUES or sum(map(text.count, "[{,")) < MOST_VALUES:
        return False
    marks = (token for token in _TOKEN.finditer(text) if token.group() in "[{,")
    return next(islice(marks, MOST_VALUES - 1, None), None) is not None


def _complete_bytes(content: bytes) -> int:
    """Return how many bytes are complete lines; an agent may be writing the rest."""
    return content.rfind(b"\n") + 1


def _read_line(line: bytes, state: LogState, step: StepFunction, caps: ParserLimits) -> Step:
    if state.is_within_long_line:
        return _rescue(line, replace(state, is_within_long_line=False), step, SkipReason.TOO_LARGE)
    if not line.strip():
        return state, SkipReason.NO_USAGE
    try:
        value = _parse(line.strip(b"\0"), caps.line_bytes)
    except MalformedError as error:
        return _rescue(line, state, step, error.reason) if error.reason in TORN else (state, error.reason)
    return _take(value, state, step)


def _rescue(line: bytes, state: LogState, step: StepFunction, reason: SkipReason) -> Step:
    """Take the complete object at the end of an invalid line: a writer may have continued after a torn one."""
    for value in _objects_at_end(line):
        state, outcome = _take(value, state, step)
        if not isinstance(outcome, SkipReason):
            return state, outcome
    return state, reason


def _objects_at_end(line: bytes) -> Iterator[object]:
    """Yield the object that a line ends with, if there is one; NUL bytes may stand before and after it.

    Braces are tried from the right. An inner object ends before the line does, so the first one that ends with the
    line is the result.
    """
    text = line.strip(b"\0 \t\r\n")[-_MOST_RESCUED_BYTES:].decode(errors="surrogateescape")
    if _has_too_many_values(text):
        return
    start = max((bad.end() for bad in _UNDECODED.finditer(text)), default=0)
    place, left = len(text), _MOST_TRIES
    while left and (place := text.rfind('{"', start, place)) >= 0:
        left -= 1
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        if end == len(text):
            yield value
            return


def _take(value: object, state: LogState, step: StepFunction) -> Step:
    if not isinstance(value, dict):
        return state, SkipReason.NOT_AN_OBJECT
    try:
        return step(value, state)
    except MalformedError as error:
        return state, error.reason


def _parse(content: bytes, most_bytes: int) -> object:
    if len(content) > most_bytes:
        raise MalformedError(SkipReason.TOO_LARGE)
    try:
        return parse_json(content.removeprefix(_BYTE_ORDER_MARK).decode())
    except UnicodeDecodeError:
        raise MalformedError(SkipReason.NOT_UTF8) from None
