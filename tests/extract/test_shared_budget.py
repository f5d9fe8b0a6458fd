"""The budget that the tasks of a deployment share through an object of the lake."""

import json
from pathlib import Path

import pytest
from tests.extract.answering import Clock
from tests.extract.delivering import SimulatedClock

from millrace.extract.budget import SharedBudget
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.lake.local import LocalLake
from millrace.lake.names import RateKey, parse
from simulator.limiter import TokenBucket

RATE = str(RateKey())


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake", "lake")


def budget_of(lake: LocalLake, clock: Clock, per_minute: float = 100) -> SharedBudget:
    return SharedBudget(lake, per_minute, clock, clock.sleep)


@pytest.mark.parametrize("per_minute", [2, 20, 100, 6000])
def test_one_reader_has_the_whole_limit(lake: LocalLake, per_minute: float) -> None:
    clock = Clock()
    budget = budget_of(lake, clock, per_minute)
    began_s = clock.now_s
    requests = int(per_minute * 3)
    waited_s = sum(budget.take() for _ in range(requests))
    assert clock.now_s - began_s == pytest.approx(waited_s)
    assert waited_s == pytest.approx((requests - 0.75 * per_minute) / per_minute * 60, rel=0.1)


def test_the_next_process_begins_with_what_the_last_one_left(lake: LocalLake) -> None:
    clock = Clock()
    [budget_of(lake, clock).take() for _ in range(15)]  # each takes five tokens and uses one
    began_s = clock.now_s
    budget_of(lake, clock).take()
    assert clock.now_s - began_s == pytest.approx(3.0, abs=0.1)


def test_a_rest_fills_it_to_its_capacity_and_no_further(lake: LocalLake) -> None:
    clock = Clock()
    budget = budget_of(lake, clock)
    clock.now_s += 86_400
    assert [budget.take() for _ in range(75)] == [0.0] * 75
    assert budget.take() > 0


def test_four_readers_share_it_and_the_source_refuses_none(lake: LocalLake) -> None:
    clock = SimulatedClock()
    source, refused, requests = TokenBucket(clock), [0], [0, 0, 0, 0]

    def read(number: int) -> None:
        budget = SharedBudget(lake, 100, clock.epoch, clock.sleep)
        while clock.now_s < 240:
            budget.take()
            clock.sleep(0.2)
            refused[0] += source.take() is not None
            requests[number] += 1

    clock.run(*(lambda number=number: read(number) for number in range(4)))
    assert refused == [0]
    assert sum(requests) == pytest.approx(75 + 400, rel=0.05)
    assert min(requests) > max(requests) * 0.7


def test_a_refusal_holds_all_readers(lake: LocalLake) -> None:
    clock = Clock()
    first, second = budget_of(lake, clock), budget_of(lake, clock)
    first.refused(30.0)
    before_s = clock.now_s
    assert second.take() == pytest.approx(3.0, abs=0.1)  # thirty seconds have passed meanwhile
    first.refused(0.0)
    assert clock.now_s - before_s < 4


def test_a_refusal_longer_than_the_delivery_is_kept_for_the_next_one(lake: LocalLake) -> None:
    clock = Clock()
    with pytest.raises(OutOfTime, match="has to wait for 600 s"):
        budget_of(lake, clock).refused(600.0, Deadline(clock.now_s + 100, clock))
    with pytest.raises(OutOfTime, match="has to wait for 603 s"):
        budget_of(lake, clock).take(Deadline(clock.now_s + 100, clock))
    assert clock.slept == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"tokens": -1, "refilled_at": 0, "readers": {}}',
        b'{"tokens": NaN, "refilled_at": 0, "readers": {}}',
        b'{"tokens": 1e9, "refilled_at": 1e99, "readers": {}}',
        b'{"tokens": 5, "refilled_at": 0, "readers": []}',
    ],
)
def test_a_damaged_budget_starts_empty_and_exceeds_nothing(lake: LocalLake, content: bytes) -> None:
    lake.write(RATE, content, if_generation=0)
    clock = Clock()
    assert budget_of(lake, clock).take() == pytest.approx(3.0, abs=0.1)
    assert json.loads(lake.read(RATE)[0])["tokens"] < 5


def test_readers_that_are_gone_are_forgotten(lake: LocalLake) -> None:
    clock = Clock()
    for _ in range(3):
        budget_of(lake, clock).take()
    clock.now_s += 60
    budget_of(lake, clock).take()
    assert len(json.loads(lake.read(RATE)[0])["readers"]) == 1


def test_the_object_has_a_name_of_the_lake() -> None:
    assert parse("state/rate.json") == RateKey()


def test_a_short_refusal_does_not_end_a_long_one(lake: LocalLake) -> None:
    clock, other = Clock(), Clock()
    with pytest.raises(OutOfTime):
        budget_of(lake, clock).refused(3000, Deadline(clock.now_s + 60, clock))
    budget_of(lake, other).refused(2)
    assert budget_of(lake, other).take() == pytest.approx(2998, abs=5)


def test_a_limit_that_is_reset_in_an_hour_is_no_clock_that_is_ahead(lake: LocalLake) -> None:
    clock = Clock()
    with pytest.raises(OutOfTime):
        budget_of(lake, clock).refused(3601, Deadline(clock.now_s + 60, clock))
    assert budget_of(lake, clock).take() == pytest.approx(3601, abs=5)
