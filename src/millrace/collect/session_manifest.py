"""What the document beside a session of Cline's CLI says about it: the folder, the model, and its parent session."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from millrace.collect.opening import open_plain
from millrace.collect.parsers.fields import MalformedError, read_id, read_model, read_name
from millrace.collect.parsers.naming import hashed
from millrace.collect.parsers.reading import LogState, parse_json

_MOST_BYTES = 8 << 20
_MOST_FORKS = 100
_MESSAGES = ".messages.json"


def described(path: Path, state: LogState) -> LogState:
    """Return the state in which the messages at a path are read; what no manifest says stays as it is.

    `root_id` is the session that was forked first, as far as manifests name it. `is_fork`: a sub-agent wrote it.
    """
    folder, name = path.parent, path.name.removesuffix(_MESSAGES)
    session = _read(folder / f"{folder.name}.json")
    own = session if name == folder.name else _read(folder / f"{name}.json") or session
    cwd = _text(own, "cwd") or _text(own, "workspace_root") or _text(session, "cwd")
    is_sub_agent = name != folder.name or any(
        own.get(key) for key in ("is_subagent", "isSubagent", "parent_session_id", "parentSessionId")
    )
    return replace(
        state.within(cwd),
        model=_checked(own, "model"),
        provider=_checked(own, "provider"),
        root_id=_first(folder, session),
        is_fork=is_sub_agent,
    )


def _first(folder: Path, session: Mapping[str, object]) -> str:
    """Return the id of the session whose messages all others in a chain of forks have."""
    name, seen = folder.name.partition("__")[0], {folder.name}
    while len(seen) < _MOST_FORKS and (parent := _forked_from(session)) and parent not in seen:
        seen.add(parent)
        name, session = parent.partition("__")[0], _read(folder.parent / parent / f"{parent}.json")
    try:
        return read_id({"id": name}, "id") or hashed(name)
    except MalformedError:
        return hashed(name)


def _forked_from(session: Mapping[str, object]) -> str | None:
    metadata = session.get("metadata")
    fork = metadata.get("fork") if isinstance(metadata, dict) else None
    parent = _text(fork, "forkedFromSessionId") if isinstance(fork, dict) else None
    return parent if parent and parent not in (".", "..") and not set(parent) & set("/\\:\0") else None


def _text(record: Mapping[str, object], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) else None


def _checked(record: Mapping[str, object], name: str) -> str | None:
    try:
        return read_model(record, name) if name == "model" else read_name(record, name)
    except MalformedError:
        return None


def _read(path: Path) -> Mapping[str, object]:
    """Return the manifest; an empty one when it is missing, too large or invalid: then nothing is known."""
    try:
        with open_plain(path) as file:
            content = file.read(_MOST_BYTES + 1)
        value = parse_json(content.decode(errors="replace")) if len(content) <= _MOST_BYTES else None
    except (OSError, MalformedError):
        return {}
    return value if isinstance(value, dict) else {}
