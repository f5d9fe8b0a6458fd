"""Each guard of the pipeline is needed: some schedule fails without it."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from tests.proofs.faults.mutants import CAUGHT_BY, hunt

_MOST_SEEDS = 60  # besides the known one, in case that is another schedule by now


@pytest.mark.parametrize("mutant", CAUGHT_BY, ids=lambda mutant: mutant.__name__)
def test_a_schedule_notices_that(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    found = hunt(mutant, _MOST_SEEDS)
    assert found is not None, "no schedule noticed; python -m tests.proofs.faults --mutants looks through more of them"
