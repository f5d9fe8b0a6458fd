"""The collector's memory from one run to the next: how far each log was read, and the events that were found.

An event has one row for each log and request that reported it; `billing` resolves them. A log that is read from its
start replaces its own rows, even with lower counts: a row of an earlier `reading` is replaced, one of the same reading
is merged. A row of an older epoch is ignored once its key has a newer row, a row by older rules once the event has one
by newer ones. When no log contains an event any more, its old rows stay.

A log that is read again by request or by newer rules withdraws the events that it made before and does not make now,
if what was read before is still in the file: `prior` describes it until then.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, cast

from millrace.collect import outbox
from millrace.collect.event_rows import Changes, EventRows
from millrace.collect.parsers.fields import SkipReason
from millrace.collect.records import Row
from millrace.collect.repositories import Owners
from millrace.collect.state_file import StateFile
from millrace.collect.state_format import DDL, upgrade

__all__ = ["DDL", "GONE", "Changes", "CheckpointStore", "FileCheckpoint", "Prior"]

_KNOWN = "log, path, agent, identity, seen, mark, epoch, state, reading, rules, prior"
GONE = "gone"
"""The value of `seen` for a log whose file disappeared and was reported as gone."""


@dataclass(frozen=True, slots=True)
class FileCheckpoint:
    """How far a log is read.

    `identity` identifies the file under any name. `seen` is the file's status when it was last read to its end; ''
    before that. `fingerprint` is used to check that the content read so far is still there. `state` is the LogState as
    JSON.
    `reading` counts how often it was read from its start. `rules` are those by which it is read. `prior` is the Prior
    as JSON while it is read again; '' otherwise.
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
    rules: int = 1
    prior: str = ""


@dataclass(frozen=True, slots=True)
class Prior:
    """What was read of a log before it was read again: `reading`, and how to recognize its content."""

    reading: int
    offset_bytes: int
    fingerprint: str
    identity: str
    seen: str

    @classmethod
    def of(cls, known: FileCheckpoint) -> Self:
        """Return what was read of a log until now."""
        offset = int(json.loads(known.state)["offset_bytes"])
        return cls(known.reading, offset, known.fingerprint, known.identity, known.seen)

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return it from the JSON that `to_json` returned."""
        return cls(**json.loads(text))


class CheckpointStore:
    """The collector's memory. Writes become durable with `commit`, all or none."""

    def __init__(self, file: StateFile, batch: int = 0, machine: str | None = None) -> None:
        self._file, self._machine, self._events = file, machine, EventRows(file)
        try:
            self._begin(batch)
        except BaseException:
            self.close()
            raise

    def _begin(self, batch: int) -> None:
        if upgrade(self._file):
            self._events.settle_copies()
        if self._get("collector_id") is None:
            self._set(collector_id=uuid.uuid4().hex, epoch="1", batch=str(batch), stamp="0")
        if self._machine is not None and self._get("machine") is None:
            self._set(machine=self._machine)
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

    @property
    def has_logs(self) -> bool:
        """Whether a log was read before."""
        return bool(self._file.query("select 1 from logs limit 1"))

    def begin_reading(self, owners: Owners) -> Owners:
        """Return the owners whose repositories are looked up: `owners`, and those for which it was done before.

        Where one is new, every log is read again.
        """
        known = Owners.parse(self._get("owners") or "")
        if not known.covers(owners):
            known = known.with_all(owners)
            self._set(owners=known.text)
            if self.has_logs:
                self.force()
            self.commit()
        return known

    def begin_sending(self, owners: Owners) -> None:
        """Make events with a repository pending, if the last batch was not for one of the owners."""
        if not Owners.parse(self._get("sent_owners") or "").covers(owners):
            self._events.send_repositories_again()
            self._set(sent_owners=owners.text)

    def note_sent(self, owners: Owners) -> None:
        """Note the owners whose repositories a batch may name."""
        self._set(sent_owners=owners.text)

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
        columns = "path, agent, identity, seen, mark, epoch, state, older"
        sql = f"insert into logs ({columns}) values (?, ?, '', '', '', 0, '', 0)"  # noqa: S608
        return cast(int, self._file.write(sql, (path, agent)))

    def save_log(self, known: FileCheckpoint) -> None:
        """Save how far a log is read."""
        sql = """update logs set identity = :identity, seen = :seen, mark = :fingerprint, epoch = :epoch,
            state = :state, reading = :reading, prior = :prior, rules = :rules,
            older = case when rules < :rules then null else older end where log = :log"""
        self._file.write(sql, asdict(known))

    def end_rereading(self, log: int, prior: Prior) -> None:
        """Note that what a log made in its readings since `prior`, and not in the last one, is to be withdrawn."""
        self._file.write("update logs set unmade = ? where log = ?", (prior.reading, log))

    def drop_unmade(self) -> None:
        """Withdraw the events that logs made before and do not make any more, if no other log makes them."""
        self._events.drop_unmade()

    def find_older(self, rules: Mapping[str, int], is_final: Callable[[str, bytes, int], bool]) -> dict[bytes, int]:
        """Note the logs whose events follow older rules than `rules`, and return those that were not noted before.

        `is_final` returns whether a log, by its agent, path and rules, will not be read again by newer ones.
        """
        signature = json.dumps(rules, sort_keys=True)
        if self._get("rules") != signature:
            self._file.write("update logs set older = null")
            self._set(rules=signature)
        unknown = self._file.query("select log, agent, path, rules from logs where older is null")
        final = {log: (agent, path) for log, agent, path, read_by in unknown if is_final(agent, path, read_by)}
        if not final:
            return {}
        oldest = self._events.older()
        older = {log: oldest[log] for log, (agent, _) in final.items() if log in oldest and oldest[log] < rules[agent]}
        self._file.write_all("update logs set older = ? where log = ?", [(older.get(log, 0), log) for log in final])
        return {final[log][1]: version for log, version in older.items()}

    def gone_rules(self) -> dict[Path, int]:
        """Return the logs that are gone, or were rewritten, and whose events follow older rules, with their version."""
        rows = self._file.query("select path, older from logs where older > 0 order by path")
        return {Path(os.fsdecode(path)): older for path, older in rows}

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

    def save_events(self, events: Sequence[Row], known: FileCheckpoint) -> Changes:
        """Merge the events of a reading of a log into the stored ones, and return how many billed events changed.

        `events` are rows in the order of `records.COLUMNS`, with distinct keys.
        """
        return self._events.save(events, (known.log, known.epoch, known.reading, known.rules))

    def current(self) -> Iterator[Row]:
        """Yield the billed events, in the order of `records.COLUMNS`; they are not held in memory at once."""
        return self._events.current()

    def recent(self, since_us: int, session_id: str | None) -> Iterator[Row]:
        """Yield the billed events of messages that occurred since then, or in a session, in any of their copies."""
        return self._events.recent(since_us, session_id)

    def pending(self, since: int | None, limit: int) -> Iterator[list[Row]]:
        """Yield pending events and withdrawals, at most `limit` at a time, each row with whether it is withdrawn.

        Events that occurred before `since`, in microseconds since 1970, are left out. The rows of one list may be saved
        as a batch before the next is taken.
        """
        return self._events.pending(since, limit)

    def n_pending(self) -> int:
        """Return how many billed events are in no batch."""
        return self._events.n_pending()

    def save_batch(self, rows: Iterable[Row], number: int, stamp: int) -> None:
        """Record that rows of `pending` are in a batch."""
        self._events.save_batch(rows, number)
        self._set(batch=str(number), stamp=str(stamp))

    def forget_stamps(self, ahead: int) -> None:
        """Make everything pending again, forget the last stamp, and save the one that is ahead of the clock."""
        self._events.forget_batches()
        self._set(stamp="0", ahead=str(max(ahead, self.ahead) if ahead else 0))

    def commit(self) -> None:
        """Make the writes since the last commit durable."""
        self._file.commit()

    def roll_back(self) -> None:
        """Undo the writes since the last commit."""
        self._file.roll_back()

    def _logs(self, condition: str, *values: object) -> Iterator[FileCheckpoint]:
        rows = self._file.query(f"select {_KNOWN} from logs where {condition}", values)  # noqa: S608
        return (FileCheckpoint(*row) for row in rows)

    def _number(self, name: str) -> int:
        with self.trusting():
            return int(self._get(name) or 0)

    def _get(self, name: str) -> str | None:
        rows = self._file.query("select value from about where name = ?", (name,))
        return cast(str, rows[0][0]) if rows else None

    def _set(self, **values: str) -> None:
        self._file.write_all("insert or replace into about values (?, ?)", list(values.items()))


def _no_path(log: int) -> bytes:
    """Return a placeholder for the path of a log that has none; no file can have such a name."""
    return b"\0%d" % log
