"""Each fault of a GitHub has the outcome that docs/connect-github.md says, and nothing is short without a word."""

from pathlib import Path

import pytest
from tests.proofs.github.faults import FAULTS, Fault, outcome_of, promised

# Those that take less than a second, and two: without a repository, and with most of what is asked again.
SAMPLE = (
    "sixteen answers 502 in a row",
    "a repository is deleted after the listing",
    "single sign-on hides a repository",
    "the token may not read a repository",
    "pull requests are turned off, a repository is empty",
)


@pytest.mark.fast
def test_the_sample_is_of_the_faults() -> None:
    assert {fault.name for fault in FAULTS} >= set(SAMPLE)


@pytest.mark.fast
def test_the_page_has_a_line_for_each_fault_and_no_other() -> None:
    assert [line.split(" | ")[0].removeprefix("| ") for line in promised()] == [fault.name for fault in FAULTS]


@pytest.mark.parametrize(
    "fault",
    [pytest.param(each, marks=pytest.mark.slow if each.name in SAMPLE else pytest.mark.proof) for each in FAULTS],
    ids=lambda fault: fault.name,
)
def test_the_outcome_is_as_the_page_says(tmp_path: Path, fault: Fault) -> None:
    outcome = outcome_of(fault, tmp_path)
    assert outcome.wrong == ()
    assert str(outcome) in promised()
