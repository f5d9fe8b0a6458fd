"""The expected state of a collector: all events in its machine's logs whenever it read them, in plain Python."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from tests.proofs.usage_faults.logs import Log

from millrace.collect.chunks import closed_by
from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import EventKey, UsageEvent, merge, resolve
from millrace.collect.parsers.reading import LogState

Row = dict[str, Any]
Signature = tuple[object, ...]
_HEAD_BYTES = 1024  # of a fingerprint


@dataclass
class Source:
    """One log in a collector's state: its file, the content that was read, when, how often anew, and by which rules."""

    number: int
    path: Path
    inode: int = 0
    read: bytes = b""
    used: bytes = b""
    signature: Signature = ()
    reading: int = 0
    rules: int = 0
    epoch: int = 0


@dataclass(frozen=True)
class Told:
    """One event that a source reported: by which rules, in which epoch and reading."""

    rules: int
    epoch: int
    reading: int
    event: UsageEvent


@dataclass
class Memory:
    """Reported events by their source."""

    epoch: int = 1
    told: dict[tuple[int, EventKey], Told] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    n_sources: int = 0
    read: dict[Path, Signature] = field(default_factory=dict)
    last_rows: dict[Path, tuple[int, str]] = field(default_factory=dict)
    uncertain: set[Path] = field(default_factory=set)
    """Logs that a stopped collector may have stored in part and that no collector has read since."""

    def look(self, logs: Iterable[Log]) -> None:
        """Read logs as they are now, each from its start to its end."""
        there = [log for log in logs if log.path.exists()]
        for log in there:
            self._follow(log)
        for log in there:
            self._read(log, self._source(log))
            self.read[log.path] = self._signature(log)
            self.uncertain.discard(log.path)

    def _read(self, log: Log, source: Source) -> None:
        """Read a log; when it had to be read again, and has all that it had, forget what it does not tell any more."""
        agent, (used, events) = AGENTS[log.agent], _told_by(log)
        goes_on = log.agent == "cursor" and self._goes_on(log.path)
        is_asked = source.reading > 0 and (source.rules < agent.rules or source.epoch < self.epoch)
        is_same = self._signature(log)[:3] == source.signature[:3]
        before = source.reading
        if agent.is_document:
            is_there, is_anew = is_same, used is not None
        elif log.agent == "cursor":
            is_there, is_anew = is_same, is_asked or not goes_on
        else:
            is_there = used is not None and used.startswith(source.used)
            is_anew = is_asked or not is_there
        source.reading += is_anew or not before
        for event in events:
            held = self.told.get((source.number, event.key))
            if held is not None and (held.rules, held.epoch) == (agent.rules, self.epoch) and goes_on:
                event = merge(held.event, event)
            self.told[source.number, event.key] = Told(agent.rules, self.epoch, source.reading, event)
        if is_asked and is_there and is_anew:
            lost = [at for at, held in self.told.items() if at[0] == source.number and held.reading == before]
            for at in lost:
                del self.told[at]
        source.used, source.signature = used or b"", self._signature(log)
        source.rules, source.epoch = agent.rules, self.epoch

    def _goes_on(self, path: Path) -> bool:
        """Record the last row of a database; return whether the recorded one still exists, or was replaced."""
        with closing(sqlite3.connect(path)) as connection:
            rows = dict(connection.execute("select rowid, key || '=' || value from cursorDiskKV").fetchall())
        last, row = self.last_rows.get(path, (0, ""))
        newest = max(rows, default=0)
        self.last_rows[path] = newest, rows.get(newest, "")
        return newest >= last and rows.get(last, row) == row

    def _follow(self, log: Log) -> None:
        """Find the source of this file under another path."""
        inode, content = log.path.stat().st_ino, log.path.read_bytes()
        for source in self.sources:
            is_there = source.path.exists() and source.path.stat().st_ino == inode
            is_it = source.inode == inode and not is_there and content.startswith(source.read)
            if log.agent in ("claude", "codex") and is_it:
                self.sources = [one for one in self.sources if one.path != log.path]
                source.path = log.path

    def _source(self, log: Log) -> Source:
        source = next((one for one in self.sources if one.path == log.path), None)
        if source is None:
            self.n_sources += 1
            source = Source(self.n_sources, log.path)
            self.sources.append(source)
        content = log.path.read_bytes()
        source.inode, source.read = log.path.stat().st_ino, content[: content.rfind(b"\n") + 1]
        return source

    def doubt(self, logs: Iterable[Log]) -> None:
        """Record the logs that a stopped collector may have read."""
        self.uncertain |= {
            log.path for log in logs if log.path.exists() and self.read.get(log.path) != self._signature(log)
        }

    def copied(self) -> "Memory":
        """Return the memory of a copied collector; the copies of the logs have other paths, and are new to it."""
        return replace(deepcopy(self), read={})

    def rows(self, collector_id: str, user_id: str | None, privacy: Privacy) -> list[Row]:
        """Return the expected rows of this collector in the warehouse."""
        by_key: dict[EventKey, list[Told]] = {}
        for (_, key), one in self.told.items():
            by_key.setdefault(key, []).append(one)
        newest: dict[tuple[str, str], list[tuple[int, UsageEvent]]] = {}
        for key, told in by_key.items():
            last = max((one.rules, one.epoch) for one in told)
            event = reduce(merge, (one.event for one in told if (one.rules, one.epoch) == last))
            newest.setdefault(key[:2], []).append((last[0], event))
        events = [event for same in newest.values() for event in _by_newest_rules(same)]
        return [_row(event, collector_id, user_id, privacy) for event in events]

    def _signature(self, log: Log) -> Signature:
        status = log.path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns, self.epoch, AGENTS[log.agent].rules


def _by_newest_rules(events: list[tuple[int, UsageEvent]]) -> list[UsageEvent]:
    """Return the events of one message by the newest rules; all, if those by older rules are events of their own."""
    newest = max(rules for rules, _ in events)
    present = resolve(event for rules, event in events if rules == newest)
    both = resolve(event for _, event in events)
    return both if len(both) > len(present) else present


def _told_by(log: Log) -> tuple[bytes | None, Iterable[UsageEvent]]:
    """Return what shows that a log has not changed, and its events; a document that is incomplete is not read.

    Of a log that grows, that is what was read of it, and at least its first bytes.
    """
    agent = AGENTS[log.agent]
    content = _rows_of(log.path) if log.agent == "cursor" else log.path.read_bytes()
    name = log.path.parent.name if agent.is_document else log.path.stem
    if agent.is_document or log.agent == "cursor":
        reading = agent.read(content, LogState(name))
        return (content if reading.lines or log.agent == "cursor" else None), reading.events
    end = content.rfind(b"\n") + 1
    rest = content[end:]
    if rest and closed_by(agent, rest, LogState(name)):  # by the clock of these machines, the last write was long ago
        return content, agent.read(content + b"\n", LogState(name)).events
    return content[: max(end, _HEAD_BYTES)], agent.read(content, LogState(name)).events


def _rows_of(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select key, value from cursorDiskKV order by rowid").fetchall()
    return b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in rows)


def _row(event: UsageEvent, collector_id: str, user_id: str | None, privacy: Privacy) -> Row:
    """Return the columns of raw.usage_events, apart from those of a load."""
    said = event.to_json()
    cost = said.pop("cost_usd")
    return said | {
        "collector_id": collector_id,
        "user_id": privacy.named(user_id),
        "project": privacy.named(event.project),
        "repository": None,
        "occurred_at": event.occurred_at.replace(tzinfo=None),
        "reported_cost_usd": cost,
        "is_withdrawn": False,
    }
