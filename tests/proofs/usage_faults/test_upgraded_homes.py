"""Homes that the version before collected, then this one, make the same marts as homes that this one collects alone."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from tests.collect.before import names, restored
from tests.collect.machine import Machine
from tests.dbt.usage_tellings import Marts, marts_of
from tests.proofs.usage_faults.checking import compare
from tests.proofs.usage_faults.template import Template
from tests.proofs.usage_faults.world import Job

from millrace.bus.events import ObjectFinalized
from millrace.lake.local import LocalLake
from millrace.load import handler
from millrace.load.handler import Loader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

_LOADED_AT = datetime(2026, 12, 2, tzinfo=UTC)


def marts_after_loading(machines: list[Machine], template: Template, folder: Path) -> Marts:
    """Load all that the machines have sent, file by file, and return the marts."""
    folder.mkdir()
    database = template.copy(folder)
    with DuckDBWarehouse(database) as warehouse:
        for machine in machines:
            quarantine = LocalLake(folder / "quarantine", "quarantine")
            loader = Loader(machine.lake, quarantine, warehouse, Job(), lambda: _LOADED_AT)
            for stored in machine.lake.list("drop/usage_events/"):
                handler.answer(loader, ObjectFinalized(stored.version, stored.crc32c))
        template.scripts.refresh(warehouse)
    with duckdb.connect(str(database)) as connection:
        quarantined = connection.execute("select name from meta.loads where quarantine_reason is not null").fetchall()
        assert quarantined == []
        return marts_of(connection)


def test_upgraded_homes_make_the_marts_of_homes_collected_alone(tmp_path: Path, template: Template) -> None:
    upgraded, alone = list[Machine](), list[Machine]()
    for name in names():
        machine = restored(name, tmp_path / "before" / name)
        other = Machine(tmp_path / "alone" / name, now=machine.now)
        shutil.copytree(machine.home, other.home, symlinks=True)
        for one, found in ((machine, upgraded), (other, alone)):
            one.run()
            found.append(one)
    expected = marts_after_loading(alone, template, tmp_path / "one")
    assert expected["usage_events"]
    compare("marts after an upgrade", marts_after_loading(upgraded, template, tmp_path / "other"), expected)
