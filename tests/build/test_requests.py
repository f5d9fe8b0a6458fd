"""The load function requests a build: on a final object and on a dropped file that changed rows."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.build.world import T0, World

from millrace import runs
from millrace.bus.events import ObjectFinalized
from millrace.bus.in_process import LocalBus
from millrace.lake.local import LocalLake
from millrace.lake.names import FinalKey, LeaseKey, RequestedKey
from millrace.load import handler
from millrace.load.handler import Loader
from millrace.runs import Final, RunRequest, build_requests
from millrace.wiring import RequestedBuilds


@pytest.fixture
def loader(world: World, tmp_path: Path) -> Loader:
    return Loader(world.lake, LocalLake(tmp_path / "quarantine", "quarantine"), world.warehouse, RequestedBuilds())


def deliver(loader: Loader, name: str, content: bytes) -> None:
    """Write an object and send its event to the load function."""
    stored = loader.lake.write(name, content, if_generation=0)
    handler.answer(loader, ObjectFinalized(stored.version, stored.crc32c))


@pytest.mark.parametrize("beyond", [0, 7])
def test_a_final_object_asks_for_a_build_through_its_load_sequence(loader: Loader, world: World, beyond: int) -> None:
    held = world.load()
    plan = runs.start(loader.lake, LocalBus(), RunRequest(T0))
    final = Final(plan.run_id, "complete", None, (), held + beyond)  # of a ledger that is lost since
    deliver(loader, str(FinalKey(plan.run_id)), json.dumps(asdict(final)).encode())
    assert build_requests.requested(loader.lake) == held


def test_a_dropped_file_asks_for_a_build_only_when_it_changed_something(loader: Loader) -> None:
    deliver(loader, "drop/repos/a.csv", b"full_name\nacme/web\n")
    assert build_requests.requested(loader.lake) == 1
    deliver(loader, "drop/repos/broken.csv", b"no_such_key\n1\n")
    assert build_requests.requested(loader.lake) == 1


def test_the_objects_of_the_builds_are_no_business_of_the_load_function(loader: Loader) -> None:
    for name in (str(LeaseKey()), str(RequestedKey())):
        deliver(loader, name, b"{}")
    assert list(loader.quarantine.list("")) == []
