"""The process stops at one place of a run, before it or after it; then everything is delivered again. Every place."""

from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.simulating import Outcome, simulate
from tests.proofs.faults.world import tiny

_ONE_RUN = {"no next run #1": 1, "faults of the build #1": 1, "a stand-in for dbt #1": 1}
_CHUNKS = 8
_CHANGING = ("write", "publish", "start", "load", "start_build", "end_build", "first", "second")
StopPoint = tuple[str, int]


@pytest.fixture(autouse=True)
def tiny_world() -> Iterator[None]:
    with tiny():
        yield


@cache
def places() -> list[StopPoint]:
    """Return every call of one undisturbed run: the process may stop before each, and after each that writes.

    A stop after a call that only reads equals a stop before the next.
    """
    found: list[StopPoint] = []
    for (name, what), times in sorted(simulate(Choices.of_schedule(_ONE_RUN)).crossed.items()):
        assert what == "passed"
        is_changing = name.partition(".")[2] in _CHANGING
        found += [(f"{name} #{number}", stop) for number in range(1, times + 1) for stop in (1, 2)[: 1 + is_changing]]
    return found


def stopped_at(place: StopPoint) -> Outcome:
    name, stop = place
    return simulate(Choices.of_schedule(_ONE_RUN | {name: stop}))


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_a_crash_at_any_one_place_changes_nothing(chunk: int) -> None:
    outcomes = {place: stopped_at(place) for place in places()[chunk::_CHUNKS]}
    assert {place: outcome.message for place, outcome in outcomes.items() if outcome.rule} == {}
    assert {outcome.faults for outcome in outcomes.values()} == {1}


def test_the_places_are_those_of_every_adapter() -> None:
    adapters = Counter(name.partition(" ")[0].partition(".")[0].partition(":")[0] for name, _ in places())
    assert set(adapters) == {"lake", "bus", "job", "warehouse", "source", "dbt"}
