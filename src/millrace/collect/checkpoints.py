"""What the collector remembers from one tick to the next, in one SQLite file: how far it read, and what it found.

An event has one row for all logs of an agent whose lines add up (`source` 0), and one row for each log that is a
document, of which a new version replaces what the old one said. What is sent is the merger of an event's rows. A row of
an older epoch is replaced by what is read, and counts no more once the event has a newer row; of an event that no log
tells any more, the old row stays.

`batch` is the file in which the row's content is. While it is NULL the row is pending: it is in none yet.
"""

import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Self, cast

from millrace.collect.parsers.event import UsageEvent, merge
from millrace.collect.parsers.fields import Reason
from millrace.collect.records import COLUMNS, Row, to_event, to_row
from millrace.errors import ConfigError

_DDL = f"""
create table if not exists meta (name text primary key, value text not null) without rowid;
create table if not exists logs (
    log integer primary key, path blob not null unique, agent text not null, identity text not null,
    seen text not null, mark text not null, epoch integer not null, state text not null
);
create index if not exists logs_by_identity on logs (identity);
create table if not exists skipped (
    log integer not null, reason text not null, lines integer not null, primary key (log, reason)
) without rowid;
create table if not exists events (
    {", ".join(f"{name} not null" if name in COLUMNS[:6] else name for name in COLUMNS)},
    source integer not null, epoch integer not null, batch integer,
    primary key (agent, message_id, request_id, source)
) without rowid;
create index if not exists pending on events (batch) where batch is null;
"""
_ROW = ", ".join(COLUMNS)
_EVENT = len(COLUMNS)  # after it come source, epoch and batch
_KEYS_AT_ONCE = 500
_FILE = "state.sqlite"
_CACHE_KIB = 32 << 10


@dataclass(frozen=True, slots=True)
class KnownLog:
    """How far a log is read.

    `identity` is the file's own, whatever it is called. `seen` is what the file system said of it when it was read
    to its end; '' before that. `mark` tells whether what was read is still there. `state` is the LogState as JSON.
    """

    log: int
    path: bytes
    agent: str
    identity: str
    seen: str
    mark: str
    epoch: int
    state: str


@dataclass(slots=True)
class Changes:
    """What some events were to the store."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


class Store:
    """The collector's memory. What is written becomes durable with `commit`, all of it or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_DDL)
        connection.execute(f"pragma cache_size = -{_CACHE_KIB}")  # a batch's pages, so that none is written twice
        if self._get("collector_id") is None:
            self._begin()
            self._set(collector_id=uuid.uuid4().hex, epoch="1", batch="0", stamp="0")
            self.commit()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the state in a folder, or begin one; ConfigError if it is there and cannot be used."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls._opened(sqlite3.connect(folder / _FILE, isolation_level=None), folder)

    @classmethod
    def copy(cls, folder: Path) -> Self:
        """Give a copy in memory of the state in a folder, to try things on; nothing is written there."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        if (folder / _FILE).exists():
            with closing(sqlite3.connect(folder / _FILE)) as source, _telling(folder):
                source.backup(connection)
        return cls._opened(connection, folder)

    @classmethod
    def _opened(cls, connection: sqlite3.Connection, folder: Path) -> Self:
        with _telling(folder):
            return cls(connection)

    def close(self) -> None:
        """Close the file; what is not committed is undone."""
        self._connection.close()

    @property
    def collector_id(self) -> str:
        """Which collector this is: a random id, made with the state."""
        return self._get("collector_id") or ""

    @property
    def epoch(self) -> int:
        """How often everything was to be read anew."""
        return int(self._get("epoch") or 0)

    @property
    def batch(self) -> int:
        """The number of the last batch."""
        return int(self._get("batch") or 0)

    @property
    def stamp(self) -> int:
        """The stamp of the last batch, in microseconds since 1970."""
        return int(self._get("stamp") or 0)

    @property
    def ahead(self) -> int:
        """A stamp that was not followed, because the clock was far before it; 0 when there is none."""
        return int(self._get("ahead") or 0)

    @property
    def is_forced(self) -> bool:
        """Whether everything was to be read anew, and that has not come to its end yet."""
        return int(self._get("read_epoch") or 1) < self.epoch

    def force(self) -> None:
        """Have every log read anew, and what it says replace what was read of it before.

        What was begun before and interrupted goes on, and does not begin again.
        """
        if not self.is_forced:
            self._begin()
            self._set(epoch=str(self.epoch + 1))
            self.commit()

    def end_force(self) -> None:
        """Note that every log was read in this epoch."""
        if self.is_forced:
            self._begin()
            self._set(read_epoch=str(self.epoch))
            self.commit()

    def log_at(self, path: bytes) -> KnownLog | None:
        """Give the log that was last seen under a path."""
        return next(self._logs("path", path), None)

    def logs_of(self, identity: str) -> list[KnownLog]:
        """Give the logs that are, or were, one file; a new one may have got the number of a deleted one."""
        return list(self._logs("identity", identity))

    def add_log(self, path: bytes, agent: str) -> int:
        """Give the number of a log that was not seen before."""
        self._begin()
        values = (path, agent)
        sql = "insert into logs (path, agent, identity, seen, mark, epoch, state) values (?, ?, '', '', '', 0, '')"
        return cast(int, self._connection.execute(sql, values).lastrowid)

    def save_log(self, known: KnownLog) -> None:
        """Note how far a log is read."""
        self._begin()
        values = (known.path, known.identity, known.seen, known.mark, known.epoch, known.state, known.log)
        sql = "update logs set path = ?, identity = ?, seen = ?, mark = ?, epoch = ?, state = ? where log = ?"
        self._connection.execute(sql, values)

    def save_skipped(self, log: int, skipped: Mapping[Reason, int], is_anew: bool) -> None:
        """Add to a log's lines that gave no event; with `is_anew` they replace those of before."""
        self._begin()
        if is_anew:
            self._connection.execute("delete from skipped where log = ?", (log,))
        sql = "insert into skipped values (?, ?, ?) on conflict do update set lines = lines + excluded.lines"
        self._connection.executemany(sql, [(log, str(reason), lines) for reason, lines in skipped.items()])

    def skipped(self) -> dict[tuple[str, str], int]:
        """Give how many lines of all logs gave no event, by agent and reason."""
        sql = "select agent, reason, sum(lines) from skipped join logs using (log) group by agent, reason"
        return {(agent, reason): lines for agent, reason, lines in self._connection.execute(sql)}

    def save_events(self, events: Sequence[UsageEvent], source: int) -> Changes:
        """Merge what a log said into what is known, and tell what that changed.

        `source` is the log's number if it is a document, else 0. Each event of `events` has a key of its own.
        """
        self._begin()
        epoch, changes = self.epoch, Changes()
        known = self._known(events)
        rows: list[tuple[object, ...]] = []
        for event in events:
            stored = known.get(event.key, {})
            now = _with(event, stored.get(source), source, epoch)
            if now == stored.get(source):
                changes.unchanged += 1
                continue
            is_same = now[-1] is not None  # the same content, in a new epoch
            if is_same and len(stored) == 1:
                rows.append(now)
                changes.unchanged += 1
                continue
            # Of several rows, those of the newest epoch count: with this one they may be others than were sent.
            rows.append((*now[:-1], None))
            rows.extend((*row[:-1], None) for other, row in stored.items() if other != source)
            if is_same:
                changes.unchanged += 1
                continue
            changes.new, changes.changed = changes.new + (not stored), changes.changed + bool(stored)
        marks = ", ".join("?" * (_EVENT + 3))
        self._connection.executemany(f"insert or replace into events values ({marks})", rows)  # noqa: S608
        return changes

    def pending(self, since: int, limit: int) -> list[Row]:
        """Give events that are in no batch, merged, in the order of their keys; at most about `limit` of them.

        Left out are those that occurred before `since`, microseconds since 1970.
        """
        sql = f"""select {_ROW}, source, epoch, batch from events where batch is null and occurred_at >= ?
            order by agent, message_id, request_id, source limit ?"""  # noqa: S608
        rows = self._connection.execute(sql, (since, limit)).fetchall()
        groups = [list(group) for _, group in groupby(rows, key=lambda row: row[:3])]
        if len(rows) == limit and rows[-1][_EVENT] != 0 and len(groups) > 1:
            groups.pop()  # there may be more rows of it
        return [_merged(group) for group in groups]

    def n_pending(self) -> int:
        """Count the rows that are in no batch."""
        return cast(int, self._connection.execute("select count(*) from events where batch is null").fetchone()[0])

    def save_batch(self, rows: Iterable[Row], number: int, stamp: int) -> None:
        """Note that events are in a batch."""
        self._begin()
        sql = "update events set batch = ? where batch is null and agent = ? and message_id = ? and request_id = ?"
        self._connection.executemany(sql, [(number, *row[:3]) for row in rows])
        self._set(batch=str(number), stamp=str(stamp))

    def forget_stamps(self, ahead: int) -> None:
        """Put every event in no batch again, forget the last stamp, and note one that is not to be followed."""
        self._begin()
        self._connection.execute("update events set batch = null where batch is not null")
        self._set(stamp="0", ahead=str(max(ahead, self.ahead) if ahead else 0))

    def commit(self) -> None:
        """Make durable what was written."""
        if self._connection.in_transaction:
            self._connection.execute("commit")

    def roll_back(self) -> None:
        """Undo what was written since the last commit."""
        if self._connection.in_transaction:
            self._connection.execute("rollback")

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("begin immediate")

    def _known(self, events: Sequence[UsageEvent]) -> dict[tuple[str, str, str | None], dict[int, Row]]:
        """Give the stored rows of some events, by their keys and sources; the events are of one agent."""
        known: dict[tuple[str, str, str | None], dict[int, Row]] = {}
        for start in range(0, len(events), _KEYS_AT_ONCE):
            ids = [event.message_id for event in events[start : start + _KEYS_AT_ONCE]]
            sql = f"select * from events where agent = ? and message_id in ({', '.join('?' * len(ids))})"  # noqa: S608
            for row in self._connection.execute(sql, (events[0].agent, *ids)):
                known.setdefault((row[0], row[1], row[2] or None), {})[row[_EVENT]] = row
        return known

    def _logs(self, column: str, value: bytes | str) -> Iterator[KnownLog]:
        sql = f"select log, path, agent, identity, seen, mark, epoch, state from logs where {column} = ?"  # noqa: S608
        return (KnownLog(*row) for row in self._connection.execute(sql, (value,)).fetchall())

    def _get(self, name: str) -> str | None:
        row = self._connection.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if row is None else cast(str, row[0])

    def _set(self, **values: str) -> None:
        self._connection.executemany("insert or replace into meta values (?, ?)", values.items())


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        message = f"the state in {folder} cannot be used: {error}; without {_FILE} all logs are read anew"
        raise ConfigError(message) from error


def _with(event: UsageEvent, stored: Row | None, source: int, epoch: int) -> tuple[object, ...]:
    """Give the row that an event's row becomes when it is read once more; its batch stays if nothing changes."""
    batch = None
    if stored is not None:
        before = to_event(stored[:_EVENT])
        if source == 0 and stored[_EVENT + 1] == epoch:
            event = merge(before, event)
        batch = stored[-1] if event == before else None
    return (*to_row(event), source, epoch, batch)


def _merged(rows: Sequence[Row]) -> Row:
    newest = max(cast(int, row[_EVENT + 1]) for row in rows)
    told = [row[:_EVENT] for row in rows if row[_EVENT + 1] == newest]
    return told[0] if len(told) == 1 else to_row(reduce(merge, map(to_event, told)))
