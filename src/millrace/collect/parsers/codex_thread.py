"""The threads of a Codex log: whose response a line counts, and where that thread's counter stands.

The log of a fork, a spawned sub-agent or a review may begin with lines of another thread: of the parent, or of an
earlier reviewer. A line belongs to the thread that the latest line before it names. Until a line names one, it belongs
to the parent up to the declared start of the child's own history. That start alone is not safe: Codex moves it past the
last line when it migrates a log.

A counter goes on in a child, so that the same response has the same position in each copy. Who a line belongs to is not
always known; then the position counts from the oldest ancestor whose lines were copied.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from millrace.collect.parsers.event import Speed
from millrace.collect.parsers.fields import MalformedError, Record, read_id

Counts = tuple[int, ...]

_AGENTS = frozenset(("subagent", "internal", "guardian_review", "memory_consolidation"))
_REVIEWERS = frozenset(("guardian", "guardian_review", "review"))


@dataclass(frozen=True, slots=True)
class Thread:
    """The state of the threads in one log.

    `root_id` is the thread from which positions count while no line names one, and `owner_id` the thread that the
    latest line named. `history_start` is the ordinal at which the log's own lines begin. `is_child`: the counter may
    have begun in another thread. `has_copies`: another thread's header was seen. `is_review`: copied lines may be an
    unknown reviewer's. `is_by_person`: the prompts are a person's. `has_items`: prompts are among the items, since the
    history is paginated.

    `totals` is the counter seen last, `resets` how often it began again at zero. `counted` is what the latest counter
    added at `counted_at`. `recorded` is the usage of the latest record, `response_id` its response, and `is_repeated`
    whether a counter has repeated it. `prompts` are the prompts since the counter changed, one number for each kind of
    line that tells them.
    """

    root_id: str | None = None
    owner_id: str | None = None
    history_start: int | None = None
    is_child: bool = False
    has_copies: bool = False
    is_review: bool = False
    is_by_person: bool = True
    has_items: bool = False
    totals: Counts | None = None
    resets: int = 0
    counted: Counts | None = None
    counted_at: str | None = None
    recorded: Counts | None = None
    is_repeated: bool = False
    response_id: str | None = None
    speed: Speed | None = None
    turn_id: str | None = None
    prompts: Counts = (0, 0, 0)

    @classmethod
    def of(cls, saved: dict[str, Any]) -> "Thread":
        """Return the thread from the fields of its JSON object; fields of another version are ignored."""
        known: dict[str, Any] = {field.name: saved[field.name] for field in fields(cls) if field.name in saved}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**known | lists)

    @property
    def is_unclear(self) -> bool:
        """Whether the next line may be of a reviewer that nothing names."""
        return self.is_review and self.owner_id is None and not self.has_copies

    def key_id(self, session_id: str | None) -> str | None:
        """Return the thread from which the positions of the next lines count."""
        return self.owner_id or self.root_id or session_id

    def prompt_key_id(self, session_id: str | None) -> str | None:
        """Return the thread of the next prompt: the log's own where nothing was copied before it."""
        return self.owner_id or (self.root_id if self.has_copies else None) or session_id


def begin(thread: Thread, meta: Record, session_id: str | None) -> Thread:
    """Return the state after a log's own header."""
    source, thread_source = meta.get("source"), meta.get("thread_source")
    origin = source.get("subagent") if isinstance(source, dict) else None
    forked, parent = known_id(meta, "forked_from_id"), known_id(meta, "parent_thread_id") or _spawned_by(origin)
    forked, parent = (None if thread_id == session_id else thread_id for thread_id in (forked, parent))
    start = _ordinal(meta.get("subagent_history_start_ordinal"))
    is_review = not _REVIEWERS.isdisjoint((*_words(thread_source), *_words(origin)))
    is_spawned = parent is not None and forked is None and thread_source != "user"
    is_by_agent = is_spawned or not _AGENTS.isdisjoint((*_words(thread_source), *_words(source)))
    ancestor = None if is_review else forked or (parent if start is not None else None)
    return replace(
        thread,
        root_id=ancestor or session_id,
        history_start=start,
        is_child=(forked or parent) is not None or is_review or isinstance(meta.get("history_base"), dict),
        is_review=is_review,
        is_by_person=not is_by_agent,
        has_items=meta.get("history_mode") == "paginated",
    )


def enter_copies(thread: Thread, meta: Record, session_id: str | None) -> Thread:
    """Return the state after a later header: lines of that thread follow, or of the one from which it was forked."""
    ancestor = known_id(meta, "id")
    if ancestor is None or ancestor == session_id:
        return thread
    root_id = known_id(meta, "forked_from_id") or ancestor
    return replace(
        thread, root_id=root_id, owner_id=None, is_child=True, has_copies=True, counted=None, recorded=None, speed=None
    )


def enter(thread: Thread, thread_id: str | None) -> Thread:
    """Return the state after a line that names its thread, if it does."""
    if thread_id is None or thread_id == thread.owner_id:
        return thread
    return replace(thread, owner_id=thread_id, counted=None, recorded=None)


def has_passed_start(thread: Thread, record: Record) -> bool:
    """Return whether a line is at or after the declared start of the log's own lines."""
    ordinal = _ordinal(record.get("ordinal"))
    return thread.history_start is not None and ordinal is not None and ordinal >= thread.history_start


def pass_start(thread: Thread, session_id: str | None) -> Thread:
    """Return the state at the declared start: lines are the log's own until one names another thread."""
    return replace(enter(thread, session_id), history_start=None)


def begin_turn(thread: Thread, payload: Record, session_id: str | None, *, is_start: bool) -> Thread:
    """Return the state after the context or the start of a turn.

    What a review copies has no start of a turn, and its context only before a declared start of its own history.
    """
    is_own = thread.is_unclear and (is_start or thread.history_start is None)
    thread = enter(thread, session_id) if is_own else thread
    return replace(thread, turn_id=known_id(payload, "turn_id") or thread.turn_id)


def known_id(record: Record, name: str) -> str | None:
    """Return an id that only says where later lines belong; None when it is no id."""
    try:
        return read_id(record, name)
    except MalformedError:
        return None


def _spawned_by(origin: object) -> str | None:
    """Return the parent in the origin of a sub-agent, in whichever shape it is."""
    if not isinstance(origin, dict):
        return None
    shapes = (origin, *(shape for shape in origin.values() if isinstance(shape, dict)))
    return next(filter(None, (known_id(shape, "parent_thread_id") for shape in shapes)), None)


def _words(value: object) -> Iterable[str]:
    """Return a text, or the names and texts in an object."""
    if isinstance(value, dict):
        return [word for word in (*value.keys(), *value.values()) if isinstance(word, str)]
    return [value] if isinstance(value, str) else []


def _ordinal(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
