"""Copies of one response under several requests are sent as one event, whatever the order in which they are read."""

import random
from contextlib import closing
from itertools import permutations

import pytest
from tests.collect.machine import Machine, response

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectLimits

EARLY, LATE = "2026-01-02T03:04:05Z", "2026-01-02T04:00:00Z"
UNIQUE = "msg_01AbCdEfGhIjKlMnOpQr"


def copy(request: str | None, at: str = EARLY, output: int = 7, session: str = "S1", message: str = UNIQUE) -> bytes:
    return response(message, output, at, requestId=request, sessionId=session)


def in_force(machine: Machine) -> dict[tuple[str, str | None], int]:
    """Return the output tokens of what is not withdrawn, by message and request."""
    rows = [row for row in machine.merged() if not row["is_withdrawn"]]
    return {(row["message_id"], row["request_id"]): row["output_tokens"] for row in rows}


def withdrawn(machine: Machine) -> list[str | None]:
    return [row["request_id"] for row in machine.merged() if row["is_withdrawn"]]


def test_a_copy_with_another_request_is_one_event(machine: Machine) -> None:
    machine.log("claude", "S1").write_bytes(copy("r1", EARLY))
    machine.log("claude", "S2").write_bytes(copy("r2", LATE, 9))
    result = machine.collect()
    machine.ship()
    assert in_force(machine) == {(UNIQUE, "r1"): 9}
    assert (result.rows, len(machine.sent()), withdrawn(machine)) == (1, 1, [])


@pytest.mark.parametrize("limits", [CollectLimits(), CollectLimits(chunk_bytes=200, batch_rows=1)])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_copies_that_come_one_by_one_end_as_one_event(
    machine: Machine, order: tuple[int, ...], limits: CollectLimits
) -> None:
    machine.limits = limits
    copies = [copy("r1", "2026-01-02T01:00:00Z", 5), copy("r2", "2026-01-02T02:00:00Z", 9), copy(None, EARLY, 6)]
    for place in order:
        machine.log("claude", f"S{place}").write_bytes(copies[place])
        machine.run()
    assert in_force(machine) == {(UNIQUE, "r1"): 9}
    assert machine.collect().batches == []


def test_an_earlier_copy_withdraws_the_request_that_was_sent(machine: Machine) -> None:
    machine.log("claude", "S1").write_bytes(copy("r2", LATE))
    machine.run()
    machine.log("claude", "S0").write_bytes(copy("r1", EARLY))
    result = machine.collect()
    machine.ship()
    assert (result.changed, result.withdrawn, result.rows) == (1, 1, 2)
    assert (in_force(machine), withdrawn(machine)) == ({(UNIQUE, "r1"): 7}, ["r2"])
    (gone,) = [row for row in machine.merged() if row["is_withdrawn"]]
    assert (gone["output_tokens"], gone["occurred_at"].hour) == (7, 4)


def test_a_later_line_that_joins_events_withdraws_what_is_no_event_any_more(machine: Machine) -> None:
    one, other = copy("r1", EARLY, 1, "S1", "msg_1"), copy("r2", LATE, 2, "S2", "msg_1")
    machine.log("claude", "S1").write_bytes(one)
    machine.log("claude", "S2").write_bytes(other)
    machine.run()
    assert in_force(machine) == {("msg_1", "r1"): 1, ("msg_1", "r2"): 2}
    joining = copy("r3", EARLY, 3, "S2", "msg_1")  # with the session of one, and the instant of the other
    machine.log("claude", "S3").write_bytes(joining)
    machine.run()
    alone = Machine(machine.folder / "alone")
    for number, line in enumerate((one, other, joining), 1):
        alone.log("claude", f"S{number}").write_bytes(line)
    alone.run()
    assert (in_force(machine), withdrawn(machine)) == (in_force(alone), ["r2"])


def test_a_request_that_comes_back_is_sent_again(machine: Machine) -> None:
    log, later = machine.log("claude", "S0"), machine.log("claude", "S1")
    later.write_bytes(copy("r2", LATE))
    machine.run()
    log.write_bytes(copy("r1", EARLY))
    machine.run()
    log.write_bytes(
        copy("r1", "2026-01-03T00:00:00Z") + response("m2", requestId="q2")
    )  # as another agent wrote it again, later
    machine.run()
    assert in_force(machine) == {(UNIQUE, "r2"): 7, ("m2", "q2"): 7}
    assert withdrawn(machine) == ["r1"]


def test_what_was_never_sent_is_not_withdrawn(machine: Machine) -> None:
    machine.limits = CollectLimits(batch_rows=1000)
    for number, name in enumerate("cba"):
        machine.log("claude", name).write_bytes(copy(f"r{number}", f"2026-01-0{5 - number}T00:00:00Z"))
    machine.run()
    assert (len(machine.sent()), withdrawn(machine)) == (1, [])


@pytest.mark.parametrize("seed", range(40))
def test_any_history_of_copies_ends_as_all_of_its_lines_at_once(machine: Machine, seed: int) -> None:
    dice = random.Random(f"copies {seed}")  # noqa: S311 a test's dice
    machine.limits = CollectLimits(chunk_bytes=dice.choice((250, 5000)), batch_rows=dice.choice((1, 3, 1000)))
    ids = [UNIQUE, "msg_1", "msg_2"]
    requests = [None, "r1", "r2", "r3"]
    for _ in range(dice.randrange(4, 14)):
        with machine.log("claude", f"S{dice.randrange(4)}").open("ab") as log:
            at = f"2026-01-02T0{dice.randrange(8)}:00:00Z"
            session = f"S{dice.randrange(3)}"
            log.write(copy(dice.choice(requests), at, dice.randrange(9), session, dice.choice(ids)))
        if dice.random() < 0.7:
            machine.run()
    machine.run()
    found = {
        (row["message_id"], row["request_id"]): (row["output_tokens"], row["occurred_at"], row["session_id"])
        for row in machine.merged()
        if not row["is_withdrawn"]
    }
    alone = Machine(machine.folder / "alone")
    alone.home.parent.mkdir()
    machine.home.rename(alone.home)
    assert found == {
        (row["message_id"], row["request_id"]): (row["output_tokens"], row["occurred_at"], row["session_id"])
        for row in alone.run()
    }
    assert all(not row["is_withdrawn"] for row in alone.merged())
    assert len(_current(alone)) == len(found)


def _current(machine: Machine) -> list[tuple[str | int | None, ...]]:
    with closing(CheckpointStore.open(machine.state)) as store:
        return list(store.current())
