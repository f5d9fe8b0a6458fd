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
from millrace.collect.parsers.event import EventKey, UsageEvent, merge
from millrace.collect.parsers.reading import LogState

Row = dict[str, Any]
Signature = tuple[object, ...]


@dataclass
class Source:
    """One log in a collector's state: its file, and the content that was read."""

    number: int
    path: Path
    inode: int = 0
    read: bytes = b""


@dataclass
class Memory:
    """Reported events by their source, each with the epoch in which it was read."""

    epoch: int = 1
    told: dict[tuple[int, EventKey], tuple[int, UsageEvent]] = field(default_factory=dict)
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
            source = self._source(log)
            goes_on = log.agent == "cursor" and self._goes_on(log.path)
            for event in _events(log):
                held = self.told.get((source, event.key))
                if held is not None and held[0] == self.epoch and goes_on:
                    event = merge(held[1], event)
                self.told[source, event.key] = self.epoch, event
            self.read[log.path] = self._signature(log.path)
            self.uncertain.discard(log.path)

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

    def _source(self, log: Log) -> int:
        source = next((one for one in self.sources if one.path == log.path), None)
        if source is None:
            self.n_sources += 1
            source = Source(self.n_sources, log.path)
            self.sources.append(source)
        content = log.path.read_bytes()
        source.inode, source.read = log.path.stat().st_ino, content[: content.rfind(b"\n") + 1]
        return source.number

    def doubt(self, logs: Iterable[Log]) -> None:
        """Record the logs that a stopped collector may have read."""
        self.uncertain |= {
            log.path for log in logs if log.path.exists() and self.read.get(log.path) != self._signature(log.path)
        }

    def copied(self) -> "Memory":
        """Return the memory of a copied collector; the copies of the logs have other paths, and are new to it."""
        return replace(deepcopy(self), read={})

    def rows(self, collector_id: str, user_id: str | None, privacy: Privacy) -> list[Row]:
        """Return the expected rows of this collector in the warehouse."""
        told: dict[EventKey, list[tuple[int, UsageEvent]]] = {}
        for (_, key), one in self.told.items():
            told.setdefault(key, []).append(one)
        rows = []
        for versions in told.values():
            newest = max(epoch for epoch, _ in versions)
            event = reduce(merge, (event for epoch, event in versions if epoch == newest))
            rows.append(_row(event, collector_id, user_id, privacy))
        return rows

    def _signature(self, path: Path) -> Signature:
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns, self.epoch


def _events(log: Log) -> Iterable[UsageEvent]:
    content = _rows_of(log.path) if log.agent == "cursor" else log.path.read_bytes()
    name = log.path.parent.name if AGENTS[log.agent].is_document else log.path.stem
    rest = content[content.rfind(b"\n") + 1 :]
    if log.agent in ("claude", "codex") and rest and closed_by(AGENTS[log.agent], rest, LogState(name)):
        content += b"\n"  # by the clock of these machines, the last write was long ago
    return AGENTS[log.agent].read(content, LogState(name)).events


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
        "occurred_at": event.occurred_at.replace(tzinfo=None),
        "reported_cost_usd": cost,
    }
