"""Two people retry one entry of the quarantine, with crashes, duplicates and races: it is loaded once."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.proofs.faults import source
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.nature import Clock
from tests.proofs.faults.scheduler import Scheduler
from tests.proofs.faults.source import Source
from tests.proofs.faults.world import World, folder, tiny

from millrace.lake import names
from millrace.load import quarantine

ROUGH = {"handlers #1": 3, "faults #1": 3, "switches #1": 2, "duplicates #1": 2, "crowded builds #1": 0}
BUILDS = {"faults of the build #1": 0, "a stand-in for dbt #1": 1}
ROWS = "".join(json.dumps({"commitHash": row, "userId": "u", "repoName": "r"}) + "\n" for row in "ab").encode()


@pytest.fixture(autouse=True)
def tiny_world() -> Iterator[None]:
    with tiny():
        yield


def quarantined(world: World) -> str:
    """Quarantine a file that can be loaded by now, as a loader with another registry did; return its id."""
    stored = world.raw_lake.write("drop/commits/mine.ndjson", ROWS, 0)
    name = names.quarantine_name(stored.version)
    world.quarantine.write(name, ROWS, 0)
    told = asdict(stored.version) | {"reason": "schema", "message": "a registry that was wrong"}
    world.quarantine.write(f"{name}.json", json.dumps(told).encode(), 0)
    world.warehouse.quarantine(stored.version, "commits", None, 2, "schema", stored.crc32c)
    return name.removeprefix("quarantine/")


@pytest.mark.parametrize("seed", range(60))
def test_two_retries_and_the_event_of_their_drop_load_once(seed: int) -> None:
    worlds: list[World] = []
    choices = Choices.of_seed(seed, ROUGH | BUILDS)
    scheduler = Scheduler(choices, Clock(source.START), lambda message: worlds[0].handle(message))
    with folder() as place:
        world = World(place, scheduler, Source(0, scheduler), Path(":memory:"))
        worlds.append(world)
        try:
            entry_id = quarantined(world)
            for _ in range(2):
                scheduler.send("retry", entry_id, may_be_lost=False)
            scheduler.recover = world.recover
            scheduler.run()
            loads = world.engine.query("SELECT name, rows_inserted FROM meta.loads WHERE quarantine_reason IS NULL")
            assert loads == [(f"drop/commits/retry-{entry_id}.ndjson", 2)]
            assert len(world.engine.rows("commits")) == 2
            (entry,) = quarantine.entries(world.quarantine, world.warehouse, None)
            assert (entry.id, entry.state) == (entry_id, "loaded")
        finally:
            world.warehouse.close()
