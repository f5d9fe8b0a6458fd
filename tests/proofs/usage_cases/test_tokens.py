"""Responses, tokens and prompts of each case are right, also with other ids, another order and other counts."""

from pathlib import Path
from random import Random

import pytest
from tests.proofs.usage_cases.cases import CASES, Case, Counts, machine_of, sent
from tests.proofs.usage_cases.changing import change

pytestmark = pytest.mark.fast


def collected(home: Path, case: Case, order: Random | None = None) -> Counts:
    """Return what `millrace collect` sends of a home; with `order`, log by log in a random order."""
    machine = machine_of(home, home.with_name(f"{home.name} state"), environment=case.environment)
    with machine.collector() as collector:
        if order is not None:
            logs = [log for root in machine.roots() for log in root.logs(lambda error: None)]
            for log in order.sample(logs, len(logs)):
                collector.collect(only={log})
        collector.collect()
    return Counts.of(sent(machine.state))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tokens_and_prompts_are_right(tmp_path: Path, case: Case) -> None:
    case.write(tmp_path / "home")
    found = collected(tmp_path / "home", case)
    assert found == case.counts


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_other_ids_order_and_counts_change_the_result_accordingly(tmp_path: Path, case: Case, seed: int) -> None:
    random = Random(f"{case.name}/{seed}")  # noqa: S311
    case.write(tmp_path / "home")
    factor = change(tmp_path / "home", tmp_path / "changed", random)
    assert collected(tmp_path / "changed", case, random) == case.counts.times(factor)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_home_that_is_read_again_changes_nothing(tmp_path: Path, case: Case) -> None:
    case.write(tmp_path / "home")
    before = collected(tmp_path / "home", case)
    with machine_of(tmp_path / "home", tmp_path / "home state", environment=case.environment).collector() as collector:
        collector.force()
        assert collector.collect().new == 0
    assert Counts.of(sent(tmp_path / "home state")) == before
