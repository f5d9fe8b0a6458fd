"""Stored rows reach the lake exactly once, as soon as it is reachable."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.collect.machine import Machine, outputs, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.outbox import files
from millrace.collect.shipping import ship
from millrace.errors import TransientError
from millrace.lake import ObjectExists, ObjectVersion, StoredObject
from millrace.lake.names import DroppedFile, parse


class Unreachable:
    """A lake whose network fails after some objects."""

    bucket = "lake"

    def __init__(self, error: Exception, after: int = 0) -> None:
        self.error, self.left = error, after

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        self.left -= 1
        if self.left < 0:
            raise self.error
        assert if_generation == 0
        return StoredObject(ObjectVersion(self.bucket, name, 1), 1, None)


def write(machine: Machine, messages: int) -> None:
    machine.log("claude").write_bytes(b"".join(response(f"m{number}") for number in range(messages)))


def test_object_name_contains_collector_batch_and_content_hash(machine: Machine) -> None:
    write(machine, 1)
    machine.collect()
    (file,) = files(machine.spool)
    (sent,) = machine.ship().sent
    name = sent.version.name
    with closing(CheckpointStore.open(machine.state)) as store:
        assert name == f"drop/usage_events/{store.collector_id}/{file.name}"
        assert parse(name) == DroppedFile("usage_events", f"{store.collector_id}/{file.name}", "parquet")
    assert file.name.startswith("00000001-")


def test_unsent_batches_wait_and_are_sent_later(machine: Machine) -> None:
    for messages in (1, 2, 3):
        write(machine, messages)
        machine.collect()
    upload = machine.ship(Unreachable(ConnectionError("no route"), after=1))
    assert (len(upload.sent), len(upload.waiting), upload.error) == (1, 2, "no route")
    upload = machine.ship(Unreachable(TransientError("busy")))
    assert (upload.sent, list(upload.waiting)) == ((), files(machine.spool))
    write(machine, 4)
    machine.run()
    assert set(outputs(machine.sent())) == {"m1", "m2", "m3"}
    assert files(machine.spool) == []


def test_an_object_that_is_there_already_is_not_read(machine: Machine) -> None:
    write(machine, 1)
    machine.collect()
    upload = machine.ship(Unreachable(ObjectExists("412")))
    assert (upload.sent, upload.waiting, files(machine.spool)) == ((), (), [])


def test_a_file_that_was_sent_and_not_yet_deleted_is_sent_once(machine: Machine) -> None:
    write(machine, 1)
    machine.collect()
    (file,) = files(machine.spool)
    content = file.read_bytes()
    machine.ship()
    file.write_bytes(content)
    machine.ship()
    assert len(machine.sent()) == 1


@pytest.mark.parametrize("what", ["its state is lost", "the machine has another name"])
def test_waiting_batch_is_sent_to_folder_of_its_writer(machine: Machine, what: str) -> None:
    write(machine, 1)
    with closing(CheckpointStore.open(machine.state, "one")) as store:
        writer = store.collector_id
        machine.collector(store).collect()
    (file,) = files(machine.spool)
    if what == "its state is lost":
        (machine.state / "state.sqlite").unlink()
    with closing(CheckpointStore.open(machine.state, "other")) as store:
        assert store.collector_id != writer
        (sent,) = ship(machine.spool, machine.lake, store.collector_id).sent
    assert sent.version.name == f"drop/usage_events/{writer}/{file.name}"


def test_foreign_spool_file_is_sent_to_own_folder(machine: Machine) -> None:
    machine.spool.mkdir(parents=True)
    (machine.spool / "00000001-0123456789abcdef.parquet").write_bytes(b"no parquet")
    (sent,) = machine.ship().sent
    with closing(CheckpointStore.open(machine.state)) as store:
        assert sent.version.name.startswith(f"drop/usage_events/{store.collector_id}/")
