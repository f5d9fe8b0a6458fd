"""Each guard of the pipeline is missed by some schedule when it is gone."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from tests.proofs.faults.mutants import CAUGHT_BY, hunt

_MOST_SEEDS = 60  # beside the known one, should that have become another schedule by now


@pytest.mark.parametrize("mutant", CAUGHT_BY, ids=lambda mutant: mutant.__name__)
def test_a_schedule_notices_that(mutant: Callable[[], AbstractContextManager[None]]) -> None:
    found = hunt(mutant, _MOST_SEEDS)
    assert found is not None, "no schedule noticed; python -m tests.proofs.faults --mutants looks through more of them"
