"""Each guard on the road of usage is missed by some schedule when it is gone."""

import pytest
from tests.proofs.usage_faults.mutants import CAUGHT_BY, Mutant, hunt
from tests.proofs.usage_faults.simulating import simulate
from tests.proofs.usage_faults.template import Template

_SEEDS = range(16)  # beside the known one, should that have become another schedule by now; they hold by themselves


@pytest.mark.parametrize("mutant", CAUGHT_BY, ids=lambda mutant: mutant.__name__)
def test_a_schedule_notices_that(mutant: Mutant, template: Template) -> None:
    found = hunt(mutant, _SEEDS, template)
    assert found is not None, (
        "no schedule noticed; python -m tests.proofs.usage_faults --mutants looks through more of them"
    )
    if found.seed not in _SEEDS:
        steps = [step.number for step in found.steps]
        assert simulate(found.seed, template, steps).rule is None
