"""One tick: what is new in the logs is read, merged into what is known, and put by as files to send.

Nothing is lost or doubled wherever a tick is stopped. A batch's file is written first, and then the store commits at
once how far the logs are read, the events, and that they are in that batch. A file beyond the committed batch is
deleted at the next start, and made again.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from pathlib import Path

from millrace import log
from millrace.collect import outbox, records
from millrace.collect.checkpoints import KnownLog, Store
from millrace.collect.chunks import CHUNK_BYTES, BadFile, Piece, Progress, Seen, identity_of, is_marked, look, pieces
from millrace.collect.discovery import Root
from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import AGENTS, Agent
from millrace.collect.parsers.reading import CAPS, Caps, LogState
from millrace.tables import MOST_AHEAD

Hear = Callable[[int, int, Path], None]
"""Hears of long readings: bytes done, bytes in all, and the log that is being read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read at once, and after how much a batch ends; it has at most twice as many rows."""

    chunk_bytes: int = CHUNK_BYTES
    batch_rows: int = 50_000
    batch_bytes: int = 256 << 20
    caps: Caps = CAPS


@dataclass(slots=True)
class Tick:
    """What one tick did.

    `new`, `changed` and `unchanged` count events, the last those that the logs told again. `before_since` are events
    that are known and left out, and sent once they are no longer to be. `skipped` are lines, by agent and reason.
    """

    looked_at: int = 0
    read: int = 0
    size_bytes: int = 0
    lines: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    before_since: int = 0
    rows: int = 0
    batches: list[str] = field(default_factory=list)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_files: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Due:
    """A log in which something may be new."""

    path: Path
    root: Root
    seen: Seen
    known: KnownLog | None
    progress: Progress | None

    @property
    def agent(self) -> Agent:
        return AGENTS[self.root.agent]

    @property
    def left_bytes(self) -> int:
        return max(self.seen.size_bytes - (self.progress.state.offset_bytes if self.progress else 0), 0)


def _now() -> datetime:
    return datetime.now(UTC)


def unheard(done_bytes: int, total_bytes: int, path: Path) -> None:
    """Tell nobody."""


class Collector:
    """Reads what is new in the logs below `roots`, tick by tick.

    `files` is the folder for what is to be sent. None: nothing is to be, as with a store that is a copy.
    """

    def __init__(
        self,
        store: Store,
        files: Path | None,
        roots: Callable[[], Sequence[Root]],
        user_id: str | None,
        privacy: Privacy,
        now: Callable[[], datetime] = _now,
        limits: Limits | None = None,
    ) -> None:
        self._store, self._files, self._roots = store, files, roots
        self._user_id, self._privacy = user_id, privacy
        self._now, self._limits = now, limits or Limits()
        self._tidy()

    @property
    def collector_id(self) -> str:
        """Which collector this is."""
        return self._store.collector_id

    def force(self) -> None:
        """Have the next tick read every log from its beginning, and replace what was read of it before."""
        self._store.force()

    def collect(self, only: AbstractSet[Path] | None = None, since: date | None = None, hear: Hear = unheard) -> Tick:
        """Do one tick over all logs, or those that are or lie below one of `only`.

        A log that cannot be read is in `bad_files`, and stops no other. Events of before the day `since` (UTC) are
        kept, and sent by the first tick that does not leave them out. When nothing is new, nothing is written.
        """
        tick = Tick()
        from_us = -(2**62) if since is None else records.to_microseconds(datetime.combine(since, time(), UTC))
        try:
            self._read_all(list(self._due(only, tick)), from_us, tick, hear)
            self._flush(from_us, tick)
        except BaseException:
            self._store.roll_back()
            self._tidy()
            raise
        if only is None:
            self._store.end_force()
        tick.before_since = self._store.n_pending()
        return tick

    def _read_all(self, due: Sequence[_Due], from_us: int, tick: Tick, hear: Hear) -> None:
        total_bytes = sum(log.left_bytes for log in due)
        unflushed_rows = unflushed_bytes = 0
        for one in due:
            try:
                for piece, rows in self._read(one, tick):
                    hear(tick.size_bytes, max(total_bytes, tick.size_bytes), one.path)
                    unflushed_rows, unflushed_bytes = unflushed_rows + rows, unflushed_bytes + piece.size_bytes
                    if unflushed_rows >= self._limits.batch_rows or unflushed_bytes >= self._limits.batch_bytes:
                        self._flush(from_us, tick)
                        unflushed_rows = unflushed_bytes = 0
            except BadFile as bad:
                _note(bad, tick)

    def _due(self, only: AbstractSet[Path] | None, tick: Tick) -> Iterator[_Due]:
        epoch = self._store.epoch
        for root, path in self._logs(only, tick):
            try:
                due = self._looked_at(root, path, epoch)
            except FileNotFoundError:
                continue
            except (OSError, BadFile) as error:
                _note(error if isinstance(error, BadFile) else BadFile(path, error), tick)
                continue
            tick.looked_at += 1
            if due is not None:
                yield due

    def _logs(self, only: AbstractSet[Path] | None, tick: Tick) -> Iterator[tuple[Root, Path]]:
        def hear(error: OSError) -> None:
            _note(BadFile(Path(error.filename), error), tick)

        for root in self._roots():
            if only is None or any(root.path.is_relative_to(path) for path in only):
                yield from ((root, path) for path in root.logs(hear))
                continue
            folders = [path for path in only if path.is_relative_to(root.path) and path.is_dir()]
            below = (path for path in root.logs(hear) if any(path.is_relative_to(folder) for folder in folders))
            named = (path for path in only if root.has(path) and path.resolve() == path)
            yield from ((root, path) for path in sorted({*named, *(below if folders else ())}))

    def _looked_at(self, root: Root, path: Path, epoch: int) -> _Due | None:
        """Give the log if something may be new in it."""
        agent = AGENTS[root.agent]
        seen = look(path, agent)
        if seen is None:
            return None
        known = self._store.log_at(os.fsencode(path)) or self._moved(path, agent, seen)
        if known is None or known.epoch != epoch:
            return _Due(path, root, seen, known, None)
        if known.seen == seen.text and known.path == os.fsencode(path):
            return None
        return _Due(path, root, seen, known, Progress(LogState.parse(known.state), known.mark))

    def _moved(self, path: Path, agent: Agent, seen: Seen) -> KnownLog | None:
        """Give the log that this file was under another name, which is no longer its name."""
        if agent.is_document or not seen.identity:
            return None
        for known in self._store.logs_of(seen.identity):
            if known.agent == agent.name and identity_of(known.path) != seen.identity and is_marked(path, known.mark):
                return known
        return None

    def _read(self, due: _Due, tick: Tick) -> Iterator[tuple[Piece, int]]:
        """Read a log, and keep after each piece what it says and how far it is read."""
        known = due.known
        limits, session_id = self._limits, due.root.session_id(due.path)
        for piece in pieces(due.path, due.agent, session_id, due.progress, limits.chunk_bytes, limits.caps):
            known = self._advanced(due, known, piece)
            rows = self._take(piece, due.agent, known.log, tick)
            yield piece, rows
        tick.read += 1
        if known is not None:
            self._store.save_log(replace(known, seen=due.seen.text))

    def _advanced(self, due: _Due, known: KnownLog | None, piece: Piece) -> KnownLog:
        path = os.fsencode(due.path)
        number = self._store.add_log(path, due.agent.name) if known is None else known.log
        progress, epoch = piece.progress, self._store.epoch
        now = KnownLog(
            number, path, due.agent.name, due.seen.identity, "", progress.mark, epoch, progress.state.to_json()
        )
        self._store.save_log(now)
        return now

    def _take(self, piece: Piece, agent: Agent, number: int, tick: Tick) -> int:
        """Keep what a piece says; give how many events it changed."""
        reading = piece.reading
        changes = self._store.save_events(reading.events, number if agent.is_document else 0)
        self._store.save_skipped(number, reading.skipped, piece.is_anew)
        tick.size_bytes += piece.size_bytes
        tick.lines += reading.lines
        tick.new, tick.changed = tick.new + changes.new, tick.changed + changes.changed
        tick.unchanged += changes.unchanged
        tick.skipped.update({(agent.name, str(reason)): lines for reason, lines in reading.skipped.items()})
        return changes.new + changes.changed

    def _flush(self, from_us: int, tick: Tick) -> None:
        """Put by what is in no batch, and make durable how far the logs are read."""
        self._check_clock()
        while rows := self._store.pending(from_us, 2 * self._limits.batch_rows):
            number = self._store.batch + 1
            stamp = max(records.to_microseconds(self._now()), self._store.stamp + 1)
            content = records.to_parquet(
                rows, self._store.collector_id, self._user_id, self._privacy, records.to_instant(stamp)
            )
            if self._files is not None:
                tick.batches.append(outbox.put(self._files, number, content).name)
            self._store.save_batch(rows, number, stamp)
            self._store.commit()
            tick.rows += len(rows)
        self._store.commit()

    def _check_clock(self) -> None:
        """Have everything sent again after a clock was wrong: its stamps are not followed, or lost against later ones.

        A clock that is far before the newest stamp was ahead, or is behind now: which of both only time tells. So it is
        believed, and once it has passed that stamp, everything is sent once more.
        """
        now = self._now()
        if self._store.stamp > records.to_microseconds(now + MOST_AHEAD):
            self._store.forget_stamps(ahead=self._store.stamp)
        elif 0 < self._store.ahead < records.to_microseconds(now):
            self._store.forget_stamps(ahead=0)

    def _tidy(self) -> None:
        if self._files is not None:
            outbox.drop_after(self._files, self._store.batch)


def _note(bad: BadFile, tick: Tick) -> None:
    tick.bad_files[bad.path] = bad.reason
    log.warning("a log cannot be read", path=str(bad.path), reason=bad.reason)
