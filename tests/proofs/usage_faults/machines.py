"""The machines of a schedule: homes with logs that overlap, and collectors that may stop and lose their state."""

import shutil
import sqlite3
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import cast

from tests.proofs.usage_faults import checking, sessions
from tests.proofs.usage_faults.gate import Gate, GatedSqlite
from tests.proofs.usage_faults.logs import Database, Document, Lines, Log, Mtimes
from tests.proofs.usage_faults.memory import Memory, Row

from millrace.collect.checkpoints import DDL, CheckpointStore
from millrace.collect.collector import CollectLimits, Collector, CollectResult, ProgressCallback, no_progress
from millrace.collect.discovery import discover
from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.state_file import StateFile

_TASKS = "User/globalStorage/saoudrizwan.claude-dev/tasks"
_CODE, _SERVER = f".config/Code/{_TASKS}", f".vscode-server/data/{_TASKS}"
_CURSOR = ".config/Cursor/User/globalStorage/state.vscdb"
_NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)


class SeenCollector(Collector):
    """A collector that records the logs which it should have read, as soon as a run has ended."""

    machine: "Machine"

    def collect(
        self,
        only: AbstractSet[Path] | None = None,
        since: date | None = None,
        on_progress: ProgressCallback = no_progress,
    ) -> CollectResult:
        try:
            result = super().collect(only, since, on_progress)
        except BaseException:
            self.machine.memory.doubt(self.machine.logs)
            raise
        assert not result.bad_files, result.bad_files
        logs = self.machine.logs
        seen = [log for log in logs if only is None or any(log.path.is_relative_to(path) for path in only)]
        self.machine.memory.look(seen)
        return result


@dataclass
class Process:
    """A collector that runs."""

    connection: sqlite3.Connection
    store: CheckpointStore
    collector: Collector


@dataclass
class Machine:
    """One machine. `lost` are collectors whose state is gone: only the rows that they sent are known."""

    folder: Path
    user_id: str | None
    privacy: Privacy
    limits: CollectLimits
    gate: Gate
    logs: list[Log] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    now: datetime = _NOON
    furthest: datetime = _NOON
    collector_id: str | None = None
    lost: list[str] = field(default_factory=list)
    process: Process | None = None
    at_birth: list[Row] = field(default_factory=list)
    """The rows in the state from which this machine was copied: the original reports them."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def other_tasks(self) -> Path:
        """The folder in which another editor keeps its tasks of Cline."""
        return self.home / _SERVER

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    def running(self) -> Process:
        """Return the running collector, started if necessary."""
        if self.process is None:
            self.state.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.state / "state.sqlite", isolation_level=None)
            try:
                gated = cast(sqlite3.Connection, GatedSqlite(connection, self.gate))
                store = CheckpointStore(StateFile(gated, self.state, DDL), machine=self.folder.name)
                self.collector_id = store.collector_id
                collector = SeenCollector(
                    store,
                    self.spool,
                    lambda: discover(self.home, {}, "linux", AGENTS),
                    self.user_id,
                    self.privacy,
                    self._clock,
                    self.limits,
                )
                collector.machine = self
            except BaseException:
                connection.close()
                raise
            self.process = Process(connection, store, collector)
        return self.process

    def stop(self) -> None:
        """End the collector, whatever it was doing; uncommitted changes are undone."""
        if self.process is not None:
            self.process.connection.close()
            self.process = None

    def lose_state(self) -> None:
        """Delete the state, with its unsent rows; the next collector is another one, and starts without state."""
        self.stop()
        if self.state.exists():
            shutil.rmtree(self.state)
        if self.collector_id is not None:
            self.lost.append(self.collector_id)
        self.collector_id, self.memory, self.at_birth = None, Memory(), []

    def cloned(self, folder: Path) -> "Machine":
        """Return a copy of the disk in another machine."""
        self.stop()
        shutil.copytree(self.folder, folder)
        clone = Machine(
            folder, self.user_id, self.privacy, self.limits, self.gate, now=self.now, furthest=self.furthest
        )
        clone.memory = self.memory.copied()
        for log in self.logs:
            clone.logs.append(
                replace(deepcopy(log), mtimes=log.mtimes, path=folder / log.path.relative_to(self.folder))
            )
        clone.running()
        clone.at_birth = clone.rows()
        return clone

    def has_to_send(self, row: Row, sent: checking.RowChunk) -> bool:
        """Return whether this machine's own row must be in the warehouse: a clone need not send the copied rows."""
        return row not in self.at_birth or checking.key_of(row) in sent

    def rows(self) -> list[Row]:
        """Return the expected rows of the current collector in the warehouse."""
        if self.collector_id is None:
            return []
        return self.memory.rows(self.collector_id, self.user_id, self.privacy)

    def _clock(self) -> datetime:
        self.now += timedelta(milliseconds=10)
        return self.now


def make_machines(dice: Random, folder: Path, gate: Gate) -> list[Machine]:
    """Return two or three machines, with half of their logs begun."""
    mtimes = Mtimes()
    users = ["ann@example.com", dice.choice(("ann@example.com", "bob@example.com")), None]
    limits = CollectLimits(chunk_bytes=dice.choice((300, 700, 100_000)), batch_rows=dice.choice((1, 2, 5, 1000)))
    key = dice.choice((None, None, None, "key"))
    machines = [
        Machine(folder / f"m{number}", users[number], Privacy(key if number == 1 else None), limits, gate)
        for number in range(dice.choice((2, 2, 3)))
    ]
    told = [(f"s{number}", sessions.claude(dice, f"s{number}", "ann", dice.randrange(3, 8))) for number in range(2)]
    rollout = sessions.codex(dice, "x0", dice.randrange(2, 5), "ann")
    for number, machine in enumerate(machines):
        _fill(dice, machine, number, told, rollout, mtimes)
        for log in dice.sample(machine.logs, len(machine.logs) // 2):
            log.grow(dice, is_gentle=True)
    return machines


def _fill(
    dice: Random,
    machine: Machine,
    number: int,
    told: list[tuple[str, list[sessions.Line]]],
    rollout: list[sessions.Line],
    mtimes: Mtimes,
) -> None:
    user = (machine.user_id or "eve").partition("@")[0]

    def add(agent: str, name: str, lines: list[sessions.Line]) -> None:
        folder = ".claude/projects/-w" if agent == "claude" else ".codex/sessions/2026/03/10"
        path = machine.home / folder / f"{name}.jsonl"
        machine.logs.append(Lines(path, agent, mtimes, sessions.to_bytes(lines)))

    for session, lines in told:
        if number == 0:
            add("claude", session, lines)
        elif dice.random() < 0.7:
            name = dice.choice((session, f"{session}-{number}"))  # the same session, or a fork of it
            add("claude", name, sessions.resumed(dice, lines, name, user))
    add("claude", f"own{number}", sessions.claude(dice, f"own{number}", user, dice.randrange(2, 5)))
    if number == 0:
        add("codex", "x0", rollout)
    if dice.random() < 0.7:
        fork = f"x{number + 1}"
        add("codex", fork, sessions.codex(dice, fork, dice.randrange(0, 3), user, ("x0", rollout)))
    if dice.random() < 0.7:
        task = machine.home / _CODE / f"t{dice.randrange(2)}" / "ui_messages.json"
        machine.logs.append(Document(task, "cline", mtimes))
    if dice.random() < 0.6:
        machine.logs.append(Database(machine.home / _CURSOR, "cursor", mtimes))
