"""The collector's memory does not grow with the logs."""

import tracemalloc
from contextlib import closing

from tests.collect.machine import Machine, cursor_database, put, response

from millrace.collect.checkpoints import CheckpointStore

LOG_BYTES = 40 << 20
MOST_BYTES = 28 << 20


def peak_bytes(machine: Machine) -> int:
    with closing(CheckpointStore.open(machine.state)) as store:
        collector = machine.collector(store)
        tracemalloc.start()
        try:
            assert collector.collect().size_bytes >= LOG_BYTES
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_a_long_log_is_not_held_at_once(machine: Machine) -> None:
    with machine.log("claude").open("wb") as file:
        for number in range(LOG_BYTES // 20_000):
            file.write(response(f"m{number}", text="x" * 20_000))
    assert peak_bytes(machine) < MOST_BYTES


def test_a_large_database_is_not_held_at_once(machine: Machine) -> None:
    with closing(cursor_database(machine.log("cursor"))) as database:
        database.execute("begin")
        put(database, ((f"bubbleId:C1:B{number}", "x" * 20_000) for number in range(LOG_BYTES // 20_000 + 1)))
        database.execute("commit")
    assert peak_bytes(machine) < MOST_BYTES


def test_the_billed_events_are_not_held_at_once(machine: Machine) -> None:
    machine.log("claude").write_bytes(b"".join(response(f"m{number}") for number in range(5000)))
    with closing(CheckpointStore.open(machine.state)) as store:
        machine.collector(store).read()
        tracemalloc.start()
        try:
            assert sum(1 for _ in store.current()) == 5000
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()
