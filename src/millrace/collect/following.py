"""Where each known log is now: under its path, under another name, or gone."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from millrace.collect.checkpoints import GONE, FileCheckpoint
from millrace.collect.chunks import BadFile, FileStat, LogProgress, has_fingerprint, identity_of, is_same_file, stat_log
from millrace.collect.discovery import Root
from millrace.collect.layouts import counterpart
from millrace.collect.parsers.agents import AGENTS, Form
from millrace.collect.parsers.reading import LogState

FOLLOWED = frozenset(name for name, agent in AGENTS.items() if agent.form is Form.LINES)
"""The agents whose logs grow line by line. Such a log may have an unread rest when its file is renamed."""


@dataclass(frozen=True, slots=True)
class FoundLog:
    """An existing log, and its status in the file system."""

    path: Path
    root: Root
    seen: FileStat


@dataclass(slots=True)
class Whereabouts:
    """Where known logs are: `moved` has their new paths by number, `others` are files that were not found by name.

    `gone` are logs whose file disappeared, and that were not reported as gone before.
    """

    moved: dict[int, bytes] = field(default_factory=dict)
    others: list[FoundLog] = field(default_factory=list)
    gone: list[FileCheckpoint] = field(default_factory=list)


def progress_of(known: FileCheckpoint) -> LogProgress:
    """Return how far a log is read; ValueError, TypeError or KeyError when the state is invalid."""
    return LogProgress(LogState.parse(known.state), known.fingerprint)


def locate(logs: Iterable[FileCheckpoint], found: Mapping[bytes, FoundLog], roots: Sequence[Root]) -> Whereabouts:
    """Return where logs are; `found` are the logs that were found by their names.

    A file belongs to a log if it has the log's identity and contains what was read of the log. It is searched for among
    `found`, and under any name in the folder where the log was.
    """
    search = _Search(found)
    result = Whereabouts()
    for known in logs:
        root = _root_of(known, roots)
        if root is None or not known.identity:
            continue
        holder = search.holder(known.path)
        if is_same_file(known.identity, holder):
            if known.path not in found:
                result.others.extend(_look(known.path, root))
            continue
        if holder is None and search.has_other_form(known.path):
            continue  # it was compressed, or the reverse: that file is a log of its own, of the same events
        path = search.find(known, set(result.moved.values()))
        if path is not None:
            result.moved[known.log] = path
            if path not in found:
                result.others.extend(_look(path, root))
        elif known.seen != GONE and not _is_replaced_by_more(known, holder):
            result.gone.append(known)
    return result


class _Search:
    """Searches for files by their identity; each folder is listed once."""

    def __init__(self, found: Mapping[bytes, FoundLog]) -> None:
        self._found = found
        self._by_identity: dict[str, list[bytes]] = {}
        for path, one in found.items():
            self._by_identity.setdefault(one.seen.identity, []).append(path)
        self._folders: dict[bytes, dict[int, list[bytes]]] = {}
        self._names = {os.path.basename(path) for path in found}

    def holder(self, path: bytes) -> str | None:
        """Return the identity of the file under a path; None when there is none."""
        found = self._found.get(path)
        return identity_of(path) if found is None else found.seen.identity

    def has_other_form(self, path: bytes) -> bool:
        """Return whether a log exists compressed instead of plain, or the reverse: in its folder or where logs are."""
        other = os.fsencode(counterpart(os.fsdecode(path)))
        return os.path.basename(other) in self._names or identity_of(other) is not None

    def find(self, known: FileCheckpoint, taken: set[bytes]) -> bytes | None:
        """Return the new path of a log's file; None when there is none."""
        inode = int(known.identity.rpartition(":")[2])
        progress = progress_of(known)
        for path in [*self._by_identity.get(known.identity, []), *self._below(os.path.dirname(known.path), inode)]:
            if path != known.path and path not in taken and _is_it(known, progress, path):
                return path
        return None

    def _below(self, folder: bytes, inode: int) -> list[bytes]:
        if folder not in self._folders:
            paths: dict[int, list[bytes]] = {}
            for path, number in _files(folder):
                paths.setdefault(number, []).append(path)
            self._folders[folder] = paths
        return self._folders[folder].get(inode, [])


def _files(folder: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the plain files below a folder, each with its inode number; skip folders that cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.path, entry.inode()
    except OSError:
        return


def _is_it(known: FileCheckpoint, progress: LogProgress, path: bytes) -> bool:
    name, was = os.path.basename(path), os.path.basename(known.path)
    if not progress.state.offset_bytes and not name.lower().startswith(was.lower().rpartition(b".")[0]):
        return False  # nothing was read to compare, and another file may have got the inode number
    try:
        return is_same_file(known.identity, identity_of(path)) and has_fingerprint(Path(os.fsdecode(path)), progress)
    except BadFile:
        return False


def _is_replaced_by_more(known: FileCheckpoint, holder: str | None) -> bool:
    """Return whether another file in a log's place contains what was read: then nothing of the log is lost."""
    try:
        return holder is not None and has_fingerprint(Path(os.fsdecode(known.path)), progress_of(known))
    except BadFile:
        return False


def _root_of(known: FileCheckpoint, roots: Sequence[Root]) -> Root | None:
    path = Path(os.fsdecode(known.path))
    return next((root for root in roots if root.agent == known.agent and root.covers(path)), None)


def _look(path: bytes, root: Root) -> list[FoundLog]:
    log = Path(os.fsdecode(path))
    try:
        seen = stat_log(log, root.reader) if log.resolve() == log else None
    except OSError:
        return []
    return [] if seen is None else [FoundLog(log, root, seen)]
