"""The usage of a simulated team: the logs of its coding agents, collected as on the developers' machines."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from millrace.collect.machine import Machine
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.repositories import Owners
from millrace.collect.shipping import ship
from millrace.config import CollectConfig
from millrace.errors import ConfigError
from millrace.lake import Lake, ObjectVersion
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import SIMULATOR
from millrace.laptop.source import SourceOptions
from millrace.warehouse import Warehouse

_NO_SETTINGS = CollectConfig(is_off=False, lake=None, user=None, hash_key=None, state=None, environment={})


@dataclass(slots=True)
class SimulatedUsage:
    """The events collected from the machines, and the counts of their rows by row action."""

    machines: int
    events: int
    versions: tuple[ObjectVersion, ...]
    bad_files: int
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0

    @property
    def is_balanced(self) -> bool:
        """Whether every event that was sent was loaded."""
        loaded = self.inserted + self.updated + self.unchanged
        return self.events == loaded and not self.bad_files and not self.quarantined

    def add_up(self, warehouse: Warehouse) -> None:
        """Add up the row actions from the ledger."""
        entries = warehouse.find_all(self.versions).values()
        self.inserted = sum(entry.rows_inserted for entry in entries)
        self.updated = sum(entry.rows_updated for entry in entries)
        self.unchanged = sum(entry.rows_unchanged + entry.rows_superseded for entry in entries)
        self.quarantined = sum(entry.rows_quarantined or 0 for entry in entries)

    def to_json(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        fields = asdict(self)
        fields.pop("versions")
        return fields | {"balanced": self.is_balanced}


def collect_homes(source: SourceOptions, data_dir: DataDir, lake: Lake) -> SimulatedUsage:
    """Have the simulator write each developer's logs, and collect what is new in them.

    Of the folders in which they worked, the repositories of the source's `owners` are named.
    """
    folder = data_dir.root / "homes"
    _write(folder, [*source.world(), *(["--git"] if source.owners else [])])
    events, bad_files, versions = 0, 0, list[ObjectVersion]()
    homes = sorted(folder.iterdir())
    for home in homes:
        machine = Machine(
            home, _NO_SETTINGS, frozenset(AGENTS), data_dir.collector / home.name, owners=Owners(source.owners)
        )
        with machine.collector() as collector:
            result = collector.collect()
            upload = ship(machine.spool, lake, collector.collector_id)
        events, bad_files = events + result.rows, bad_files + len(result.bad_files)
        versions += [stored.version for stored in upload.sent]
        if upload.waiting:
            raise ConfigError(f"usage of {home.name} could not be sent: {upload.error}")
    return SimulatedUsage(len(homes), events, tuple(versions), bad_files)


def _write(folder: Path, world: Sequence[str]) -> None:
    """Have the simulator write the logs. It ends with this process, which holds its standard input open."""
    command = [sys.executable, "-m", "simulator", "homes", "--exit-with-parent", "--out", str(folder), *world]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603 our own module
            command, cwd=SIMULATOR, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints
        ) as process,
    ):
        try:
            code = process.wait()
        finally:
            process.terminate()
        if code:
            complaints.seek(0)
            raise ConfigError(complaints.read().strip() or "the simulator wrote no logs")
