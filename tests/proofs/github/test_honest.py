"""The smallest honest proof of GitHub as a source, through the functions as they are deployed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.proofs.faults.world import replaced
from tests.proofs.github import honest, mutants
from tests.proofs.github.account import Account, opened
from tests.proofs.github.mutants import CAUGHT_BY, Mutant

from millrace.extract.sources.github.listing import ByGraphQL

LARGEST = 100
SAMPLE = (
    mutants.the_different_numbers_are_not_compared_with_the_total,
    mutants.a_refused_repository_has_no_row,
    mutants.every_owner_is_on_the_list,
)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with opened(tmp_path) as one:
        yield one


@pytest.mark.slow
def test_every_cell_is_the_truth_while_others_work(account: Account) -> None:
    assert honest.read_while_others_work(account, honest.company()) == []


@pytest.mark.slow
def test_a_fault_of_each_kind_leaves_the_same_rows_in_fewer_than_20_requests(account: Account) -> None:
    with replaced(ByGraphQL, "largest", LARGEST):
        requests, wrong = honest.read_disturbed(account, honest.company())
    assert wrong == []
    assert requests == 19


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(each, marks=pytest.mark.slow if each in SAMPLE else pytest.mark.proof) for each in CAUGHT_BY],
    ids=lambda mutant: mutant.__name__,
)
def test_a_check_notices_that(tmp_path: Path, mutant: Mutant) -> None:
    with opened(tmp_path / "clean") as account:
        assert CAUGHT_BY[mutant](account) == []
    with mutant(), opened(tmp_path / "mutated") as account:
        assert CAUGHT_BY[mutant](account) != []
