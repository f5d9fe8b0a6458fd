"""How each store arranges its logs below its folder: which names are logs, and which folders may contain some."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Parts = tuple[str, ...]
"""A path below a store's folder, as names."""

_UUID_AT_END = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_COMPRESSED = ".zst"
_DATABASE = re.compile(r"(?:kilo|opencode)(?:-[\w.-]+)?\.db", re.ASCII)
_MESSAGES = ".messages.json"
_MOST_ABOVE = 4  # folders of an organisation and an account, and what later versions put between


@dataclass(frozen=True, slots=True)
class Layout:
    """One arrangement. `is_log` and `may_hold` decide by names alone; `name_of` is what the session is called there.

    `name_of` returns None where no name identifies a session. `is_name_enough`: only this name identifies it, so one
    that could be words is hashed and not left out.
    """

    is_log: Callable[[Parts], bool]
    may_hold: Callable[[Parts], bool]
    name_of: Callable[[Parts], str | None]
    is_name_enough: bool = False


def is_compressed(name: str) -> bool:
    """Return whether a log of that name is compressed."""
    return name.lower().endswith(_COMPRESSED)


def counterpart(name: str) -> str:
    """Return the name of the same log in the other form: compressed, or not."""
    return name[: -len(_COMPRESSED)] if is_compressed(name) else name + _COMPRESSED


def _is_transcript(parts: Parts) -> bool:
    return bool(parts) and parts[-1].lower().endswith(".jsonl")  # some file systems and tools change the case of a name


def _is_rollout(parts: Parts) -> bool:
    return bool(parts) and parts[-1].lower().endswith((".jsonl", ".jsonl" + _COMPRESSED))


def _stem(name: str) -> str:
    plain = name[: -len(_COMPRESSED)] if is_compressed(name) else name
    return plain.rpartition(".")[0] or plain


def _rollout_name(parts: Parts) -> str:
    name = _stem(parts[-1])
    uuid = _UUID_AT_END.search(name)
    return uuid[0] if uuid else name


def _is_in_sandbox(parts: Parts) -> bool:
    """Return whether names begin like `<organisation>/<account>/local_<id>/.claude/projects`, as far as they go."""
    place = next((place for place, name in enumerate(parts[: _MOST_ABOVE + 1]) if name.startswith("local_")), None)
    if place is None:
        return len(parts) <= _MOST_ABOVE and not any(name.startswith(".") or name == "node_modules" for name in parts)
    return parts[place + 1 : place + 3] == (".claude", "projects")[: len(parts) - place - 1]


def _is_sandboxed_transcript(parts: Parts) -> bool:
    return _is_transcript(parts) and "projects" in parts[:-1] and _is_in_sandbox(parts[:-1])


def _session_of_messages(parts: Parts) -> str:
    folder, name = parts[-2], parts[-1][: -len(_MESSAGES)]
    return folder if name == folder or "__" in folder else f"{folder}__{name}"


TRANSCRIPTS = Layout(_is_transcript, lambda parts: True, lambda parts: _stem(parts[-1]))
"""Files `*.jsonl`, at any depth."""

ROLLOUTS = Layout(_is_rollout, lambda parts: True, _rollout_name)
"""Files `*.jsonl` and `*.jsonl.zst`, at any depth; the session's id is the end of the name."""

SANDBOXES = Layout(_is_sandboxed_transcript, _is_in_sandbox, lambda parts: _stem(parts[-1]))
"""Transcripts in the homes of sandboxes, `**/local_<id>/.claude/projects`; nothing beside them."""

TASKS = Layout(
    lambda parts: len(parts) == 2 and parts[1] == "ui_messages.json",
    lambda parts: len(parts) < 2,
    lambda parts: parts[-2],
    is_name_enough=True,
)
"""One document in the folder of each task."""

SESSIONS = Layout(
    lambda parts: len(parts) == 2 and parts[1].endswith(_MESSAGES),
    lambda parts: len(parts) < 2,
    _session_of_messages,
    is_name_enough=True,
)
"""Documents `*.messages.json` in the folder of each session: its own, and those of its sub-agents."""

DATABASES = Layout(
    lambda parts: len(parts) == 1 and _DATABASE.fullmatch(parts[0]) is not None,
    lambda parts: not parts,
    lambda parts: None,
)
"""Databases of messages, directly in the folder."""

ONE_FILE = Layout(lambda parts: not parts, lambda parts: False, lambda parts: None)
"""The store is the one file."""
