"""Prompts in a log of Codex: which lines a person wrote, among all that is in the place of a user's message."""

import re

from millrace.collect.parsers.fields import Record

MESSAGE, ITEM, INPUT = range(3)
"""The kinds of line that tell of a prompt: an event of the legacy history, an item, and the model's input."""

# What Codex itself puts into the place of a user's message: text in an element of its own, or instructions of a folder.
_CONTEXT = re.compile(
    r"\s*(?:<(?:[a-z]+(?:_[a-z]+)+|skill|instructions|permissions)[\s>]|# agents\.md )", re.IGNORECASE
)
_NOT_TOLD = frozenset(("", "unknown"))


def is_prompt(kind: int, payload: Record) -> bool:
    """Return whether a line's payload is what a person wrote."""
    if kind == MESSAGE:
        return not _is_context(payload.get("message"))
    if kind == INPUT and payload.get("role") != "user":
        return False
    content = payload.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    kinds = _metadata(payload).get("content_item_kinds")
    if isinstance(kinds, list) and kinds:
        return any(isinstance(word, str) and (word.startswith("user.") or word in _NOT_TOLD) for word in kinds)
    return any(not _is_context(part.get("text")) for part in parts)


def prompt_turn(payload: Record) -> object:
    """Return the turn that the model's input is of, if it is known."""
    return _metadata(payload).get("turn_id")


def _metadata(payload: Record) -> Record:
    metadata = payload.get("internal_chat_message_metadata_passthrough")
    return metadata if isinstance(metadata, dict) else {}


def _is_context(text: object) -> bool:
    return isinstance(text, str) and _CONTEXT.match(text) is not None
