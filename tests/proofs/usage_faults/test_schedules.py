"""Usage is exactly once from the logs to the marts, whatever is stopped, repeated, late or lost."""

from collections import Counter

import pytest
from tests.proofs.usage_faults.simulating import Outcome, shrink, simulate
from tests.proofs.usage_faults.template import Template

pytestmark = pytest.mark.slow  # the sample of `make usage-faults`
_SEEDS = range(4)
_outcomes: dict[int, Outcome] = {}

_FOUND = {
    "an element of two tasks, of which one was sent anew before the other was read": (201, {10, 14, 28, 36}),
}
"""Past failures: the seed, and the steps that it takes."""


def run(seed: int, template: Template) -> Outcome:
    if seed not in _outcomes:
        _outcomes[seed] = simulate(seed, template)
    return _outcomes[seed]


@pytest.mark.parametrize("seed", _SEEDS)
def test_marts_match_logs_in_every_schedule(seed: int, template: Template) -> None:
    outcome = run(seed, template)
    assert outcome.rule is None, f"\n{shrink(outcome, template)}"


def test_processes_are_stopped_at_every_kind_of_boundary(template: Template) -> None:
    stopped: Counter[str] = Counter()
    for seed in _SEEDS:
        stopped += run(seed, template).stopped
    adapters = {name.split()[1].partition(":")[0].partition(".")[0] for name in stopped}
    assert adapters == {"file", "lake", "state", "warehouse"}
    assert sum(stopped.values()) > 2 * len(_SEEDS)


@pytest.mark.parametrize("found", _FOUND)
def test_previously_failing_schedule_passes(found: str, template: Template) -> None:
    seed, steps = _FOUND[found]
    outcome = simulate(seed, template, steps)
    assert outcome.rule is None, f"\n{outcome}"


def test_a_seed_is_one_schedule(template: Template) -> None:
    first, second = run(3, template), simulate(3, template)
    assert (first.trace, first.seen) == (second.trace, second.seen)
