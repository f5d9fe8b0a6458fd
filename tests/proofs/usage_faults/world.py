"""Machines, one lake, one warehouse, and the steps of a schedule; each step is the pipeline's own code."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

from tests.dbt.usage_tellings import Marts
from tests.proofs.faults.boundaries import Crashed, GatedWarehouse, gated
from tests.proofs.faults.world import replaced
from tests.proofs.usage_faults import checking
from tests.proofs.usage_faults.checking import Loaded
from tests.proofs.usage_faults.gate import Gate, gated_files
from tests.proofs.usage_faults.logs import Document, Lines, Log
from tests.proofs.usage_faults.machines import Machine, make_machines
from tests.proofs.usage_faults.older import older_rules
from tests.proofs.usage_faults.template import Template

from millrace.bus.events import ANNOUNCED, ObjectFinalized, announce
from millrace.collect import checkpoints
from millrace.collect.shipping import ship
from millrace.errors import MillraceError
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.laptop.usage_pipeline import UsagePipeline
from millrace.load import handler, recovery
from millrace.load.handler import Loader
from millrace.runs.reconcile import reconcile_usage

_BACK = timedelta(minutes=9)  # a larger one is a clock that was ahead: its stamps are not followed (tests/collect)
_SINCE = date(2026, 3, 12)
_BATCH = "drop/usage_events/"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `dice` makes its decisions, so that it is the same step when others are left out."""

    number: int
    kind: str
    machine: int
    stop_at: int
    dice: str

    def __str__(self) -> str:
        stop = f", stopped at boundary {self.stop_at}" if self.stop_at else ""
        return f"#{self.number} {self.kind} m{self.machine}{stop}"


@dataclass
class Job:
    """The build job, which is not needed here: refreshes are steps of their own."""

    def start(self, run_id: str | None) -> None:
        """No-op: a build is requested."""


@dataclass
class World:
    """Everything in a schedule. `waiting` are events of objects that were not answered yet."""

    folder: Path
    database: Path
    template: Template
    gate: Gate = field(default_factory=Gate)
    waiting: list[ObjectFinalized] = field(default_factory=list)
    contents: dict[ObjectVersion, bytes] = field(default_factory=dict)
    machines: list[Machine] = field(default_factory=list)
    crashes: int = 0
    older: ExitStack | None = None
    """The rules of an older version, until an upgrade."""
    is_upgraded: bool = False

    def __post_init__(self) -> None:
        self.raw_lake = LocalLake(self.folder / "lake", "lake", self._finalized)
        self.lake = gated(self.raw_lake, "lake", self.gate)
        self.warehouse = GatedWarehouse(self.database, self.gate)
        quarantine = LocalLake(self.folder / "quarantine", "quarantine")
        self.loader = Loader(self.lake, quarantine, self.warehouse, Job(), lambda: datetime(2026, 3, 21, tzinfo=UTC))
        self.loaded = Loaded(self.contents)

    def do(self, step: Step) -> str:
        """Run a step, and check whether it was stopped or has changed the marts; return a description of it."""
        dice, machine = Random(step.dice), self.machines[step.machine]  # noqa: S311 a schedule is no secret
        fails = dice.choice(("before", "after")) if dice.random() < 0.15 else ""
        act: Callable[[Machine, Random], str] = getattr(self, f"_{step.kind}")
        self.gate.begin(step.stop_at, fails)
        try:
            said = act(machine, dice)
        except Crashed as crash:
            said = f"stopped {crash}"
        except (MillraceError, OSError) as error:
            said = f"failed: {error}"
        is_gone = self.gate.is_gone
        self.gate.end()
        if is_gone:
            self.crashes += 1
            machine.stop()
            self.warehouse.close()
        is_refreshed = step.kind == "refresh" and not is_gone
        if is_gone or is_refreshed or step.kind == "look":
            checking.look(self.database, self.loaded, is_current=is_refreshed)
        return said

    def close(self) -> None:
        """End all processes."""
        for machine in self.machines:
            machine.stop()
        self.warehouse.close()

    def finish(self) -> None:
        """Complete all pending work, and compare the marts with the logs."""
        for machine in self.machines:
            machine.running().collector.collect()
            self._ship(machine, Random(0))  # noqa: S311
            if list(machine.spool.glob("*")):
                raise checking.Violation("all files are sent", f"{list(machine.spool.glob('*'))} wait")
        self._sweep(self.machines[0], Random(0))  # noqa: S311
        for event in self.waiting:
            handler.answer(self.loader, event)
        self.template.scripts.refresh(self.warehouse)
        marts = checking.look(self.database, self.loaded, is_current=True)
        self._compare_with_logs(marts)
        for version in self.contents:
            handler.answer(self.loader, ObjectFinalized(version, None))
        self.template.scripts.refresh(self.warehouse)
        again = checking.look(self.database, self.loaded, is_current=True)
        checking.compare("what is delivered again changes nothing", again, marts)

    def _compare_with_logs(self, marts: Marts) -> None:
        sent = checking.rows_in_force(self.database)
        rows = [row for machine in self.machines for row in machine.rows() if machine.has_to_send(row, sent)]
        checking.compare_rows("a collector has sent what its logs said", self.database, rows)
        lost = {collector_id for machine in self.machines for collector_id in machine.lost}
        rows += [row for row in self.loaded.rows.values() if row["collector_id"] in lost]
        expected = checking.expected_marts({checking.key_of(row): row for row in rows})
        checking.compare("the marts are what the logs say", marts, expected)
        events, lines = reconcile_usage(self.warehouse.query)
        if not all(line.agrees_with(lines[0]) for line in lines) or lines[0].events != events:
            raise checking.Violation("usage adds up", f"{events} events are loaded: {lines}")
        batches = [version.name.removeprefix(_BATCH).partition("-")[0] for version in self.contents]
        if len(batches) != len(set(batches)):
            raise checking.Violation("a batch is one object", f"there are {sorted(batches)}")

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Act as the bus."""
        version = ObjectVersion(attributes["bucketId"], attributes["objectId"], int(attributes["objectGeneration"]))
        crc32c = data["crc32c"]
        self.waiting.append(ObjectFinalized(version, None if crc32c is None else str(crc32c)))

    def _finalized(self, stored: StoredObject) -> None:
        if stored.version.name.startswith(ANNOUNCED) and stored.version.name.startswith(_BATCH):
            self.contents[stored.version] = self.raw_lake.read(stored.version.name)[0]
            announce(self, stored)

    # The kinds of steps

    def _grow(self, machine: Machine, dice: Random) -> str:
        log = dice.choice(machine.logs)
        if self.is_upgraded and log.path in machine.memory.uncertain and not isinstance(log, Lines):
            return f"nothing: {log.path.name} may have been read by newer rules, and has to be what it was"
        return log.grow(dice, is_gentle=log.path in machine.memory.uncertain)

    def _destroy(self, machine: Machine, dice: Random) -> str:
        log = dice.choice(machine.logs)
        if log.path in machine.memory.uncertain:
            return f"nothing: a collector may have read {log.path.name}"
        return log.destroy(dice)

    def _move(self, machine: Machine, dice: Random) -> str:
        log = dice.choice(machine.logs)
        other: Log | None = None
        if isinstance(log, Document):
            if log.path.is_relative_to(machine.other_tasks) or not log.path.exists():
                return "nothing"
            said, other = log.twin(dice, machine.other_tasks)
        elif isinstance(log, Lines):
            to = dice.choice(self.machines)
            name = f"{log.path.stem}-{dice.randrange(100)}"
            if to is machine:
                said, other = log.move(dice, name)
            elif log.path.exists():
                path = to.home / log.path.relative_to(machine.home).with_name(f"{name}.jsonl")
                said, other = f"{log.path.name} is copied to {path.name} of {to.folder.name}", log.copied(path)
                machine = to
            else:
                said = "nothing"
        else:
            return "nothing"
        if other is not None:
            machine.logs[:] = [log for log in machine.logs if log.path != other.path] + [other]
        return said

    def _rewrite(self, machine: Machine, dice: Random) -> str:
        log = dice.choice(machine.logs)
        if not isinstance(log, Lines) or log.path in machine.memory.uncertain:
            return "nothing"
        return log.rewrite(dice)

    def _tear(self, machine: Machine, dice: Random) -> str:
        log = dice.choice(machine.logs)
        if not isinstance(log, Lines) or log.path in machine.memory.uncertain:
            return "nothing"
        return log.tear(dice)

    def _clone(self, machine: Machine, dice: Random) -> str:
        if len(self.machines) > 4 or machine.collector_id is None or machine.memory.uncertain:
            return "nothing"
        self.machines.append(machine.cloned(self.folder / f"m{len(self.machines)}"))
        return f"{machine.folder.name} is copied to {self.machines[-1].folder.name}"

    def _collect(self, machine: Machine, dice: Random) -> str:
        only = self._some_logs(machine, dice) if dice.random() < 0.25 else None
        since = _SINCE if dice.random() < 0.1 else None
        result = machine.running().collector.collect(only, since)
        return (
            f"{result.new} new, {result.changed} changed, {len(result.batches)} batches{', of some logs' * bool(only)}"
        )

    def _force(self, machine: Machine, dice: Random) -> str:
        collector = machine.running().collector
        try:
            collector.force()
        finally:
            self.gate.end()  # the store's contents, whether or not the step was stopped
            machine.stop()
            machine.memory.epoch = machine.running().store.epoch
        return f"epoch {machine.memory.epoch}"

    def _ship(self, machine: Machine, dice: Random) -> str:
        running = machine.running()
        upload = ship(machine.spool, self.lake, running.collector.collector_id)
        return f"{len(upload.sent)} sent, {len(upload.waiting)} wait"

    def _deliver(self, machine: Machine, dice: Random) -> str:
        said = []
        for _ in range(dice.randrange(1, 6)):
            if not self.waiting:
                break
            place = dice.randrange(len(self.waiting))
            fate = dice.choices(("loaded", "loaded, to come again", "lost"), (6, 3, 1))[0]
            if fate != "lost":
                handler.answer(self.loader, self.waiting[place])
            if fate != "loaded, to come again":
                self.waiting.pop(place)
            said.append(fate)
        return ", ".join(said) or "nothing waits"

    def _sweep(self, machine: Machine, dice: Random) -> str:
        return f"{len(recovery.recover(self.lake, self, self.warehouse))} found"

    def _refresh(self, machine: Machine, dice: Random) -> str:
        self.template.scripts.refresh(self.warehouse)
        return "refreshed"

    def _follow(self, machine: Machine, dice: Random) -> str:
        only = self._some_logs(machine, dice) if dice.random() < 0.5 else None
        usage = UsagePipeline(machine.running().collector, machine.spool, self.loader, self.warehouse)
        usage.scripts = self.template.scripts
        result = usage.run_once(only)
        return f"{result.collected.new} new, {result.inserted} inserted, {result.updated} updated"

    def _look(self, machine: Machine, dice: Random) -> str:
        return "looked"

    def _lose_state(self, machine: Machine, dice: Random) -> str:
        machine.lose_state()
        return "the collector's state is deleted"

    def _upgrade(self, machine: Machine, dice: Random) -> str:
        if self.older is None or any(one.memory.uncertain for one in self.machines):
            return "nothing"
        for one in self.machines:
            one.stop()
        self.older.close()
        self.older, self.is_upgraded = None, True
        return "all machines have newer rules"

    def _restart(self, machine: Machine, dice: Random) -> str:
        machine.stop()
        self.warehouse.close()
        return "stopped in peace"

    def _turn_back(self, machine: Machine, dice: Random) -> str:
        machine.furthest = max(machine.furthest, machine.now)
        machine.now = machine.furthest - _BACK
        return f"the clock says {machine.now}"

    def _some_logs(self, machine: Machine, dice: Random) -> set[Path]:
        logs = dice.sample(machine.logs, dice.randrange(1, len(machine.logs) + 1))
        return {dice.choice((log.path, log.path.parent)) if log.agent == "claude" else log.path for log in logs}


@contextmanager
def make_world(seed: int, folder: Path, template: Template, is_older: bool = False) -> Iterator[World]:
    """Yield the world of a seed before its first step, perhaps by older rules; afterwards its processes have ended."""
    dice = Random(f"world {seed}")  # noqa: S311
    world = World(folder, template.copy(folder), template)
    ids = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{dice.getrandbits(128):032x}"))
    with gated_files(world.gate), replaced(checkpoints, "uuid", ids):
        world.machines = make_machines(Random(f"machines {seed}"), folder, world.gate)  # noqa: S311
        world.older = older_rules() if is_older else None
        try:
            yield world
        finally:
            if world.older is not None:
                world.older.close()
            world.gate.end()
            world.close()
