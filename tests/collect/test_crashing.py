"""Wherever a run is stopped, the next one ends with the same events, and each of them is sent."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.collect.machine import Machine, Row, bubble, cursor_database, put, response

from millrace.collect import collector as collecting, outbox, records
from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectLimits


class Crash(BaseException):
    """The machine lost power."""


def grow(machine: Machine, part: int) -> None:
    """Append to the agents' logs."""
    with machine.log("claude").open("ab") as file:
        file.writelines(response(f"m{number}", part) for number in range(part * 6, part * 6 + 9))
    with closing(cursor_database(machine.log("cursor"))) as database:
        put(database, [(f"bubbleId:C1:B{number}", bubble(part)) for number in range(part, part + 4)])


def undisturbed(folder: Path) -> list[Row]:
    machine = Machine(folder, limits=CollectLimits(chunk_bytes=700, batch_rows=2))
    for part in (1, 2):
        grow(machine, part)
        machine.run()
    return content(machine)


def content(machine: Machine) -> list[Row]:
    return [
        {name: row[name] for name in row if name not in ("collector_id", "_extracted_at")} for row in machine.merged()
    ]


STEPS: dict[str, tuple[Any, str]] = {
    "a file is put by": (outbox, "put"),
    "a file gets its name": (Path, "replace"),
    "a file's content is made durable": (os, "fsync"),
    "a batch is noted": (CheckpointStore, "save_batch"),
    "all is committed": (CheckpointStore, "commit"),
    "a log's place is noted": (CheckpointStore, "save_log"),
    "events are merged": (CheckpointStore, "save_events"),
    "lines are counted": (CheckpointStore, "save_skipped"),
    "a file is made": (records, "to_parquet"),
}


def crashing(original: Callable[..., Any], at: int, is_after: bool) -> Callable[..., Any]:
    calls = 0

    def step(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not is_after:
            raise Crash
        result = original(*arguments, **named)
        if calls == at:
            raise Crash
        return result

    return step


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """The contents of the lake when nothing is stopped."""
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.slow
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_tick_that_is_stopped_loses_and_doubles_nothing(
    machine: Machine, expected: list[Row], monkeypatch: pytest.MonkeyPatch, step: str, at: int, is_after: bool
) -> None:
    machine.limits = CollectLimits(chunk_bytes=700, batch_rows=2)
    owner, name = STEPS[step]
    store = CheckpointStore.open(machine.state)
    collector = machine.collector(store)
    grow(machine, 1)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, crashing(getattr(owner, name), at, is_after))
        patch.setattr(CheckpointStore, "roll_back", lambda store: None)  # a machine without power cannot tidy up
        patch.setattr(collecting.Collector, "_tidy", lambda collector: None)
        with pytest.raises(Crash):
            collector.collect()
    store.close()
    machine.run()
    grow(machine, 2)
    machine.run()
    assert content(machine) == expected
    assert len(set(map(str, machine.sent()))) == len(machine.sent())
    assert list(machine.spool.iterdir()) == []


def test_failed_tick_leaves_no_state_for_next_tick(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(machine, 1)
    with closing(CheckpointStore.open(machine.state)) as store:
        collector = machine.collector(store)
        with monkeypatch.context() as patch:
            patch.setattr(CheckpointStore, "save_batch", crashing(CheckpointStore.save_batch, 1, is_after=True))
            with pytest.raises(Crash):
                collector.collect()
        assert list(machine.spool.iterdir()) == []
        assert collector.collect().rows == 13


def test_a_state_that_cannot_be_written_is_no_bad_log(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(store: CheckpointStore) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    grow(machine, 1)
    with closing(CheckpointStore.open(machine.state)) as store:
        collector = machine.collector(store)
        monkeypatch.setattr(CheckpointStore, "commit", full)
        with pytest.raises(sqlite3.OperationalError, match="full"):
            collector.collect()
