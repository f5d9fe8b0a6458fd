"""A collector is one installation on one machine: a state copied to another machine becomes another collector."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.collect.machine import response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.machine import Machine, machine_identity
from millrace.collect.parsers.agents import AGENTS
from millrace.config import CollectConfig

CONFIG = CollectConfig(is_off=False, lake=None, user=None, hash_key=None, state=None, environment={})


def at(folder: Path, identity: str) -> Machine:
    return Machine(folder / "home", CONFIG, frozenset(AGENTS), folder / "state", lambda: identity)


def collector_id(machine: Machine) -> str:
    with machine.collector() as collector:
        collector.collect()
        return collector.collector_id


@pytest.fixture
def original(tmp_path: Path) -> Machine:
    """A machine that has collected a response."""
    log = tmp_path / "a/home/.claude/projects/-w/S1.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(response("m1"))
    machine = at(tmp_path / "a", "one machine")
    collector_id(machine)
    return machine


def cloned(original: Machine, tmp_path: Path, name: str, identity: str) -> Machine:
    shutil.copytree(tmp_path / "a", tmp_path / name)
    return at(tmp_path / name, identity)


def test_a_clone_on_another_machine_is_another_collector(original: Machine, tmp_path: Path) -> None:
    ids = {
        collector_id(original),
        collector_id(cloned(original, tmp_path, "b", "another machine")),
        collector_id(cloned(original, tmp_path, "c", "a third machine")),
    }
    assert len(ids) == 3
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in ids)


@pytest.mark.parametrize("name", ["moved", "restored"])
def test_a_state_that_is_moved_on_one_machine_is_the_same_collector(
    original: Machine, tmp_path: Path, name: str
) -> None:
    assert collector_id(cloned(original, tmp_path, name, "one machine")) == collector_id(original)


def test_a_state_that_goes_to_and_fro_has_one_id_on_each_machine(original: Machine, tmp_path: Path) -> None:
    other = at(tmp_path / "a", "another machine")
    first = (collector_id(original), collector_id(other))
    assert (collector_id(original), collector_id(other)) == first
    assert first[0] != first[1]


def test_a_state_from_before_is_of_the_machine_that_opens_it(tmp_path: Path) -> None:
    with closing(CheckpointStore.open(tmp_path / "state")) as store:  # as before: no machine is noted
        begun = store.collector_id
    assert collector_id(at(tmp_path, "one machine")) == begun
    assert collector_id(at(tmp_path, "another machine")) != begun


def test_a_dry_run_on_a_clone_writes_nothing(original: Machine, tmp_path: Path) -> None:
    clone = cloned(original, tmp_path, "b", "another machine")
    before = (clone.state / "state.sqlite").read_bytes()
    assert clone.dry_collector().collector_id != collector_id(original)
    assert (clone.state / "state.sqlite").read_bytes() == before


def test_machine_identity_is_stable_and_opaque() -> None:
    assert machine_identity() == machine_identity()
    assert len(machine_identity()) == 32
