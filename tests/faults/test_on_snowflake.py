"""The same schedules over the stand-in for Snowflake, by the same checks; `--snowflake` runs as many as one likes."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.faults.choices import Choices
from tests.faults.many import ON_SNOWFLAKE
from tests.faults.simulating import Outcome, simulate
from tests.faults.world import replaced, tiny

from millrace.warehouse import snowflake_ledger, snowflake_merge
from millrace.warehouse.snowflake import SnowflakeWarehouse

_CASES = range(4)
_A_DUPLICATE = 11
_AN_OLDER_ROW = 10


@pytest.fixture(autouse=True)
def tiny_world() -> Iterator[None]:
    with tiny():
        yield


def run(seed: int, **given: int) -> Outcome:
    named = {f"{name.replace('_', ' ')} #1": choice for name, choice in given.items()}
    return simulate(Choices.of_seed(seed, ON_SNOWFLAKE | named))


@pytest.mark.parametrize("seed", _CASES)
def test_a_schedule_ends_as_a_clean_run(seed: int) -> None:
    outcome = run(seed)
    assert outcome.rule is None, outcome.message
    assert outcome.crossed["snowflake:COMMIT", "passed"] > 3


def test_a_load_that_does_not_look_into_the_ledger_is_noticed() -> None:
    load = SnowflakeWarehouse.load

    def mutated(self: SnowflakeWarehouse, batch: Any) -> Any:
        with replaced(snowflake_ledger, "find", lambda execute, version: None):
            return load(self, batch)

    with replaced(SnowflakeWarehouse, "load", mutated):
        assert run(_A_DUPLICATE).rule is not None


def test_an_older_row_that_wins_is_noticed() -> None:
    fate = snowflake_merge._fate
    with replaced(snowflake_merge, "_fate", lambda merge: fate(merge).replace("'superseded'", "'updated'")):
        assert run(_AN_OLDER_ROW, more_runs=4, overlaps=2, late=2).rule is not None


def test_rows_that_are_merged_outside_of_the_transaction_are_noticed() -> None:
    note = snowflake_ledger.note

    def mutated(execute: Any, entries: Any) -> None:
        execute("COMMIT")
        execute("BEGIN")
        note(execute, entries)

    with replaced(snowflake_ledger, "note", mutated):
        assert any(run(seed, faults=3).rule is not None for seed in _CASES)
