"""Logs that other processes read, in the order in which the collector saves them, for a large first read.

A process reads every n-th log and sends chunk by chunk. Its pipe is small, so it waits until the collector has taken
the chunks before: memory does not grow with the logs. The result does not depend on the number of processes. If a
process dies, the collector reads the rest of its logs itself.
"""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from millrace.collect.chunks import CHUNK_BYTES, BadFile, Chunk, LogProgress, read_chunks
from millrace.collect.parsers.agents import Agent, Form
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits
from millrace.collect.records import Row, to_row

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext

LEAST_BYTES = 8 << 20
"""Below this, processes take longer to start than they save."""
_MOST_PROCESSES = 8

Told = tuple[Chunk, list[Row]]
"""A chunk, and its events as rows, which the chunk may not have itself."""
_Sent = tuple[Chunk, list[Row], bool] | str | None
"""A chunk without its events, these as rows, and whether more follow; why a log cannot be read; or no chunk."""


@dataclass(frozen=True, slots=True)
class CollectLimits:
    """How much is read at once, and when a batch ends; a batch has at most twice `batch_rows` rows."""

    chunk_bytes: int = CHUNK_BYTES
    batch_rows: int = 50_000
    batch_bytes: int = 256 << 20
    caps: ParserLimits = PARSER_LIMITS


@dataclass(frozen=True, slots=True)
class Unread:
    """A log to read: what `read_chunks` needs. `is_still`: nothing was written to it for some time."""

    path: Path
    agent: Agent
    fresh: LogState
    known: LogProgress | None
    is_still: bool
    limits: CollectLimits

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rest of the log, read by this process."""
        limits = self.limits
        yield from read_chunks(
            self.path, self.agent, self.fresh, self.known, limits.chunk_bytes, limits.caps, lambda: self.is_still
        )


class Ahead:
    """The logs that are being read by other processes."""

    def __init__(self, logs: Sequence[Unread], pipes: Sequence["Connection"]) -> None:
        self._logs = {log.path: (log, pipes[place % len(pipes)]) for place, log in enumerate(logs)} if pipes else {}
        self._broken: set[Connection] = set()

    def chunks(self, log: Unread) -> Iterator[Told]:
        """Yield the rest of a log; the logs passed to `reading` have to be taken in their order. Raises BadFile."""
        asked, pipe = self._logs.get(log.path, (log, None))
        if pipe is None or asked != log:
            yield from ((chunk, _rows(chunk)) for chunk in log.chunks())
            return
        while pipe not in self._broken:
            try:
                sent = cast(_Sent, pipe.recv())
            except (EOFError, OSError):
                self._broken.add(pipe)
                break
            if sent is None:
                return
            if isinstance(sent, str):
                raise BadFile(log.path, RuntimeError(sent))
            chunk, rows, has_more = sent
            log = replace(log, known=chunk.progress)
            yield chunk, rows
            if not has_more:
                return
        yield from ((chunk, _rows(chunk)) for chunk in log.chunks())


@contextmanager
def reading(logs: Sequence[Unread], sizes_bytes: Sequence[int], processes: int | None = None) -> Iterator[Ahead]:
    """Yield the logs while other processes read them, where that pays; they end with the block."""
    wanted = [log for log in logs if log.agent.form is Form.LINES]
    count = _count(sum(sizes_bytes)) if processes is None else processes
    count = min(count, len(wanted))
    if count < 1:
        yield Ahead((), ())
        return
    import multiprocessing

    may_fork = _may_fork()
    context = cast("SpawnContext", multiprocessing.get_context("fork" if may_fork else "spawn"))
    started, pipes = [], list["Connection"]()
    try:
        for number in range(count):
            ours, theirs = context.Pipe(duplex=False)
            pipes.append(ours)
            inherited = tuple(pipes) if may_fork else ()
            process = context.Process(target=_read, args=(wanted[number::count], theirs, inherited), daemon=True)
            process.start()
            started.append(process)
            theirs.close()  # so that the end of the process ends the pipe
        yield Ahead(wanted, pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in started:
            process.terminate()
            process.join()


def _count(size_bytes: int) -> int:
    """Return how many processes to use for logs of a size."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 0 if cpus < 2 or size_bytes < LEAST_BYTES else min(cpus, _MOST_PROCESSES, size_bytes // (LEAST_BYTES // 4))


def _may_fork() -> bool:
    """Return whether a copy of this process is safe: on Linux, while it has no other thread."""
    return sys.platform == "linux" and threading.active_count() == 1


def _read(logs: Sequence[Unread], pipe: "Connection", inherited: Sequence["Connection"]) -> None:
    """Send the chunks of logs, until the collector has gone."""
    for other in inherited:  # or no pipe would break when the collector is killed, and its lock would stay
        other.close()
    try:
        for log in logs:
            before: Chunk | None = None
            try:
                for chunk in log.chunks():
                    if before is not None:
                        pipe.send(_sent(before, has_more=True))
                    before = chunk
            except BadFile as bad:
                if before is not None:
                    pipe.send(_sent(before, has_more=True))
                pipe.send(bad.reason)
            else:
                pipe.send(None if before is None else _sent(before, has_more=False))
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # the collector has ended, or ends with the same interrupt


def _sent(chunk: Chunk, has_more: bool) -> _Sent:
    # Rows are sent four times as fast as events: each event is an object with another one in it.
    return replace(chunk, reading=replace(chunk.reading, events=())), _rows(chunk), has_more


def _rows(chunk: Chunk) -> list[Row]:
    return [to_row(event) for event in chunk.reading.events]
