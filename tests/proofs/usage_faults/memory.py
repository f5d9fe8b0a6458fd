"""What a collector should know: all that its machine's logs said at the moments when it looked, in plain Python."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from tests.proofs.usage_faults.logs import Log

from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import EventKey, UsageEvent, merge
from millrace.collect.parsers.reading import LogState

Row = dict[str, Any]
Signature = tuple[object, ...]


@dataclass
class Memory:
    """Told events by their source ('' where the lines of all logs add up), each with the epoch in which it was read."""

    epoch: int = 1
    told: dict[tuple[str, EventKey], tuple[int, UsageEvent]] = field(default_factory=dict)
    read: dict[Path, Signature] = field(default_factory=dict)
    uncertain: set[Path] = field(default_factory=set)
    """Logs of which a stopped collector may have kept something that none has looked at since."""

    def look(self, logs: Iterable[Log]) -> None:
        """Read logs as they are now, each from its start to its end."""
        for log in logs:
            if not log.path.exists():
                continue
            for event in _events(log):
                source = str(log.path) if AGENTS[log.agent].is_document else ""
                held = self.told.get((source, event.key))
                if held is not None and held[0] == self.epoch and not source:
                    event = merge(held[1], event)
                self.told[source, event.key] = self.epoch, event
            self.read[log.path] = self._signature(log.path)
            self.uncertain.discard(log.path)

    def doubt(self, logs: Iterable[Log]) -> None:
        """Note what a collector that was stopped may have read."""
        self.uncertain |= {
            log.path for log in logs if log.path.exists() and self.read.get(log.path) != self._signature(log.path)
        }

    def rows(self, collector_id: str, user_id: str | None, privacy: Privacy) -> list[Row]:
        """Give what the warehouse should have of this collector."""
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
    return AGENTS[log.agent].read(content, LogState(name)).events


def _rows_of(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select key, value from cursorDiskKV order by rowid").fetchall()
    return b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in rows)


def _row(event: UsageEvent, collector_id: str, user_id: str | None, privacy: Privacy) -> Row:
    """Give the columns of raw.usage_events, apart from those of a load."""
    said = event.to_json()
    cost = said.pop("cost_usd")
    return said | {
        "collector_id": collector_id,
        "user_id": privacy.named(user_id),
        "project": privacy.named(event.project),
        "occurred_at": event.occurred_at.replace(tzinfo=None),
        "reported_cost_usd": cost,
    }
