"""Each guard of the pipeline and each part of the merge rule is needed: a schedule, or some files, fail without it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from tests.proofs.faults.merge_mutants import ENGINES, NOTICED_BY, Mutant, difference
from tests.proofs.faults.mutants import CAUGHT_BY, hunt

_MOST_SEEDS = 60  # besides the known one, in case that is another schedule by now


@pytest.mark.parametrize("mutant", CAUGHT_BY, ids=lambda mutant: mutant.__name__)
def test_a_schedule_notices_that(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    found = hunt(mutant, _MOST_SEEDS)
    assert found is not None, "no schedule noticed; python -m tests.proofs.faults --mutants looks through more of them"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mutant", NOTICED_BY, ids=lambda mutant: mutant.__name__)
def test_files_notice_a_mutant_of_the_merge_rule(mutant: Mutant, engine: str) -> None:
    assert difference(None, NOTICED_BY[mutant], engine) is None
    assert difference(mutant, NOTICED_BY[mutant], engine) is not None
