"""Logs that were read by older rules are read again, and what they do not make any more is withdrawn."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.collect.machine import NOON, Machine, bubble, cursor_database, outputs, put, request, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectLimits, CollectResult
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import UsageEvent
from millrace.collect.parsers.reading import PARSER_LIMITS, LogState, ParserLimits, Reading


@contextmanager
def rules_of_before() -> Iterator[None]:
    """Read as an older version: each response is ten times too large, and there is a phantom beside it."""

    def older(name: str) -> None:
        agent = AGENTS[name]

        def read(content: bytes, state: LogState, caps: ParserLimits = PARSER_LIMITS) -> Reading:
            reading = agent.read(content, state, caps)
            return replace(
                reading, events=tuple(made for event in reading.events for made in (wrong(event), phantom(event)))
            )

        AGENTS[name] = replace(agent, read=read, rules=agent.rules - 1)

    now = dict(AGENTS)
    for name in now:
        older(name)
    try:
        yield
    finally:
        AGENTS.update(now)


def wrong(event: UsageEvent) -> UsageEvent:
    return replace(event, tokens=replace(event.tokens, output_tokens=(event.tokens.output_tokens or 0) * 10))


def phantom(event: UsageEvent) -> UsageEvent:
    return replace(event, message_id=f"{event.message_id}-9")


def in_force(machine: Machine) -> dict[str, int]:
    return outputs(row for row in machine.merged() if not row["is_withdrawn"])


def write(machine: Machine, agent: str, *numbers: int) -> Path:
    """Write a log of an agent whose responses have 1, 2, … output tokens."""
    path = machine.log(agent)
    if agent == "cursor":
        with closing(cursor_database(path)) as database:
            put(database, [(f"bubbleId:C1:B{number}", bubble(number)) for number in numbers])
    elif AGENTS[agent].is_document:
        path.write_text(json.dumps([request(number, number) for number in numbers]))
    else:
        path.write_bytes(b"".join(response(f"m{number}", number) for number in numbers))
    return path


AGENTS_OF_ALL_KINDS = ["claude", "cline", "cursor"]


@pytest.mark.parametrize("agent", AGENTS_OF_ALL_KINDS)
def test_newer_rules_replace_what_older_ones_made(machine: Machine, agent: str) -> None:
    write(machine, agent, 1, 2)
    with rules_of_before():
        assert sorted(outputs(machine.run()).values()) == [1, 2, 10, 20]
        assert machine.collect().read == 0
    result = machine.collect()
    machine.ship()
    assert (result.read, result.gone_rules) == (1, {})
    assert sorted(in_force(machine).values()) == [1, 2]
    assert result.withdrawn == 2
    assert machine.collect() == CollectResult(looked_at=1)


def test_progress_of_a_log_that_is_read_again_is_reported(machine: Machine) -> None:
    log = write(machine, "claude", 1, 2)
    with rules_of_before():
        machine.run()
    heard: list[tuple[int, int, Path]] = []
    with closing(CheckpointStore.open(machine.state)) as store:
        machine.collector(store).collect(on_progress=lambda *now: heard.append(now))
    assert heard[-1] == (log.stat().st_size, log.stat().st_size, log)


def test_an_event_that_another_log_makes_is_not_withdrawn(machine: Machine) -> None:
    machine.log("claude", "S1").write_bytes(response("m1", 1))
    machine.log("claude", "S2").write_bytes(response("m1-9", 1) + response("m2", 2))
    with rules_of_before():
        machine.run()
    machine.run()
    assert in_force(machine) == {"m1": 1, "m1-9": 1, "m2": 2}


@pytest.mark.parametrize("agent", AGENTS_OF_ALL_KINDS)
def test_a_log_that_is_gone_keeps_its_events_and_is_named(machine: Machine, agent: str) -> None:
    log = write(machine, agent, 1)
    with rules_of_before():
        before = outputs(machine.run())
    log.unlink()
    result = machine.collect()
    machine.ship()
    assert in_force(machine) == before
    assert result.gone_rules == {log: AGENTS[agent].rules - 1}
    assert machine.collect().gone_rules == {}
    with closing(CheckpointStore.open(machine.state)) as store:
        assert store.gone_rules() == {log: AGENTS[agent].rules - 1}


def rewritten(log: Path, agent: str) -> None:
    """Write a log of the same size anew, in which another response replaces the first."""
    if agent == "cursor":
        with closing(cursor_database(log)) as database:
            database.execute("delete from cursorDiskKV where key = 'bubbleId:C1:B1'")
            put(database, [("bubbleId:C1:B9", bubble(9))])
    else:
        status = log.stat()
        log.write_bytes(log.read_bytes().replace(b'"m1"', b'"m9"').replace(b"767322801000", b"767322809000"))
        os.utime(log, ns=(status.st_mtime_ns + 10**9,) * 2)


@pytest.mark.parametrize("agent", AGENTS_OF_ALL_KINDS)
def test_a_log_that_was_rewritten_keeps_its_events_and_is_named(machine: Machine, agent: str) -> None:
    log = write(machine, agent, 1, 2)
    with rules_of_before():
        before = set(outputs(machine.run()))
    rewritten(log, agent)
    result = machine.collect()
    machine.ship()
    assert before < set(in_force(machine))
    assert result.gone_rules == {log: AGENTS[agent].rules - 1}


def test_history_that_was_rewritten_before_stays(machine: Machine) -> None:
    log = machine.log("claude")
    with rules_of_before():
        log.write_bytes(response("m1", 1) + response("m2", 2))
        machine.run()
        log.write_bytes(response("m2", 2) + response("m3", 3) + response("m4", 4))
        machine.run()
    result = machine.collect()
    machine.ship()
    assert in_force(machine) == {"m1": 10, "m1-9": 1, "m2": 2, "m3": 3, "m4": 4}
    assert result.gone_rules == {log: AGENTS["claude"].rules - 1}


def test_a_log_that_went_on_is_read_again_whole(machine: Machine) -> None:
    log = write(machine, "claude", 1, 2)
    with rules_of_before():
        machine.run()
    with log.open("ab") as file:
        file.write(response("m3", 3))
    result = machine.collect()
    machine.ship()
    assert in_force(machine) == {"m1": 1, "m2": 2, "m3": 3}
    assert result.gone_rules == {}


def test_a_log_that_was_copied_elsewhere_with_its_state_is_still_its_content(machine: Machine) -> None:
    log = write(machine, "claude", 1, 2)
    with rules_of_before():
        machine.run()
    content = log.read_bytes()
    log.unlink()
    log.write_bytes(content)
    os.utime(log, ns=(1, 1))
    machine.run()
    assert in_force(machine) == {"m1": 1, "m2": 2}


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_a_rereading_that_is_stopped_goes_on(machine: Machine, stop_after: int) -> None:
    machine.limits = CollectLimits(chunk_bytes=450, batch_rows=2)
    for name in ("S1", "S2"):
        lines = [response(f"{name}-m{number}", 1) for number in range(6)]
        machine.log("claude", name).write_bytes(b"".join(lines))
    with rules_of_before():
        machine.run()
    calls = 0

    def stop(done: int, total: int, path: object) -> None:
        nonlocal calls
        calls += 1
        if calls == stop_after:
            raise KeyboardInterrupt

    with closing(CheckpointStore.open(machine.state)) as store, pytest.raises(KeyboardInterrupt):
        machine.collector(store).collect(on_progress=stop)
    result = machine.collect()
    machine.ship()
    assert in_force(machine) == {f"{name}-m{number}": 1 for name in ("S1", "S2") for number in range(6)}
    assert (result.gone_rules, machine.collect().read) == ({}, 0)


def test_a_log_rewritten_while_its_rereading_was_stopped_loses_nothing(machine: Machine) -> None:
    machine.limits = CollectLimits(chunk_bytes=450, batch_rows=2)
    log = machine.log("claude")
    log.write_bytes(b"".join(response(f"m{number}", 1) for number in range(8)))
    with rules_of_before():
        before = set(outputs(machine.run()))
    calls = 0

    def stop(done: int, total: int, path: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    with closing(CheckpointStore.open(machine.state)) as store, pytest.raises(KeyboardInterrupt):
        machine.collector(store).collect(on_progress=stop)
    log.write_bytes(b"".join(response(f"x{number}", 1) for number in range(9)))
    machine.run()
    assert set(in_force(machine)) == before | {f"x{number}" for number in range(9)}


def test_only_the_named_logs_are_read_again_in_a_watch(machine: Machine) -> None:
    one, other = machine.log("claude", "S1"), machine.log("claude", "S2")
    one.write_bytes(response("m1", 1))
    other.write_bytes(response("m2", 2))
    with rules_of_before():
        machine.run()
    result = machine.collect(only={one})
    machine.ship()
    assert (result.read, result.withdrawn) == (1, 1)
    assert in_force(machine) == {"m1": 1, "m2": 20, "m2-9": 2}
    machine.run()
    assert in_force(machine) == {"m1": 1, "m2": 2}


def test_withdrawals_of_a_run_since_a_day_leave_what_is_older(machine: Machine) -> None:
    old, new = response("m1", 1, at="2026-01-02T00:00:00Z"), response("m2", 2, at="2026-01-04T00:00:00Z")
    machine.log("claude").write_bytes(old + new)
    with rules_of_before():
        machine.run()
    machine.collect(since=date(2026, 1, 3))
    machine.ship()
    assert {name: in_force(machine)[name] for name in ("m1", "m2")} == {"m1": 10, "m2": 2}
    assert "m2-9" not in in_force(machine)
    machine.run()
    assert in_force(machine) == {"m1": 1, "m2": 2}


def test_an_event_is_never_absent_between_two_runs_since_a_day(machine: Machine) -> None:
    unique = "msg_01AbCdEfGhIjKlMnOpQr"
    machine.log("claude", "S1").write_bytes(response(unique, at="2026-01-02T09:00:00Z", requestId="r2"))
    machine.run()
    machine.log("claude", "S0").write_bytes(response(unique, at="2026-01-02T08:00:00Z", requestId="r1"))
    machine.collect(since=date(2026, 1, 3))
    machine.ship()
    assert in_force(machine) == {unique: 7}
    machine.run()
    assert [row["request_id"] for row in machine.merged() if not row["is_withdrawn"]] == ["r1"]


def test_force_withdraws_what_the_same_content_does_not_make(machine: Machine) -> None:
    write(machine, "claude", 1)
    machine.log("claude", "S2").write_bytes(response("m2", 2))
    rules = {name: agent.rules for name, agent in AGENTS.items()}
    with rules_of_before():
        for name, version in rules.items():
            AGENTS[name] = replace(AGENTS[name], rules=version)
        machine.run()
    machine.log("claude", "S2").unlink()
    machine.run()
    assert in_force(machine) == {"m1": 10, "m1-9": 1, "m2": 20, "m2-9": 2}
    machine.force()
    result = machine.collect()
    machine.ship()
    assert in_force(machine) == {"m1": 1, "m2": 20, "m2-9": 2}
    assert (result.withdrawn, result.gone_rules) == (1, {})


def test_an_event_that_comes_back_after_its_withdrawal_is_sent(machine: Machine) -> None:
    log = write(machine, "claude", 1)
    with rules_of_before():
        machine.run()
    machine.run()
    with log.open("ab") as file:
        file.write(response("m1-9", 5))
    machine.run()
    assert in_force(machine) == {"m1": 1, "m1-9": 5}


def test_withdrawals_are_sent_once_more_after_a_wrong_clock(machine: Machine) -> None:
    write(machine, "claude", 1)
    with rules_of_before():
        machine.run()
    machine.now = lambda: NOON + timedelta(days=9)
    machine.run()
    machine.now = lambda: NOON
    machine.run()
    newest = machine.sent()[-2:]
    assert {(row["message_id"], row["is_withdrawn"], row["_extracted_at"]) for row in newest} == {
        ("m1", False, NOON),
        ("m1-9", True, NOON),
    }


def test_reading_without_sending_leaves_all_to_the_next_collect(machine: Machine) -> None:
    write(machine, "claude", 1, 2)
    with closing(CheckpointStore.open(machine.state)) as store:
        result = machine.collector(store).read()
        assert (result.new, result.rows, result.batches) == (2, 0, [])
        assert len(list(store.current())) == 2
    assert not machine.spool.exists()
    assert outputs(machine.run()) == {"m1": 1, "m2": 2}
