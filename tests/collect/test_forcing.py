"""A forced reading replaces an older parser's results, even when it is stopped in between."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.collect.machine import Machine, outputs, request, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectLimits
from millrace.collect.parsers import claude_usage, event


@pytest.fixture
def wrong_parser(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A parser of Claude's logs that counts ten times too much."""
    tokens = claude_usage.read_tokens

    def tenfold(usage: Any) -> event.Tokens:
        right = tokens(usage)
        return replace(right, output_tokens=(right.output_tokens or 0) * 10)

    monkeypatch.setattr(claude_usage, "read_tokens", tenfold)
    return monkeypatch


def test_a_corrected_parser_takes_effect(machine: Machine, wrong_parser: pytest.MonkeyPatch) -> None:
    machine.log("claude", "S1").write_bytes(response("m1", 3) + response("m1", 7))
    machine.log("claude", "S2").write_bytes(response("m1", 5) + response("m2", 2))
    gone = machine.log("claude", "S3")
    gone.write_bytes(response("m3", 1))
    assert outputs(machine.run()) == {"m1": 70, "m2": 20, "m3": 10}
    gone.unlink()
    wrong_parser.undo()
    assert outputs(machine.run()) == {"m1": 70, "m2": 20, "m3": 10}
    machine.force()
    assert outputs(machine.run()) == {"m1": 7, "m2": 2, "m3": 10}


def test_unchanged_events_are_not_sent_again(machine: Machine) -> None:
    machine.log("claude").write_bytes(response("m1") + response("m2"))
    machine.log("cline", "T1").write_text(json.dumps([request(1, 5)]))
    machine.run()
    machine.force()
    result = machine.collect()
    assert (result.read, result.unchanged, result.batches) == (2, 3, [])
    assert machine.collect().read == 0


def test_element_of_two_tasks_has_maximum_when_sent_in_separate_batches(
    machine: Machine,
) -> None:
    machine.limits = CollectLimits(batch_rows=1)
    one = machine.log("cline", "T1")
    other = machine.home / ".vscode-server/data/User" / Path(*one.parts[-5:])
    other.parent.mkdir(parents=True)
    one.write_text(json.dumps([request(1, 500)]))
    other.write_text(json.dumps([request(1, 300)]))
    machine.run()
    one.write_text(json.dumps([request(1, 100)]))
    machine.force()
    assert list(outputs(machine.run()).values()) == [300]


def test_element_left_in_one_of_two_tasks_has_its_value(machine: Machine) -> None:
    one = machine.log("cline", "T1")
    other = machine.home / ".vscode-server/data/User" / Path(*one.parts[-5:])
    other.parent.mkdir(parents=True)
    one.write_text(json.dumps([request(1, 500)]))
    other.write_text(json.dumps([request(1, 300)]))
    machine.run()
    one.unlink()
    machine.force()
    assert list(outputs(machine.run()).values()) == [300]


def test_a_forced_reading_that_is_stopped_goes_on(machine: Machine, wrong_parser: pytest.MonkeyPatch) -> None:
    machine.limits = CollectLimits(chunk_bytes=500, batch_rows=2)
    for name in ("S1", "S2"):
        lines = [response(f"{name}-m{number}", 1) for number in range(9)]
        machine.log("claude", name).write_bytes(b"".join(lines))
    machine.run()
    wrong_parser.undo()
    machine.force()

    def stop(done: int, total: int, path: object) -> None:
        if done > 1000:
            raise KeyboardInterrupt

    with closing(CheckpointStore.open(machine.state)) as store, pytest.raises(KeyboardInterrupt):
        machine.collector(store).collect(on_progress=stop)
    assert set(outputs(machine.run()).values()) == {1}
