"""Codex: one JSON object a line, `{timestamp, type, payload}`, in `sessions/…/rollout-<instant>-<id>.jsonl`.

A response is in a line `token_usage_record`, which names it, and in a line `token_count`, whose total only grows within
a session: its event is the difference from the counter before. Versions before 2026 write counters alone; a compaction
is in a record alone. Input includes cache reads and cache writes, and output includes reasoning.

An event's id consists of a thread and of the counter after the response; a record also names the response. A record and
its counter therefore have the same id, and so have copies in the logs of children (`codex_thread`).
"""

from dataclasses import replace
from datetime import datetime, timedelta

from millrace.collect.parsers import codex_thread
from millrace.collect.parsers.codex_prompts import INPUT, ITEM, MESSAGE, is_prompt, prompt_turn
from millrace.collect.parsers.codex_thread import Counts, Thread
from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Speed, Tokens, UsageEvent
from millrace.collect.parsers.fields import (
    MalformedError,
    Record,
    SkipReason,
    read_count,
    read_id,
    read_instant,
    read_model,
    read_name,
    read_object,
    read_text,
)
from millrace.collect.parsers.naming import hashed
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits, Reading, Step, read_lines

AGENT = "codex"
_COUNTERS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)
_ZERO: Counts = (0, 0, 0, 0, 0)
_NO_PROMPTS: Counts = (0, 0, 0)
_AT_ONCE = timedelta(seconds=1)
_WITHOUT_USAGE = frozenset(("response_item", "ghost_snapshot"))
_ITEMS_OF_OLD = frozenset(("message", "reasoning", "function_call", "function_call_output", "local_shell_call"))
_SPEEDS: dict[object, Speed] = {
    "priority": "fast",
    "fast": "fast",
    "default": "standard",
    "standard": "standard",
    "auto": "standard",
    "flex": "flex",
    "batch": "batch",
    "ultrafast": "ultrafast",
}


def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
    """Read lines of a session; the state keeps the model, the tier and the threads for later lines."""
    return read_lines(content, state, _step, caps)


def _step(record: Record, state: LogState) -> Step:
    kind = read_text(record, "type")
    payload = read_object(record, "payload")
    thread = _thread(state)
    if thread.history_start is not None and codex_thread.has_passed_start(thread, record):
        state = replace(state, thread=codex_thread.pass_start(thread, state.session_id))
    if kind == "event_msg":
        return _message(record, payload, state)
    if kind == "response_item" and thread.has_items and thread.is_by_person:
        return _prompt(INPUT, payload, prompt_turn(payload), record, state)
    if kind == "token_usage_record":
        return _response(payload, record, state)
    if kind == "turn_context":
        return _turn(payload, replace(state, model=_model(payload, state.model)), is_start=False), SkipReason.NO_USAGE
    if kind == "compacted":
        return _compaction(payload, record, state)
    if kind == "session_meta":
        return _begin(payload, state), SkipReason.NO_USAGE
    if kind is None and "payload" not in record and "id" in record:  # before 0.20, without an envelope
        return _begin(record, state), SkipReason.NO_USAGE
    is_known = kind in _WITHOUT_USAGE or kind in _ITEMS_OF_OLD or (kind is None and "record_type" in record)
    return state, SkipReason.NO_USAGE if is_known else SkipReason.UNKNOWN_KIND


def _begin(meta: Record, state: LogState) -> LogState:
    """Take the session of the first header; a later one is of lines that were copied."""
    if state.thread is not None and state.thread.root_id is not None:
        thread = codex_thread.enter_copies(state.thread, meta, state.session_id)
        model = state.model if thread is state.thread else _model(meta, None)
        return replace(state, thread=thread, model=model)
    session_id = read_id(meta, "id") or state.session_id
    return replace(
        state.within(read_text(meta, "cwd")),
        session_id=session_id,
        thread=codex_thread.begin(_thread(state), meta, session_id),
        provider=_provider(meta, "model_provider"),
        model=_model(meta, None),
    )


def _message(record: Record, payload: Record, state: LogState) -> Step:
    kind = read_text(payload, "type")
    if kind == "token_count":
        info = read_object(payload, "info")
        total, last = read_object(info, "total_token_usage"), read_object(info, "last_token_usage")
        return _count(total, last, payload, record, state) if info else (state, SkipReason.NO_USAGE)
    if kind == "user_message":
        return _prompt(MESSAGE, payload, _thread(state).turn_id, record, state)
    if kind == "item_completed":
        item = read_object(payload, "item")
        is_user = item.get("type") == "UserMessage"
        return _prompt(ITEM, item, payload.get("turn_id"), record, state) if is_user else (state, SkipReason.NO_USAGE)
    if kind == "task_started":
        return _turn(payload, state, is_start=True), SkipReason.NO_USAGE
    if kind == "thread_settings_applied":
        return _settings(payload, state), SkipReason.NO_USAGE
    return state, SkipReason.NO_USAGE


def _turn(payload: Record, state: LogState, *, is_start: bool) -> LogState:
    return replace(state, thread=codex_thread.begin_turn(_thread(state), payload, state.session_id, is_start=is_start))


def _settings(payload: Record, state: LogState) -> LogState:
    """Take the thread, and all of its settings: one that is missing is not set any more."""
    settings = read_object(payload, "thread_settings")
    thread = codex_thread.enter(_thread(state), codex_thread.known_id(payload, "thread_id"))
    return replace(
        state,
        thread=replace(thread, speed=_speed(settings, None)),
        model=_model(settings, state.model),
        provider=_provider(settings, "model_provider_id") or state.provider,
    )


def _compaction(payload: Record, record: Record, state: LogState) -> Step:
    """Take the thread of the latest record; count that record where a migration left it nowhere else."""
    latest = read_object(payload, "latest_token_usage_record")
    thread_id = codex_thread.known_id(latest, "thread_id")
    thread = codex_thread.enter(_thread(state), thread_id)
    is_first = thread.totals is None and thread.recorded is None
    if is_first and thread.is_child and thread_id is not None:
        used, total = (_read_counters(read_object(latest, name)) for name in ("usage", "thread_token_usage"))
        thread = replace(thread, totals=tuple(max(count, 0) for count in _subtract(total, used)))
    state = replace(state, thread=thread)
    if not is_first or thread_id is None or thread_id != state.session_id or latest.get("response_id") is None:
        return state, SkipReason.NO_USAGE
    state, outcome = _response(latest, record, state)
    thread = _thread(state)
    totals = None if thread.totals is None else _add(thread.totals, thread.recorded or _ZERO)
    return replace(state, thread=replace(thread, totals=totals)), outcome


def _response(payload: Record, record: Record, state: LogState) -> Step:
    """Count the response that a record names."""
    usage, total = read_object(payload, "usage"), read_object(payload, "thread_token_usage")
    thread = codex_thread.enter(_thread(state), read_id(payload, "thread_id"))
    state = replace(state, thread=thread)
    if not usage:
        return _count(total, usage, payload, record, state)
    used, response_id = _read_counters(usage), read_id(payload, "response_id")
    if not any(used):
        return state, SkipReason.NO_USAGE
    if response_id is not None and (response_id, used) == (thread.response_id, thread.recorded):
        return state, SkipReason.REPEATED
    now, tokens = read_instant(record, "timestamp"), _split(used, usage)
    is_counted = _is_counted(used, now, thread)
    counters = _add(thread.totals or _ZERO, _ZERO if is_counted else used)
    event = _event(_position(counters, thread.resets), now, state, tokens, response_id, _speed(payload, thread.speed))
    # A compaction is in no counter: only a response without an id advances it.
    totals = counters if response_id is None else thread.totals
    thread = replace(
        thread, totals=totals, counted=None, recorded=used, is_repeated=is_counted, response_id=response_id
    )
    return replace(state, thread=thread), event


def _count(total: Record, last: Record, payload: Record, record: Record, state: LogState) -> Step:
    """Count the response that a counter adds, unless a record has named it."""
    if not total and not last:
        return state, SkipReason.NO_TOKENS
    now, thread = read_instant(record, "timestamp"), _thread(state)
    counters = _read_counters(total) if total else None
    if total and _is_standing(counters, thread):
        return state, SkipReason.REPEATED
    shown = _read_counters(last) if last else None
    counters = counters or _after(shown or _ZERO, thread)
    if _is_estimate(shown) and _is_comparable(counters, thread):
        return state, SkipReason.NO_USAGE
    used = _used(counters, shown, thread)
    after = _advance(counters, used, str(record["timestamp"]), thread)
    if used is None or thread.is_unclear or _is_anothers(counters, used, shown, thread, state.session_id):
        return replace(state, thread=after), SkipReason.INHERITED
    if not any(used):
        return replace(state, thread=after), SkipReason.NO_USAGE
    if _is_recorded(used, shown, thread):
        return replace(state, thread=replace(after, counted=None, is_repeated=True)), SkipReason.REPEATED
    place = now.isoformat() if counters is None else _position(counters, after.resets)
    event = _event(place, now, state, _split(used, total or last), None, _speed(payload, thread.speed))
    return replace(state, thread=after), event


def _used(counters: Counts | None, shown: Counts | None, thread: Thread) -> Counts | None:
    """Return what was used since the counter before; None where a child only tells its parent's counter."""
    if counters is not None and _is_comparable(counters, thread):
        return _subtract(counters, thread.totals or _ZERO)
    if shown is not None:
        return shown
    return counters if thread.totals is not None else None  # the counter was reset


def _advance(counters: Counts | None, used: Counts | None, at: str, thread: Thread) -> Thread:
    """Return the thread after a counter; one that began again at zero has new positions."""
    is_zero = used == counters or not any(counters or ())
    is_reset = thread.totals is not None and is_zero and not _is_comparable(counters, thread)
    prompts = thread.prompts if used == _ZERO and not is_reset else _NO_PROMPTS
    resets = thread.resets + is_reset
    return replace(thread, totals=counters, counted=used, counted_at=at, resets=resets, prompts=prompts)


def _is_estimate(shown: Counts | None) -> bool:
    """Return whether a counter shows the size of a context, after a compaction or when it is full: no response."""
    return shown is not None and not any(shown)


def _is_counted(used: Counts, now: datetime, thread: Thread) -> bool:
    """Return whether the counter just before a record was of the same response: Codex writes the record first."""
    if used != thread.counted or thread.totals is None or thread.counted_at is None:
        return False
    return abs(now - read_instant({"at": thread.counted_at}, "at")) < _AT_ONCE


def _is_recorded(used: Counts, shown: Counts | None, thread: Thread) -> bool:
    """Return whether the latest record names the response of this counter."""
    return thread.recorded is not None and not thread.is_repeated and thread.recorded in (used, shown)


def _is_anothers(
    counters: Counts | None, used: Counts, shown: Counts | None, thread: Thread, session_id: str | None
) -> bool:
    """Return whether a review begins with an earlier one's counter that does not tell one response."""
    if not thread.is_review or thread.owner_id in (None, session_id):
        return False
    return used != shown or not _is_comparable(counters, thread)


def _is_standing(counters: Counts | None, thread: Thread) -> bool:
    return counters == thread.totals


def _is_comparable(counters: Counts | None, thread: Thread) -> bool:
    """Return whether this counter continues the one before."""
    if counters is None or thread.totals is None:
        return counters is not None and not thread.is_child
    return all(now >= before for now, before in zip(counters, thread.totals, strict=True))


def _after(shown: Counts, thread: Thread) -> Counts | None:
    """Return the counter after a response whose line has none; None in a child whose counter is not known."""
    before = _ZERO if thread.totals is None and not thread.is_child else thread.totals
    return None if before is None else _add(before, shown)


def _add(counters: Counts, used: Counts) -> Counts:
    return tuple(map(sum, zip(counters, used, strict=True)))


def _subtract(counters: Counts, before: Counts) -> Counts:
    return tuple(now - then for now, then in zip(counters, before, strict=True))


def _prompt(kind: int, payload: Record, turn: object, record: Record, state: LogState) -> Step:
    """Count a prompt; the lines of each kind are numbered, so that a prompt has the same id in all of them."""
    thread = _thread(state)
    if not thread.is_by_person or not is_prompt(kind, payload) or _is_inherited(record):
        return state, SkipReason.NO_USAGE
    now, turn_id = read_instant(record, "timestamp"), read_id({"turn": turn}, "turn")
    place = f"{_position(thread.totals or _ZERO, thread.resets)}:prompt{thread.prompts[kind]}"
    event = _event(place, now, state, NO_TOKENS, turn_id, None, thread.prompt_key_id(state.session_id))
    event = replace(event, role="user", provider=None, model=None, cost_usd=NO_COST)
    prompts = tuple(count + (place == kind) for place, count in enumerate(thread.prompts))
    return replace(state, thread=replace(thread, prompts=prompts)), event


def _is_inherited(record: Record) -> bool:
    metadata = record.get("metadata")
    return isinstance(metadata, dict) and metadata.get("inherited_user_message") is True


def _event(
    place: str,
    now: datetime,
    state: LogState,
    tokens: Tokens,
    request_id: str | None,
    speed: Speed | None,
    key_id: str | None = None,
) -> UsageEvent:
    thread = _thread(state)
    session_id = thread.owner_id or state.session_id
    if session_id is None:
        raise MalformedError(SkipReason.NO_ID)
    return UsageEvent(
        agent=AGENT,
        session_id=session_id,
        message_id=f"{key_id or thread.key_id(session_id)}:{place}",
        request_id=request_id,
        role="assistant",
        occurred_at=now,
        project=state.project,
        repository=state.repository,
        provider=state.provider,
        model=state.model,
        speed=speed,
        tokens=tokens,
    )


def _thread(state: LogState) -> Thread:
    return state.thread or Thread()


def _model(record: Record, known: str | None) -> str | None:
    """Return the model that a record names, if it names one; a name that is none is unknown."""
    try:
        return read_model(record, "model") or known
    except MalformedError:
        return None


def _provider(record: Record, name: str) -> str | None:
    """Return the provider, which is any word of the user's own; hashed when it is not a plain name."""
    value = record.get(name)
    try:
        return read_name(record, name)
    except MalformedError:
        return hashed(value) if isinstance(value, str) else None


def _speed(record: Record, known: Speed | None) -> Speed | None:
    """Return the tier that a record names, if it names one; a word that is no tier is unknown."""
    tier = record.get("service_tier")
    if tier is None:
        return known
    return _SPEEDS.get(tier.lower()) if isinstance(tier, str) else None


def _read_counters(usage: Record) -> Counts:
    """Return the counters in the order of `_COUNTERS`; one that is never logged is 0, which adds nothing."""
    return tuple([read_count(usage, name) or 0 for name in _COUNTERS])


def _position(counters: Counts, resets: int) -> str:
    return ".".join(map(str, counters)) + (f":reset{resets}" if resets else "")


def _split(used: Counts, usage: Record) -> Tokens:
    """Return the tokens of one response, each counted once; a counter that is missing in `usage` is unknown."""
    total_input, cached, written, output, reasoning = used
    if cached + written > total_input or reasoning > output:
        raise MalformedError(SkipReason.BAD_NUMBER)
    has = {name: usage.get(name) is not None for name in _COUNTERS}
    return Tokens(
        input_tokens=total_input - cached - written if has["input_tokens"] else None,
        output_tokens=output if has["output_tokens"] else None,
        cache_read_tokens=cached if has["cached_input_tokens"] else None,
        cache_write_5m_tokens=written if has["cache_write_input_tokens"] else None,
        reasoning_tokens=reasoning if has["reasoning_output_tokens"] else None,
    )
