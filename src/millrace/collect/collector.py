"""One run of the collector: read new content of the logs, merge it into the store, and write it as files to send.

Nothing is lost or duplicated wherever a run is stopped. A batch's file is written first. Then the store commits
together how far the logs are read, the events, and that they are in that batch. A file beyond the committed batch is
deleted at the next start, and written again.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import cast

from millrace import log
from millrace.collect import ahead, outbox, records
from millrace.collect.ahead import CollectLimits as CollectLimits, Unread
from millrace.collect.checkpoints import GONE, CheckpointStore, FileCheckpoint, Prior
from millrace.collect.chunks import (
    BadFile,
    Chunk,
    LogProgress,
    has_only_changed,
    is_same_file,
    stat_log,
)
from millrace.collect.discovery import Root
from millrace.collect.following import FOLLOWED, FoundLog, locate, progress_of
from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import Agent
from millrace.collect.parsers.naming import UNKNOWN_OWNER, Owner
from millrace.collect.parsers.reading import LogState
from millrace.collect.repositories import NO_REPOSITORIES, Repositories
from millrace.collect.rereading import REST, find_older, has_ended
from millrace.collect.results import CollectResult as CollectResult

_STILL = timedelta(minutes=5)

ProgressCallback = Callable[[int, int, Path], None]
"""Receives the progress of long readings: bytes done, bytes in all, and the log that is being read."""


@dataclass(frozen=True, slots=True)
class _Due:
    """A log that may have new content; `is_still` returns whether it was not written for some time.

    `prior` is what was read of it before it had to be read again.
    """

    found: FoundLog
    known: FileCheckpoint | None
    progress: LogProgress | None
    is_still: Callable[[], bool]
    prior: Prior | None = None

    @property
    def path(self) -> Path:
        return self.found.path

    @property
    def agent(self) -> Agent:
        return self.found.root.reader

    @property
    def left_bytes(self) -> int:
        return max(self.found.seen.size_bytes - (self.progress.state.offset_bytes if self.progress else 0), 0)


def _now() -> datetime:
    return datetime.now(UTC)


def no_progress(done_bytes: int, total_bytes: int, path: Path) -> None:
    """Ignore progress."""


class Collector:
    """Reads new content of the logs below `roots`, run by run.

    `files` is the folder of files to send; None when nothing is to be sent, as with a copy of the store. `owner` is the
    person whom no project's path may name. Of the folders' `repositories` those of its owners are named.
    """

    def __init__(
        self,
        store: CheckpointStore,
        files: Path | None,
        roots: Callable[[], Sequence[Root]],
        user_id: str | None,
        privacy: Privacy,
        now: Callable[[], datetime] = _now,
        limits: CollectLimits | None = None,
        owner: Owner = UNKNOWN_OWNER,
        repositories: Repositories = NO_REPOSITORIES,
    ) -> None:
        self._store, self._files, self._roots = store, files, roots
        self._user_id, self._privacy = user_id, privacy
        self._now, self._limits, self._owner = now, limits or CollectLimits(), owner
        self._sent_owners, self._repositories = repositories.owners, repositories
        self._tidy()

    @property
    def store(self) -> CheckpointStore:
        """What the collector has counted."""
        return self._store

    @property
    def collector_id(self) -> str:
        """The id of this collector."""
        return self._store.collector_id

    def force(self) -> None:
        """Make the next run read every log from its beginning, and replace what was read of it before."""
        self._store.force()

    def collect(
        self,
        only: AbstractSet[Path] | None = None,
        since: date | None = None,
        on_progress: ProgressCallback = no_progress,
    ) -> CollectResult:
        """Run once over all logs, or over those at or below one of the paths in `only`.

        A log that cannot be read is added to `bad_files`, and the others are still read. Events before the day `since`
        (UTC) are kept, and sent by the first run that includes them. When nothing is new, nothing is written.
        """
        from_us = None if since is None else records.to_microseconds(datetime.combine(since, time(), UTC))
        result = self._run(only, on_progress, lambda result: self._flush(from_us, result))
        result.before_since = self._store.n_pending()
        return result

    def read(self, on_progress: ProgressCallback = no_progress) -> CollectResult:
        """Read what is new in all logs into the store, and leave the sending to the next `collect`."""
        return self._run(None, on_progress, lambda result: self._store.commit())

    def _run(
        self,
        only: AbstractSet[Path] | None,
        on_progress: ProgressCallback,
        save: Callable[[CollectResult], None],
    ) -> CollectResult:
        result = CollectResult()
        self._store.roll_back()  # in case an earlier run could not
        try:
            self._store.drop_unmade()  # of an earlier run that was stopped
            self._repositories = self._repositories.among(self._store.begin_reading(self._sent_owners))
            self._read_all(list(self._due(only, result)), result, on_progress, save)
            self._store.drop_unmade()
            save(result)
            if only is None:
                self._store.end_force()
                result.gone_rules = find_older(self._store, self._roots())
                self._store.commit()
        except BaseException:
            self._store.roll_back()
            self._tidy()
            raise
        return result

    def _read_all(
        self,
        due: Sequence[_Due],
        result: CollectResult,
        on_progress: ProgressCallback,
        save: Callable[[CollectResult], None],
    ) -> None:
        sizes_bytes = [log.left_bytes for log in due]
        total_bytes = sum(sizes_bytes)
        unsaved_rows = unsaved_bytes = 0
        unread = [self._unread(one) for one in due]
        with ahead.reading(unread, sizes_bytes) as logs:
            for one, log in zip(due, unread, strict=True):
                try:
                    for chunk, changed in self._read(one, logs.chunks(log), log.is_still, result):
                        on_progress(result.size_bytes, max(total_bytes, result.size_bytes), one.path)
                        unsaved_rows, unsaved_bytes = unsaved_rows + changed, unsaved_bytes + chunk.size_bytes
                        if unsaved_rows >= self._limits.batch_rows or unsaved_bytes >= self._limits.batch_bytes:
                            save(result)
                            unsaved_rows = unsaved_bytes = 0
                except BadFile as bad:
                    _note(bad, result)

    def _unread(self, due: _Due) -> Unread:
        session_id = due.found.root.session_id(due.path)
        fresh = LogState(session_id, owner=self._owner, repository_of=self._repositories)
        return Unread(due.path, due.agent, fresh, due.progress, due.is_still(), self._limits)

    def _due(self, only: AbstractSet[Path] | None, result: CollectResult) -> Iterator[_Due]:
        roots = self._roots()
        found: dict[bytes, FoundLog] = {}
        asked: list[bytes] = []
        for root, path in self._logs(roots, only, result):
            asked.append(os.fsencode(path))
            try:
                seen = stat_log(path, root.reader)
            except FileNotFoundError:
                continue
            except OSError as error:
                _note(BadFile(path, error), result)
                continue
            if seen is not None:
                found[os.fsencode(path)] = FoundLog(path, root, seen)
        with self._store.trusting():
            others = self._follow(roots, found, None if only is None else asked, result)
        epoch = self._store.epoch
        for one in [*found.values(), *others]:
            result.looked_at += 1
            with self._store.trusting():
                due = self._due_in(one, epoch)
            if due is not None:
                yield due

    def _logs(
        self, roots: Sequence[Root], only: AbstractSet[Path] | None, result: CollectResult
    ) -> Iterator[tuple[Root, Path]]:
        def on_error(error: OSError) -> None:
            _note(BadFile(Path(error.filename), error), result)

        for root in roots:
            if only is None or any(root.path.is_relative_to(path) for path in only):
                yield from ((root, path) for path in root.logs(on_error))
                continue
            folders = [path for path in only if path.is_relative_to(root.path) and path.is_dir()]
            below = (path for path in root.logs(on_error) if any(path.is_relative_to(folder) for folder in folders))
            named = (path for path in only if root.has(path) and path.resolve() == path)
            yield from ((root, path) for path in sorted({*named, *(below if folders else ())}))

    def _follow(
        self,
        roots: Sequence[Root],
        found: Mapping[bytes, FoundLog],
        asked: Sequence[bytes] | None,
        result: CollectResult,
    ) -> list[FoundLog]:
        """Save the new paths of known logs: of all, or of those that may be one of the files in `asked`."""
        agents = FOLLOWED & {root.agent for root in roots}
        if asked is None:
            asked = [
                path
                for path, identity in self._store.places(agents)
                if path not in found or not is_same_file(identity, found[path].seen.identity)
            ]
        logs = self._known_of(asked, found, agents)
        where = locate(logs, found, roots)
        if where.moved:
            self._store.move_logs(where.moved)
        for known in where.gone:
            path, read_bytes = Path(os.fsdecode(known.path)), progress_of(known).state.offset_bytes
            result.gone[path] = read_bytes
            log.warning("a log is gone", path=str(path), read_bytes=read_bytes)
            if known.path not in found:
                self._store.save_log(replace(known, seen=GONE))
        return where.others

    def _known_of(
        self, asked: Sequence[bytes], found: Mapping[bytes, FoundLog], agents: AbstractSet[str]
    ) -> list[FileCheckpoint]:
        """Return the logs known under these paths, or by the identity of a file at one of them."""
        known = [log for path in asked if (log := self._store.log_at(path)) is not None]
        identities = {found[path].seen.identity for path in asked if path in found} - {""}
        known += [log for identity in sorted(identities) for log in self._store.logs_of(identity)]
        return [log for log in {log.log: log for log in known}.values() if log.agent in agents]

    def _due_in(self, found: FoundLog, epoch: int) -> _Due | None:
        """Return the log if it may have new content."""
        seen = found.seen
        known = self._store.log_at(os.fsencode(found.path))

        def is_still() -> bool:
            return abs(self._now().timestamp() - seen.mtime_ns / 1e9) > _STILL.total_seconds()

        if known is None:
            return _Due(found, known, None, is_still)
        prior = Prior.parse(known.prior) if known.prior else None
        if known.epoch != epoch or known.rules < found.root.reader.rules:
            return _Due(found, known, None, is_still, prior or Prior.of(known))
        if known.seen == seen.text or (known.seen == seen.text + REST and not is_still()):
            return None
        is_another = not is_same_file(known.identity, seen.identity) or has_only_changed(known.seen, seen)
        is_read_anew = known.agent in FOLLOWED and is_another
        if is_read_anew:
            return _Due(found, known, None, is_still)
        return _Due(found, known, progress_of(known), is_still, prior)

    def _read(
        self, due: _Due, chunks: Iterator[ahead.Told], is_still: bool, result: CollectResult
    ) -> Iterator[tuple[Chunk, int]]:
        """Save the events and the progress of each chunk of a log."""
        known, prior, unread_bytes = due.known, due.prior, 0
        for chunk, rows in chunks:
            if chunk.is_anew and due.progress is not None:
                prior = None  # it was rewritten since
            known = self._advanced(due, known, chunk, prior)
            changed = self._take((chunk, rows), due.agent, known, result)
            unread_bytes = chunk.unread_bytes
            yield chunk, changed
        result.read += 1
        is_torn = unread_bytes > 0 and is_still
        if is_torn:
            result.torn[due.path] = unread_bytes
        if known is not None:
            is_to_be_seen = unread_bytes > 0 and not is_torn
            is_ended = prior is not None and has_ended(self._store, prior, known)
            seen = due.found.seen.text + REST * is_to_be_seen
            self._store.save_log(replace(known, seen=seen, prior="" if is_ended else known.prior))

    def _advanced(self, due: _Due, known: FileCheckpoint | None, chunk: Chunk, prior: Prior | None) -> FileCheckpoint:
        now = FileCheckpoint(
            log=self._store.add_log(os.fsencode(due.path), due.agent.name) if known is None else known.log,
            path=os.fsencode(due.path),
            agent=due.agent.name,
            identity=due.found.seen.identity,
            seen="",
            fingerprint=chunk.progress.fingerprint,
            epoch=self._store.epoch,
            state=chunk.progress.state.to_json(),
            reading=(0 if known is None else known.reading) + chunk.is_anew,
            rules=due.agent.rules,
            prior="" if prior is None else prior.to_json(),
        )
        self._store.save_log(now)
        return now

    def _take(self, told: ahead.Told, agent: Agent, known: FileCheckpoint, result: CollectResult) -> int:
        """Save the events of a chunk; return how many events are new or changed."""
        chunk, rows = told
        reading = chunk.reading
        changes = self._store.save_events(rows, known)
        self._store.save_skipped(known.log, reading.skipped, chunk.is_anew)
        result.size_bytes += chunk.size_bytes
        result.lines += reading.lines
        result.new, result.changed = result.new + changes.new, result.changed + changes.changed
        result.unchanged += changes.unchanged
        result.skipped.update({(agent.name, str(reason)): lines for reason, lines in reading.skipped.items()})
        return changes.new + changes.changed

    def _flush(self, from_us: int | None, result: CollectResult) -> None:
        """Write pending events as batches, and commit how far the logs are read."""
        self._check_clock()
        self._store.begin_sending(self._sent_owners)
        for rows in self._store.pending(from_us, 2 * self._limits.batch_rows):
            number = self._store.batch + 1
            stamp = max(records.to_microseconds(self._now()), self._store.stamp + 1)
            with self._store.trusting():
                content = records.to_parquet(
                    rows,
                    self._store.collector_id,
                    self._user_id,
                    self._privacy,
                    self._sent_owners,
                    records.to_instant(stamp),
                )
            if self._files is not None:
                result.batches.append(outbox.put(self._files, number, content).name)
            self._store.save_batch(rows, number, stamp)
            self._store.note_sent(self._sent_owners)
            self._store.commit()
            result.rows += len(rows)
            result.withdrawn += sum(cast(int, row[-1]) for row in rows)
        self._store.commit()

    def _check_clock(self) -> None:
        """Make everything pending again after a wrong clock: its stamps are not continued, or lose to later ones.

        A clock far behind the newest stamp was either ahead before or is behind now. The present clock is trusted, and
        once it has passed that stamp, everything is sent once more.
        """
        from millrace.tables import MOST_AHEAD  # which needs Arrow, as only a batch does

        now = self._now()
        if self._store.stamp > records.to_microseconds(now + MOST_AHEAD):
            self._store.forget_stamps(ahead=self._store.stamp)
        elif 0 < self._store.ahead < records.to_microseconds(now):
            self._store.forget_stamps(ahead=0)

    def _tidy(self) -> None:
        if self._files is not None:
            outbox.drop_after(self._files, self._store.batch)


def _note(bad: BadFile, result: CollectResult) -> None:
    result.bad_files[bad.path] = bad.reason
    log.warning("a log cannot be read", path=str(bad.path), reason=bad.reason)
