"""Logs that are read again: what they do not make any more, and which of them cannot be read again.

If a log still contains what was read of it before, an event that it does not make now was never there.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from millrace import log
from millrace.collect.checkpoints import CheckpointStore, FileCheckpoint, Prior
from millrace.collect.chunks import BadFile, LogProgress, has_fingerprint, has_only_changed, is_same_file, stat_log
from millrace.collect.discovery import Root
from millrace.collect.following import FOLLOWED, progress_of
from millrace.collect.parsers.agents import AGENTS, Agent
from millrace.collect.parsers.reading import LogState

REST = " rest"
"""Appended to `seen` of a log that ends in bytes which may become a line."""


def has_ended(store: CheckpointStore, prior: Prior, known: FileCheckpoint) -> bool:
    """Return whether a log is read as far as before; if its content is what it was, note what is not made now."""
    if progress_of(known).state.offset_bytes < prior.offset_bytes:
        return False
    path = Path(os.fsdecode(known.path))
    if known.reading > prior.reading and _is_still_there(prior, path, AGENTS[known.agent]):
        store.end_rereading(known.log, prior)
    return True


def find_older(store: CheckpointStore, roots: Sequence[Root]) -> dict[Path, int]:
    """Note the logs whose events follow older rules and cannot be read again; return the new ones with their rules."""

    def is_final(agent: str, path: bytes, rules: int) -> bool:
        file = Path(os.fsdecode(path))
        is_below = any(root.agent == agent and (root.path == file or root.path in file.parents) for root in roots)
        return is_below and (rules >= AGENTS[agent].rules or not os.path.lexists(path))

    found = store.find_older({agent.name: agent.rules for agent in AGENTS.values()}, is_final)
    if found:
        log.warning("logs are gone, and their events follow older rules", logs=len(found))
    return {Path(os.fsdecode(path)): rules for path, rules in found.items()}


def _is_still_there(prior: Prior, path: Path, agent: Agent) -> bool:
    """Return whether a log contains all that was read of it before.

    It does if it was not written since. A log that grows line by line may have grown, and if its fingerprint covers all
    that was read, it may also be a copy. A document or a database that was written may lack what it had.
    """
    try:
        seen = stat_log(path, agent)
    except OSError:
        return False
    if seen is None:
        return False
    if prior.seen.removesuffix(REST) == seen.text:
        return True
    is_appended = is_same_file(prior.identity, seen.identity) and not has_only_changed(prior.seen, seen)
    if agent.name not in FOLLOWED or not (is_appended or _is_whole(prior)):
        return False
    try:
        return has_fingerprint(path, LogProgress(LogState(offset_bytes=prior.offset_bytes), prior.fingerprint))
    except BadFile:
        return False


def _is_whole(prior: Prior) -> bool:
    """Return whether the fingerprint is of all bytes that were read: its third word is their number."""
    words = prior.fingerprint.split()
    return len(words) == 4 and words[2].isdecimal() and int(words[2]) >= prior.offset_bytes
