"""Trees of Codex sessions, written as Codex writes them, with the responses that were really billed."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

Line = dict[str, object]
Usage = tuple[int, int, int, int, int]
Billed = tuple[Usage, str | None]
"""What a response used, and its tier."""

NONE: Usage = (0, 0, 0, 0, 0)
TIERS = {None: None, "priority": "fast", "default": "standard", "flex": "flex", "ultrafast": "ultrafast"}
_NAMES = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens")
_BEGAN = datetime(2026, 11, 20, tzinfo=UTC)


def add(one: Usage, other: Usage) -> Usage:
    """Return the sum of two usages."""
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3], one[4] + other[4])


def to_usage(counts: Usage, total: int | None = None) -> Line:
    """Return a usage in the format of the log."""
    return {**dict(zip(_NAMES, counts, strict=True)), "total_tokens": counts[0] + counts[3] if total is None else total}


def thread_id(number: int) -> str:
    """Return the id of a thread."""
    return f"019f0000-0000-7000-8000-{number:012x}"


@dataclass
class Session:
    """One log as it grows.

    `has_records`: a version since 0.153 writes it. `is_paginated`: nothing is copied into it.
    """

    number: int
    header: Line
    has_records: bool
    is_paginated: bool = False
    is_by_person: bool = True
    counted: Usage = NONE
    recorded: Usage = NONE
    latest: Line | None = None
    tier: str | None = None
    turns: int = 0
    lines: list[Line] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The thread of this log."""
        return thread_id(self.number)


@dataclass
class Tree:
    """Sessions that come from each other, and what was billed for all of them together.

    `has_old_instants`: copies keep their instants. `has_names`: settings name their thread, as they do since 0.152;
    before, two children with equal counters cannot be told apart.
    """

    has_old_instants: bool
    has_names: bool
    now: datetime = _BEGAN
    sessions: list[Session] = field(default_factory=list)
    billed: Counter[Billed] = field(default_factory=Counter)
    prompts: int = 0
    responses: int = 0

    def logs(self) -> list[bytes]:
        """Return each session's log."""
        return ["".join(json.dumps(line) + "\n" for line in session.lines).encode() for session in self.sessions]

    def begin(self, has_records: bool, is_paginated: bool = False, **header: object) -> Session:
        """Start a session that has nothing of another one."""
        session = Session(len(self.sessions) + 1, {}, has_records, is_paginated)
        session.header = {"id": session.id, "cwd": "/home/ada/shop", "model_provider": "openai"} | header
        session.header["history_mode"] = "paginated" if is_paginated else "legacy"
        self.sessions.append(session)
        self._write(session, "session_meta", session.header)
        return session

    def fork(self, parent: Session, has_records: bool) -> Session:
        """Start a fork of a person, with everything that its parent wrote; a paginated one refers to it."""
        base = {"history_base": {"thread_id": parent.id}} if parent.is_paginated else {}
        child = self.begin(has_records, parent.is_paginated, forked_from_id=parent.id, thread_source="user", **base)
        if not parent.is_paginated:
            self._copy(parent.lines, child)
        return self._enter(child, parent)

    def spawn(self, parent: Session, has_records: bool, copies: bool) -> Session:
        """Start a sub-agent, with its parent's lines but its records, or with nothing."""
        source = {"subagent": {"thread_spawn": {"parent_thread_id": parent.id, "depth": 1}}}
        child = self.begin(has_records, parent.is_paginated, source=source, thread_source="subagent")
        child.is_by_person = False
        if not copies:
            return self._enter(child)
        if not parent.is_paginated:
            kept = [line for line in parent.lines if line["type"] != "token_usage_record"]
            self._copy([_without_record(line) for line in kept], child)
        return self._enter(child, parent)

    def review(self, parent: Session, earlier: Session | None) -> Session:
        """Start an automatic review, with the counter of an earlier one."""
        source = {"subagent": {"other": "guardian"}}
        child = self.begin(True, thread_source="guardian_review", source=source, parent_thread_id=parent.id)
        child.is_by_person = False
        if earlier is None or earlier.latest is None:
            return self._enter(child)
        self._write(child, "compacted", {"message": "", "latest_token_usage_record": earlier.latest})
        self._write(child, "turn_context", {"turn_id": "copied", "model": "codex-auto-review"})
        self._count(child, earlier.counted, NONE if earlier.counted == NONE else _usage_of(earlier.latest))
        return self._enter(child, earlier)

    def ask(self, session: Session) -> None:
        """Begin a turn with a prompt, which is an agent's in a sub-agent or a review."""
        session.turns += 1
        turn = f"{session.id}-{session.turns}"
        self._write(session, "turn_context", {"turn_id": turn, "model": "gpt-5.4"})
        self._write(session, "event_msg", {"type": "task_started", "turn_id": turn})
        text = [{"type": "input_text", "text": "do it"}]
        self._write(session, "response_item", {"type": "message", "role": "user", "content": text})
        if session.is_paginated:
            item = {"type": "UserMessage", "content": [{"type": "text", "text": "do it"}]}
            self._write(session, "event_msg", {"type": "item_completed", "turn_id": turn, "item": item})
        else:
            self._write(session, "event_msg", {"type": "user_message", "message": "do it"})
        self.prompts += session.is_by_person

    def respond(self, session: Session, used: Usage, again: bool) -> None:
        """Write a response: its record, and its counter, perhaps twice."""
        session.counted = add(session.counted, used)
        self._record(session, used)
        for _ in range(2 if again else 1):
            self._count(session, session.counted, used)
        self.billed[used, TIERS[session.tier]] += 1

    def compact(self, session: Session, used: Usage) -> None:
        """Compact the history: the request is in a record alone, and older versions do not tell it."""
        self._record(session, used)
        self._write(session, "compacted", {"message": "", "latest_token_usage_record": session.latest})
        self._count(session, session.counted, NONE, 3200)
        if session.has_records:
            self.billed[used, TIERS[session.tier]] += 1

    def fill(self, session: Session) -> None:
        """Fill the context's window, which sets the counter to zero."""
        session.counted = NONE
        self._count(session, NONE, NONE, 258_400)

    def set_tier(self, session: Session, tier: str | None) -> None:
        """Change the tier of what follows."""
        session.tier = tier
        settings = {"model": "gpt-5.4"} | ({} if tier is None else {"service_tier": tier})
        named = {"thread_id": session.id} if self.has_names else {}
        self._write(session, "event_msg", {"type": "thread_settings_applied", "thread_settings": settings, **named})

    def _enter(self, child: Session, other: Session | None = None) -> Session:
        """Let a child go on from another thread's counter, and apply its own settings."""
        if other is not None:
            child.counted, child.recorded = other.counted, other.recorded
        self.set_tier(child, None)
        return child

    def _record(self, session: Session, used: Usage) -> None:
        if not session.has_records:
            return
        self.responses += 1
        session.recorded = add(session.recorded, used)
        session.latest = {
            "thread_id": session.id,
            "response_id": f"resp_{self.responses:024x}",
            "usage": to_usage(used),
            "thread_token_usage": to_usage(session.recorded),
        }
        self._write(session, "token_usage_record", session.latest)

    def _count(self, session: Session, total: Usage, last: Usage, size: int | None = None) -> None:
        info = {"total_token_usage": to_usage(total), "last_token_usage": to_usage(last, size)}
        self._write(session, "event_msg", {"type": "token_count", "info": info})

    def _copy(self, lines: list[Line], child: Session) -> None:
        for line in lines:
            self._write(child, str(line["type"]), line["payload"])
            if self.has_old_instants:
                child.lines[-1]["timestamp"] = line["timestamp"]

    def _write(self, session: Session, kind: str, payload: object) -> None:
        self.now += timedelta(seconds=1)
        session.lines.append({"timestamp": self.now.isoformat(), "type": kind, "payload": payload})


def _without_record(line: Line) -> Line:
    """Return a line as a sub-agent copies it: a compaction loses its record."""
    return line | {"payload": {"message": ""}} if line["type"] == "compacted" else line


def _usage_of(record: Line) -> Usage:
    usage = record["usage"]
    assert isinstance(usage, dict)
    return (usage[_NAMES[0]], usage[_NAMES[1]], usage[_NAMES[2]], usage[_NAMES[3]], usage[_NAMES[4]])
