"""Schedules over the Snowflake emulator, with the same checks: `--snowflake` runs any number, these are a few.

The schedules known to notice a removed guard consist of a few named decisions: they stay the same when a change
of the adapter changes the drawn ones.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.many import ON_SNOWFLAKE
from tests.proofs.faults.merge_mutants import an_older_row_wins
from tests.proofs.faults.simulating import Outcome, simulate
from tests.proofs.faults.world import replaced, tiny

from millrace.warehouse.snowflake import ledger
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

_CASES = (2, 3)
_SHORT = {"more runs #1": 0, "drops #1": 0, "faults #1": 3}  # one run, and as many faults as possible

Mutant = Callable[[], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def tiny_world() -> Iterator[None]:
    with tiny():
        yield


@pytest.mark.parametrize("seed", _CASES)
def test_a_schedule_ends_as_a_clean_run(seed: int) -> None:
    outcome = simulate(Choices.of_seed(seed, ON_SNOWFLAKE | _SHORT))
    assert outcome.rule is None, outcome.message
    assert outcome.crossed["snowflake:COMMIT", "passed"] > 3
    assert outcome.faults > 3


def a_load_does_not_look_into_the_ledger() -> AbstractContextManager[None]:
    load = SnowflakeWarehouse.load

    def mutated(self: SnowflakeWarehouse, batch: Any) -> Any:
        with replaced(ledger, "find", lambda execute, version: None):
            return load(self, batch)

    return replaced(SnowflakeWarehouse, "load", mutated)


def rows_and_ledger_are_two_transactions() -> AbstractContextManager[None]:
    note = ledger.note

    def mutated(execute: Any, entries: Any) -> None:
        execute("COMMIT")
        execute("BEGIN")
        note(execute, entries)

    return replaced(ledger, "note", mutated)


def replay(schedule: dict[str, int]) -> Outcome:
    return simulate(Choices.of_schedule(ON_SNOWFLAKE | {"no next run #1": 1} | schedule))


# The first load stops before it merges, and a copy of its message overtakes it.
_A_COPY_OVERTAKES = {"handlers #1": 1, "delivered again #5": 1, "a switch #22": 1, "turn #6": 1, "message #6": 4}
# The first of two runs loses its announcement; a sweep after the second finds its rows, older than the loaded ones.
_AN_OLD_ROW_COMES_LAST = {"more runs #1": 3, "lost #5": 1}
_A_CRASH_BEFORE_THE_LEDGER = {"snowflake:INSERT #3": 1}  # #1 fills DEDUPLICATED, #2 META.TURN


@pytest.mark.parametrize(
    ("mutant", "schedule", "rule"),
    [
        pytest.param(a_load_does_not_look_into_the_ledger, _A_COPY_OVERTAKES, "ledger"),
        pytest.param(an_older_row_wins, _AN_OLD_ROW_COMES_LAST, "rows"),
        pytest.param(rows_and_ledger_are_two_transactions, _A_CRASH_BEFORE_THE_LEDGER, "inserted"),
    ],
)
def test_a_schedule_notices_that(mutant: Mutant, schedule: dict[str, int], rule: str) -> None:
    assert replay(schedule).rule is None
    with mutant():
        assert replay(schedule).rule == rule
