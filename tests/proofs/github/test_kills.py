"""Runs that are killed and taken up: a sample; `python -m tests.proofs.github --kills` does twenty larger ones."""

import pytest
from tests.proofs.github.kills import killed


@pytest.mark.slow
def test_a_killed_run_ends_with_the_truth_and_repeats_one_page_for_each_kill() -> None:
    outcome = killed(3, 1, 60, 1)
    assert outcome.wrong == ()
    assert outcome.kills == 1
    assert outcome.pages_again <= outcome.kills
