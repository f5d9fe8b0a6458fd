"""Each guard of the usage pipeline is needed: some schedule fails without it."""

import pytest
from tests.proofs.usage_faults.mutants import CAUGHT_BY, Mutant, hunt
from tests.proofs.usage_faults.simulating import simulate
from tests.proofs.usage_faults.template import Template

_SEEDS = range(16)  # besides the known one, in case that is another schedule by now; without a mutant they pass


@pytest.mark.parametrize("mutant", CAUGHT_BY, ids=lambda mutant: mutant.__name__)
def test_a_schedule_notices_that(mutant: Mutant, template: Template) -> None:
    found = hunt(mutant, _SEEDS, template)
    assert found is not None, (
        "no schedule noticed; python -m tests.proofs.usage_faults --mutants looks through more of them"
    )
    if found.seed not in _SEEDS:
        steps = [step.number for step in found.steps]
        assert simulate(found.seed, template, steps).rule is None
