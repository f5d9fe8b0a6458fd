"""One log, read piece by piece from where the last reading ended, or from its start if it is no longer that log."""

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from millrace.collect.cursor_rows import read_rows
from millrace.collect.parsers import cursor
from millrace.collect.parsers.agents import Agent
from millrace.collect.parsers.fields import Reason
from millrace.collect.parsers.reading import CAPS, Caps, LogState, Reading
from millrace.errors import MillraceError

CHUNK_BYTES = 4 << 20
_MARK_BYTES = 1024


class BadFile(MillraceError):
    """A log could not be read; the next tick tries again."""

    def __init__(self, path: Path, error: Exception) -> None:
        self.path = path
        self.reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        super().__init__(f"{path}: {self.reason}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the file system says of a log.

    `identity` stays when the file is renamed; '' where the file system has none. As long as `text` stays, nothing was
    written.
    """

    identity: str
    text: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a log is read, and the mark by which it is known again: of a file, a hash of its first bytes."""

    state: LogState
    mark: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What some of a log says, and how far it is read now. `is_anew`: it is the first piece, from the log's start."""

    reading: Reading
    progress: Progress
    size_bytes: int
    is_anew: bool


def look(path: Path, agent: Agent) -> Seen | None:
    """Look at a log without opening it; None when it is no plain file. Of Cursor's, its write-ahead log counts too."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return None
    text = _described(status)
    if agent.name == cursor.AGENT:
        try:
            text += " " + _described(path.with_name(path.name + "-wal").lstat())
        except FileNotFoundError:
            text += " none"
    return Seen(_identity(status), text, status.st_size)


def identity_of(path: bytes) -> str | None:
    """Give which file has a path now; None when none has, or that cannot be told."""
    try:
        return _identity(os.lstat(path))
    except OSError:
        return None


def is_marked(path: Path, mark: str) -> bool:
    """Whether a file begins as the one of which `mark` is known."""
    with _naming(path), path.open("rb") as file:
        return _begins(file.read(_MARK_BYTES), mark)


def pieces(
    path: Path,
    agent: Agent,
    session_id: str | None,
    known: Progress | None,
    chunk_bytes: int = CHUNK_BYTES,
    caps: Caps = CAPS,
) -> Iterator[Piece]:
    """Read a log on, or from its start without `known`, or if the file was cut, written anew or exchanged.

    There is at least one piece, perhaps of nothing. Raises BadFile; what came before stays true.
    """
    fresh = LogState(session_id)
    with _naming(path):
        if agent.name == cursor.AGENT:
            yield from _of_rows(path, agent, known or Progress(fresh, ""), known is None, chunk_bytes, caps)
        elif agent.is_document:
            yield _of_document(path, agent, fresh, caps)
        else:
            yield from _of_lines(path, agent, fresh, known, chunk_bytes, caps)


def _of_lines(
    path: Path, agent: Agent, fresh: LogState, known: Progress | None, chunk_bytes: int, caps: Caps
) -> Iterator[Piece]:
    with path.open("rb") as file:
        head = file.read(_MARK_BYTES)
        size_bytes = file.seek(0, os.SEEK_END)
        is_anew = known is None or known.state.offset_bytes > size_bytes or not _begins(head, known.mark)
        state, mark = fresh if known is None or is_anew else known.state, _mark(head)
        file.seek(state.offset_bytes)
        rest, is_last = b"", False
        while not is_last:
            chunk = file.read(chunk_bytes)
            is_last = len(chunk) < chunk_bytes
            content = rest + chunk
            reading = agent.read(content, state, caps)
            rest = content[reading.state.offset_bytes - state.offset_bytes :]
            state = reading.state
            yield Piece(reading, Progress(state, mark), len(chunk), is_anew)
            is_anew = False


def _of_document(path: Path, agent: Agent, fresh: LogState, caps: Caps) -> Piece:
    """Read a document whole. One over the cap is counted, and one that does not end yet says nothing."""
    with path.open("rb") as file:
        content = file.read(caps.document_bytes + 1)
    if len(content) > caps.document_bytes:
        reading = Reading((), fresh, 1, 0, {Reason.TOO_LARGE: 1})
    else:
        reading = agent.read(content, fresh, caps)
    return Piece(reading, Progress(fresh, ""), len(content), is_anew=reading.lines > 0)


def _of_rows(path: Path, agent: Agent, known: Progress, is_new: bool, chunk_bytes: int, caps: Caps) -> Iterator[Piece]:
    """Read rows of a database; the offset of its state is the number of the last row."""
    state = known.state
    for rows in read_rows(path, state.offset_bytes, known.mark, chunk_bytes, caps.line_bytes):
        reading = agent.read(rows.lines, state, caps)
        state = replace(reading.state, offset_bytes=rows.last)
        yield Piece(replace(reading, state=state), Progress(state, rows.mark), len(rows.lines), is_new or rows.is_anew)
        is_new = False


def _mark(head: bytes) -> str:
    return f"{len(head)} {hashlib.sha256(head).hexdigest()[:32]}"


def _begins(head: bytes, mark: str) -> bool:
    return _mark(head[: int(mark.partition(" ")[0])]) == mark


def _described(status: os.stat_result) -> str:
    return f"{_identity(status)} {status.st_size} {status.st_mtime_ns}"


def _identity(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}" if status.st_ino else ""


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise BadFile(path, error) from error
