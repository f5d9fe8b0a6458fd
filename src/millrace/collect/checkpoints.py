"""The collector's memory from one run to the next: how far each log was read, and the events that were found.

An event has one row for each log that contains it. The rows of an event are merged before they are sent. A log that is
read from its start replaces its own rows, even with lower counts: a row of an earlier `reading` is replaced, one of the
same reading is merged. A row of an older epoch is ignored once the event has a newer row. When no log contains an event
any more, its old rows stay.

`batch` is the number of the file that contains the row. While it is NULL the row is pending. It is NULL in all rows of
an event or in none.
"""

import hashlib
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Self, cast

from millrace.collect import outbox
from millrace.collect.parsers.event import UsageEvent, merge, resolve
from millrace.collect.parsers.fields import SkipReason
from millrace.collect.records import COLUMNS, Row, to_event, to_row
from millrace.collect.state_file import StateFile

DDL = f"""
create table if not exists meta (name text primary key, value text not null) without rowid;
create table if not exists logs (
    log integer primary key, path blob not null unique, agent text not null, identity text not null,
    seen text not null, mark text not null, epoch integer not null, state text not null,
    reading integer not null default 0
);
create index if not exists logs_by_identity on logs (identity);
create table if not exists skipped (
    log integer not null, reason text not null, lines integer not null, primary key (log, reason)
) without rowid;
create table if not exists events (
    {", ".join(f"{name} not null" if name in COLUMNS[:6] else name for name in COLUMNS)},
    source integer not null, epoch integer not null, batch integer, reading integer not null default 0,
    primary key (agent, message_id, request_id, source)
) without rowid;
create index if not exists pending on events (batch) where batch is null;
"""
_ROW = ", ".join(COLUMNS)
_EVENT = len(COLUMNS)  # source, epoch, batch and reading follow, as in an upgraded state from before `reading`
_EPOCH, _BATCH = _EVENT + 1, _EVENT + 2
_KNOWN = "log, path, agent, identity, seen, mark, epoch, state, reading"
_EARLIER = """select * from events as other where other.occurred_at < :since and other.agent = events.agent
    and other.message_id = events.message_id and other.request_id = events.request_id"""
_KEYS_AT_ONCE = 500
GONE = "gone"
"""The value of `seen` for a log whose file disappeared and was reported as gone."""


@dataclass(frozen=True, slots=True)
class FileCheckpoint:
    """How far a log is read.

    `identity` identifies the file under any name. `seen` is the file's status when it was last read to its end; ''
    before that. `fingerprint` is used to check that the content read so far is still there. `state` is the LogState as
    JSON.
    `reading` counts how often it was read from its start.
    """

    log: int
    path: bytes
    agent: str
    identity: str
    seen: str
    fingerprint: str
    epoch: int
    state: str
    reading: int = 0


@dataclass(slots=True)
class Changes:
    """How many events were new, changed or unchanged when they were merged into the store."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


class CheckpointStore:
    """The collector's memory. Writes become durable with `commit`, all or none."""

    def __init__(self, file: StateFile, batch: int = 0, machine: str | None = None) -> None:
        self._file, self._machine = file, machine
        if self._get("collector_id") is None:
            self._set(collector_id=uuid.uuid4().hex, epoch="1", batch=str(batch), stamp="0")
            self.commit()
        columns = {row[1] for row in file.query("pragma table_info(events)")}
        for name in sorted({"region", "web_searches", "is_lower_bound"} - columns):
            file.write(f"alter table events add column {name}")
        self.commit()
        if "reading" not in columns:
            self._upgrade()
        if machine is not None and self._get("machine") is None:
            self._set(machine=machine)
            self.commit()

    @classmethod
    def open(cls, folder: Path, machine: str | None = None) -> Self:
        """Open the state in a folder, or create it. `machine` is this machine; None: the one that created the state.

        Raises ConfigError when the state cannot be used, TransientError when another attempt may succeed.
        """
        # Files of a lost state are still sent: a new state continues their numbers.
        return cls(StateFile.open(folder, DDL), outbox.last_number(outbox.spool_of(folder)), machine)

    @classmethod
    def copy(cls, folder: Path, machine: str | None = None) -> Self:
        """Return an in-memory copy of the state in a folder, for trials; the folder is not written to."""
        return cls(StateFile.copy(folder, DDL), machine=machine)

    @classmethod
    def look(cls, folder: Path, patience_s: float) -> Self:
        """Open the state in a folder only for reading, beside a collector; wait at most `patience_s` for its commit."""
        return cls(StateFile.look(folder, DDL, patience_s))

    def close(self) -> None:
        """Close the file; uncommitted writes are undone."""
        self._file.close()

    def trusting(self) -> AbstractContextManager[None]:
        """Turn errors caused by damaged values of the state into a ConfigError."""
        return self._file.trusting()

    def _upgrade(self) -> None:
        """Add `reading` to a state from before it, and request one full read, which fills it."""
        self._file.write("alter table events add column reading integer not null default 0")
        self._file.write("alter table logs add column reading integer not null default 0")
        self._set(epoch=str(self.epoch + 1))
        self.commit()

    @property
    def collector_id(self) -> str:
        """The collector's id: on the machine where the state was created, a random id that was created with it.

        On another machine the state is a copy. Its id is derived from that id and the machine, so a state that moves
        back and forth between two machines has one id on each.
        """
        begun = self._get("collector_id") or ""
        if self._machine in (None, self._get("machine")):
            return begun
        return hashlib.sha256(f"{begun} {self._machine}".encode()).hexdigest()[:32]

    @property
    def epoch(self) -> int:
        """The number of the current full read, which each request for a full read increases."""
        return self._number("epoch")

    @property
    def batch(self) -> int:
        """The number of the last batch."""
        return self._number("batch")

    @property
    def stamp(self) -> int:
        """The stamp of the last batch, in microseconds since 1970."""
        return self._number("stamp")

    @property
    def ahead(self) -> int:
        """A stamp that was dropped because the clock was far behind it; 0 when there is none."""
        return int(self._get("ahead") or 0)

    @property
    def is_forced(self) -> bool:
        """Whether a full read was requested and is not complete yet."""
        return (self._number("read_epoch") or 1) < self.epoch

    def force(self) -> None:
        """Request that every log is read from its start and replaces what was read of it before.

        A full read that was interrupted continues, and does not start again.
        """
        if not self.is_forced:
            self._set(epoch=str(self.epoch + 1))
            self.commit()

    def end_force(self) -> None:
        """Note that every log was read in this epoch."""
        if self.is_forced:
            self._set(read_epoch=str(self.epoch))
            self.commit()

    def log_at(self, path: bytes) -> FileCheckpoint | None:
        """Return the log that was last seen under a path."""
        return next(self._logs("path = ?", path), None)

    def logs_of(self, identity: str) -> list[FileCheckpoint]:
        """Return the logs that are, or were, one file; a new file may reuse the inode number of a deleted one."""
        return list(self._logs("identity = ?", identity))

    def places(self, agents: Collection[str]) -> list[tuple[bytes, str]]:
        """Return the paths and identities of all logs of some agents, except those reported as gone."""
        sql = f"select path, identity from logs where seen != ? and agent in ({', '.join('?' * len(agents))})"  # noqa: S608
        return cast(list[tuple[bytes, str]], self._file.query(sql, [GONE, *agents]))

    def add_log(self, path: bytes, agent: str) -> int:
        """Add a log that was not seen before, and return its number."""
        sql = "insert into logs (path, agent, identity, seen, mark, epoch, state) values (?, ?, '', '', '', 0, '')"
        return cast(int, self._file.write(sql, (path, agent)))

    def save_log(self, known: FileCheckpoint) -> None:
        """Save how far a log is read."""
        values = (known.identity, known.seen, known.fingerprint, known.epoch, known.state, known.reading, known.log)
        sql = "update logs set identity = ?, seen = ?, mark = ?, epoch = ?, state = ?, reading = ? where log = ?"
        self._file.write(sql, values)

    def move_logs(self, paths: Mapping[int, bytes]) -> None:
        """Save the new paths of logs; any other log under one of these paths loses its path."""
        self._file.write_all("update logs set path = ? where log = ?", [(_no_path(log), log) for log in paths])
        for log, path in paths.items():
            for other in self._logs("path = ?", path):
                self._file.write("update logs set path = ? where log = ?", (_no_path(other.log), other.log))
            self._file.write("update logs set path = ? where log = ?", (path, log))

    def save_skipped(self, log: int, skipped: Mapping[SkipReason, int], is_anew: bool) -> None:
        """Add to a log's counts of lines without an event; with `is_anew`, replace them."""
        if is_anew:
            self._file.write("delete from skipped where log = ?", (log,))
        sql = "insert into skipped values (?, ?, ?) on conflict do update set lines = lines + excluded.lines"
        self._file.write_all(sql, [(log, str(reason), lines) for reason, lines in skipped.items()])

    def skipped(self) -> dict[tuple[str, str], int]:
        """Return how many lines of all logs yielded no event, by agent and reason."""
        sql = "select agent, reason, sum(lines) from skipped join logs using (log) group by agent, reason"
        return {(agent, reason): lines for agent, reason, lines in self._file.query(sql)}

    def save_events(self, events: Sequence[UsageEvent], log: int, reading: int) -> Changes:
        """Merge the events of a reading of a log into the stored ones, and return how many changed.

        The keys of `events` are distinct.
        """
        self._file.begin()
        epoch, changes = self.epoch, Changes()
        with self.trusting():
            known = self._known(events)
            rows: list[tuple[object, ...]] = []
            for event in events:
                stored = known.get(event.key, {})
                now = _with(event, stored.get(log), (log, epoch, reading))
                states = stored | {log: now}
                if stored and _merged(list(states.values())) == _merged(list(stored.values())):
                    changes.unchanged += 1
                    kept = next(iter(stored.values()))[_BATCH]
                    now = (*now[:_BATCH], kept, reading)
                    rows.extend([] if now == stored.get(log) else [now])
                    continue
                rows.extend((*row[:_BATCH], None, row[-1]) for row in states.values())
                changes.new, changes.changed = changes.new + (not stored), changes.changed + bool(stored)
        marks = ", ".join("?" * (_EVENT + 4))
        sql = f"insert or replace into events ({_ROW}, source, epoch, batch, reading) values ({marks})"  # noqa: S608
        self._file.write_all(sql, rows)
        return changes

    def current(self) -> Iterator[Row]:
        """Yield the events that were billed, in the order of their keys."""
        return self._billed("")

    def recent(self, since_us: int, session_id: str | None) -> Iterator[Row]:
        """Yield the billed events of messages that occurred since then, or in a session, in any of their copies."""
        found = "select agent, message_id from events where occurred_at >= ? or session_id = ?"
        return self._billed(f"where (agent, message_id) in ({found})", since_us, session_id)

    def _billed(self, condition: str, *values: object) -> Iterator[Row]:
        columns, keys = f"{_ROW}, source, epoch, batch, reading", "agent, message_id, request_id, source"
        sql = f"select {columns} from events {condition} order by {keys}"  # noqa: S608
        with self.trusting():
            group: list[Row] = []
            for row in self._file.stream(sql, values):
                if group and (row[1] != group[0][1] or row[0] != group[0][0]):
                    yield from _billed(group)
                    group = []
                group.append(row)
            yield from _billed(group)

    def pending(self, since: int | None, limit: int) -> list[Row]:
        """Return pending events, merged, in the order of their keys; at most `limit` of them.

        Events that occurred before `since`, in microseconds since 1970, are left out.
        """
        late = "" if since is None else f" and not exists ({_EARLIER})"
        sql = f"""with due as (
                select distinct agent, message_id, request_id from events where batch is null{late}
                order by agent, message_id, request_id limit :limit
            )
            select {_ROW}, source, epoch, batch, reading from due join events using (agent, message_id, request_id)
            order by agent, message_id, request_id, source"""  # noqa: S608
        rows = self._file.query(sql, {"since": since, "limit": limit})
        with self.trusting():
            return [_merged(list(group)) for _, group in groupby(rows, key=lambda row: row[:3])]

    def n_pending(self) -> int:
        """Return how many events are in no batch."""
        sql = "select count(*) from (select distinct agent, message_id, request_id from events where batch is null)"
        return cast(int, self._file.query(sql)[0][0])

    def save_batch(self, rows: Iterable[Row], number: int, stamp: int) -> None:
        """Record that events are in a batch."""
        sql = "update events set batch = ? where batch is null and agent = ? and message_id = ? and request_id = ?"
        self._file.write_all(sql, [(number, *row[:3]) for row in rows])
        self._set(batch=str(number), stamp=str(stamp))

    def forget_stamps(self, ahead: int) -> None:
        """Make every event pending again, forget the last stamp, and save the one that is ahead of the clock."""
        self._file.begin()
        self._file.write("update events set batch = null where batch is not null")
        self._set(stamp="0", ahead=str(max(ahead, self.ahead) if ahead else 0))

    def commit(self) -> None:
        """Make the writes since the last commit durable."""
        self._file.commit()

    def roll_back(self) -> None:
        """Undo the writes since the last commit."""
        self._file.roll_back()

    def _known(self, events: Sequence[UsageEvent]) -> dict[tuple[str, str, str | None], dict[int, Row]]:
        """Return the stored rows of some events, by their keys and logs; the events are of one agent."""
        known: dict[tuple[str, str, str | None], dict[int, Row]] = {}
        columns = f"{_ROW}, source, epoch, batch, reading"
        for start in range(0, len(events), _KEYS_AT_ONCE):
            ids = [event.message_id for event in events[start : start + _KEYS_AT_ONCE]]
            places = ", ".join("?" * len(ids))
            sql = f"select {columns} from events where agent = ? and message_id in ({places})"  # noqa: S608
            for row in self._file.query(sql, (events[0].agent, *ids)):
                known.setdefault((row[0], row[1], row[2] or None), {})[row[_EVENT]] = row
        return known

    def _logs(self, condition: str, *values: object) -> Iterator[FileCheckpoint]:
        rows = self._file.query(f"select {_KNOWN} from logs where {condition}", values)  # noqa: S608
        return (FileCheckpoint(*row) for row in rows)

    def _number(self, name: str) -> int:
        with self.trusting():
            return int(self._get(name) or 0)

    def _get(self, name: str) -> str | None:
        rows = self._file.query("select value from meta where name = ?", (name,))
        return cast(str, rows[0][0]) if rows else None

    def _set(self, **values: str) -> None:
        self._file.write_all("insert or replace into meta values (?, ?)", list(values.items()))


def _billed(group: list[Row]) -> Iterable[Row]:
    """Return the events of one message that were billed."""
    if len(group) < 2:
        return [row[:_EVENT] for row in group]
    merged = [_merged(list(rows)) for _, rows in groupby(group, key=lambda row: row[2])]
    return merged if len(merged) == 1 else map(to_row, resolve(map(to_event, merged)))


def _no_path(log: int) -> bytes:
    """Return a placeholder for the path of a log that has none; no file can have such a name."""
    return b"\0%d" % log


def _with(event: UsageEvent, stored: Row | None, read: tuple[int, int, int]) -> Row:
    """Return the row of an event for a log, merged with a stored row of the same epoch and reading."""
    log, epoch, reading = read
    if stored is not None and (stored[_EPOCH], stored[-1]) == (epoch, reading):
        event = merge(to_event(stored[:_EVENT]), event)
    return (*to_row(event), log, epoch, None, reading)


def _merged(rows: Sequence[Row]) -> Row:
    newest = max(cast(int, row[_EVENT + 1]) for row in rows)
    # A resumed or forked session copies its history: most of the rows are equal, and merging those changes nothing.
    distinct = {row[:_EVENT] for row in rows if row[_EVENT + 1] == newest}
    return next(iter(distinct)) if len(distinct) == 1 else to_row(reduce(merge, map(to_event, distinct)))
