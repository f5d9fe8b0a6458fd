"""Real processes, really killed; `make faults-kill` kills at every step."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.proofs.killing.killable import KillPoint
from tests.proofs.killing.killing import End, run
from tests.proofs.killing.sweep import Sweep, sweep

ON_THE_WAY = "load: after DuckDBWarehouse.load raw/repos/dt=*/run=*/repos-00000.parquet"
IN_THE_BUILD = "dbt: after model int_reviews_attributed"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> End:
    data = tmp_path_factory.mktemp("clean")
    finished = run(data)
    assert finished.code == 0, finished.err
    return End.of(data)


@pytest.mark.parametrize("step", [pytest.param(ON_THE_WAY, id="on the way"), pytest.param(IN_THE_BUILD, id="building")])
def test_a_run_that_is_killed_is_finished_by_the_next(tmp_path: Path, clean: End, step: str) -> None:
    assert run(tmp_path, KillPoint(step, 1)).is_killed
    finished = run(tmp_path)
    assert finished.code == 0, finished.err
    assert End.of(tmp_path).differs(clean) == []


@pytest.fixture(scope="module")
def begun(clean: End, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with sweep(tmp_path_factory.mktemp("sweep"), clean) as begun:
        yield begun


def test_wherever_a_run_is_killed_the_next_ends_as_the_clean_one(begun: Sweep) -> None:
    outcomes = list(begun.at_each(begun.places()[20::40]))
    assert [outcome.err for outcome in outcomes if outcome.wrong] == []
    assert sum(bool(outcome.killed) for outcome in outcomes) > len(outcomes) / 2  # a race may keep a run from a place


def test_run_killed_during_recovery_is_finished_by_next(begun: Sweep) -> None:
    outcomes = list(begun.chains(range(4), begun.places()))
    assert [outcome.err for outcome in outcomes if outcome.wrong] == []
    assert sum(len(outcome.killed) for outcome in outcomes) > len(outcomes)
