"""One log, read in chunks from where the last reading ended, or from its start if it is a different log now."""

import hashlib
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from millrace.collect import cursor_rows, message_rows, session_manifest
from millrace.collect.compressed import decompressed
from millrace.collect.layouts import is_compressed
from millrace.collect.opening import open_plain
from millrace.collect.parsers.agents import Agent, Form
from millrace.collect.parsers.fields import SkipReason
from millrace.collect.parsers.reading import PARSER_LIMITS, TORN, LogState, ParserLimits, Reading
from millrace.errors import MillraceError

CHUNK_BYTES = 4 << 20
_HEAD_BYTES = 1024
_TAIL_BYTES = 256 << 10
_SAID = {"interrupted": "it took too long for its next row"}  # SQLite's message when the deadline has passed
_FINGERPRINT = re.compile(r"(\d+) (\w+)(?: (\d+) (\w+))?")


class BadFile(MillraceError):
    """A log could not be read; the next run tries again."""

    def __init__(self, path: Path, error: Exception) -> None:
        self.path = path
        self.reason = (error.strerror if isinstance(error, OSError) else None) or _SAID.get(str(error), str(error))
        super().__init__(f"{path}: {self.reason}")


@dataclass(frozen=True, slots=True)
class FileStat:
    """A log's status in the file system.

    `identity` stays when the file is renamed; '' where the file system has none. While `text` is unchanged, nothing
    was written.
    """

    identity: str
    text: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class LogProgress:
    """How far a log is read, and the fingerprint by which it is recognized.

    The fingerprint of a file contains a hash of its first bytes, and one of the bytes just before the offset.
    """

    state: LogState
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a log, and how far the log is read now. `is_anew`: it is the first chunk, from the log's start.

    `unread_bytes` counts the bytes of an incomplete last line, or of a whole document that is incomplete.
    """

    reading: Reading
    progress: LogProgress
    size_bytes: int
    is_anew: bool
    unread_bytes: int = 0


def stat_log(path: Path, agent: Agent) -> FileStat | None:
    """Return a log's status without opening it; None unless it is a plain file. A database's includes its WAL."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return None
    text = _described(status)
    if agent.is_database:
        try:
            text += " " + _described(path.with_name(path.name + "-wal").lstat())
        except FileNotFoundError:
            text += " none"
    return FileStat(_identity(status), text, status.st_size, status.st_mtime_ns)


def identity_of(path: bytes) -> str | None:
    """Return the identity of the file at a path; None when it is missing or cannot be accessed."""
    try:
        return _identity(os.lstat(path))
    except OSError:
        return None


def has_fingerprint(path: Path, progress: LogProgress) -> bool:
    """Return whether a file contains what was read of a log, at its beginning and just before the offset."""
    with _translate_errors(path), open_plain(path) as file:
        return _tail_of(file, progress) is not None


def has_only_changed(before: str, seen: FileStat) -> bool:
    """Return whether a file was written since status `before` and did not grow: its bytes have changed."""
    _, size_bytes, mtime_ns, *_ = *map(str, before.split()), "", "", ""
    return size_bytes.isdecimal() and seen.size_bytes <= int(size_bytes) and str(seen.mtime_ns) != mtime_ns


def is_same_file(identity: str, other: str | None) -> bool:
    """Return whether two identities are one file's. Device numbers are ignored: a restart may change them."""
    return other is not None and identity.rpartition(":")[2] == other.rpartition(":")[2]


def read_chunks(
    path: Path,
    agent: Agent,
    fresh: LogState,
    known: LogProgress | None,
    chunk_bytes: int = CHUNK_BYTES,
    caps: ParserLimits = PARSER_LIMITS,
    is_still: Callable[[], bool] = lambda: False,
) -> Iterator[Chunk]:
    """Yield the rest of a log; without `known`, or if what was read is gone, all of it from the state `fresh`.

    `is_still` returns whether nothing was written for some time: an unterminated last line is then read as it is.
    There is at least one chunk, perhaps an empty one. Raises BadFile; earlier chunks remain valid.
    """
    with _translate_errors(path):
        if agent.is_database:
            begun = LogProgress(fresh, "") if known is None else replace(known, state=known.state.on_machine_of(fresh))
            yield from _of_rows(path, agent, begun, known is None, chunk_bytes, caps)
        elif agent.is_document:
            yield _of_document(path, agent, fresh, caps)
        elif is_compressed(path.name):
            yield from _of_compressed(path, agent, fresh, chunk_bytes, caps)
        else:
            yield from _of_lines(path, agent, fresh, known, chunk_bytes, caps, is_still)


def _of_lines(
    path: Path,
    agent: Agent,
    fresh: LogState,
    known: LogProgress | None,
    chunk_bytes: int,
    caps: ParserLimits,
    is_still: Callable[[], bool],
) -> Iterator[Chunk]:
    with open_plain(path) as file:
        before = None if known is None else _tail_of(file, known)
        is_anew = known is None or before is None
        state, tail = fresh if known is None or is_anew else known.state.on_machine_of(fresh), before or b""
        file.seek(0)
        head = file.read(_HEAD_BYTES)
        file.seek(state.offset_bytes)
        rest, is_last, closed = b"", False, None
        while not is_last:
            chunk = file.read(chunk_bytes)
            is_last = len(chunk) < chunk_bytes
            content = rest + chunk
            reading = agent.read(content, state, caps)
            used = reading.state.offset_bytes - state.offset_bytes
            tail, rest = _last(tail, content[:used]), content[used:]
            state = reading.state
            closed = closed_by(agent, rest, state, caps) if is_last and rest and is_still() else None
            unread = len(rest) if is_last and closed is None else 0
            yield Chunk(reading, LogProgress(state, _fingerprint(head, tail)), len(chunk), is_anew, unread)
            is_anew = False
        if closed is not None:
            yield Chunk(closed, LogProgress(closed.state, _fingerprint(head, _last(tail, rest))), 0, is_anew=False)


def _of_compressed(path: Path, agent: Agent, fresh: LogState, chunk_bytes: int, caps: ParserLimits) -> Iterator[Chunk]:
    """Read a compressed log, which never grows: from its start, and its last line as it is.

    When it has ended, the offset and the fingerprint are those of the compressed bytes, by which the file is
    recognized. Complete lines before an error are read.
    """
    with open_plain(path) as file:
        head = file.read(_HEAD_BYTES)
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(max(size_bytes - _TAIL_BYTES, 0))
        fingerprint = _fingerprint(head, file.read())
        state, rest, is_anew = fresh, b"", True
        for content in decompressed(file, chunk_bytes):
            if isinstance(content, OSError):
                raise content
            reading = agent.read(rest + content, state, caps)
            rest = (rest + content)[reading.state.offset_bytes - state.offset_bytes :]
            state = reading.state
            yield Chunk(reading, LogProgress(state, ""), len(content), is_anew)
            is_anew = False
    closed = closed_by(agent, rest, state, caps) if rest else None
    last = closed or Reading((), state, 0, 0, {})
    progress = LogProgress(replace(last.state, offset_bytes=size_bytes), fingerprint)
    yield Chunk(last, progress, 0, is_anew, len(rest) if closed is None else 0)


def closed_by(agent: Agent, rest: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading | None:
    """Return the reading of a log's unterminated last line; None when it is incomplete and may still grow."""
    reading = agent.read(rest + b"\n", state, caps)
    if not reading.used and (
        reading.skipped.keys() & {*TORN, SkipReason.TOO_LARGE, SkipReason.TOO_DEEP} or not rest.strip()
    ):
        return None
    # The newline is not in the file. If it is written later, it ends an empty line.
    return replace(reading, state=replace(reading.state, offset_bytes=state.offset_bytes + len(rest)))


def _of_document(path: Path, agent: Agent, fresh: LogState, caps: ParserLimits) -> Chunk:
    """Read a whole document. One over the cap is counted as skipped, and an incomplete one yields nothing."""
    if agent.form is Form.SESSION:
        fresh = session_manifest.described(path, fresh)
    with open_plain(path) as file:
        content = file.read(caps.document_bytes + 1)
    if len(content) > caps.document_bytes:
        reading = Reading((), fresh, 1, 0, {SkipReason.TOO_LARGE: 1})
    else:
        reading = agent.read(content, fresh, caps)
    unread = len(content) if not reading.lines else 0
    return Chunk(reading, LogProgress(fresh, ""), len(content), reading.lines > 0, unread)


def _of_rows(
    path: Path, agent: Agent, known: LogProgress, is_new: bool, chunk_bytes: int, caps: ParserLimits
) -> Iterator[Chunk]:
    """Read rows of a database; the offset of its state is the number of the last row."""
    state = known.state
    read_rows = cursor_rows.read_rows if agent.form is Form.CURSOR_ROWS else message_rows.read_rows
    for rows in read_rows(path, state.offset_bytes, known.fingerprint, chunk_bytes, caps.line_bytes):
        reading = agent.read(rows.lines, state, caps)
        state = replace(reading.state, offset_bytes=rows.last)
        yield Chunk(
            replace(reading, state=state), LogProgress(state, rows.fingerprint), len(rows.lines), is_new or rows.is_anew
        )
        is_new = False


def _tail_of(file: BinaryIO, known: LogProgress) -> bytes | None:
    """Return the marked bytes before the offset; None when they, or the first bytes, have changed."""
    marked = _FINGERPRINT.fullmatch(known.fingerprint)
    if marked is None:
        return None
    head_bytes, tail_bytes, offset = int(marked[1]), int(marked[3] or 0), known.state.offset_bytes
    head = file.read(head_bytes)
    file.seek(max(offset - tail_bytes, 0))
    tail = file.read(tail_bytes)
    is_there = f"{len(head)} {_hash(head)}" == f"{head_bytes} {marked[2]}" and len(tail) == tail_bytes
    if marked[4] is None:  # a fingerprint from before the second hash was kept
        return b"" if is_there and offset <= file.seek(0, os.SEEK_END) else None
    return tail if is_there and _hash(tail) == marked[4] else None


def _last(tail: bytes, more: bytes) -> bytes:
    return more[-_TAIL_BYTES:] if len(more) >= _TAIL_BYTES else (tail + more)[-_TAIL_BYTES:]


def _fingerprint(head: bytes, tail: bytes) -> str:
    return f"{len(head)} {_hash(head)} {len(tail)} {_hash(tail)}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _described(status: os.stat_result) -> str:
    return f"{_identity(status) or '-'} {status.st_size} {status.st_mtime_ns}"


def _identity(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}" if status.st_ino else ""


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise BadFile(path, error) from error
