"""How much the stateful tests try: the same examples every time, so that only a change can make one fail."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

_FRESH = 10  # after so many examples Hypothesis continues with variants of them, which add little


def check(machine: Callable[[], RuleBasedStateMachine], rounds: int, steps: int) -> None:
    """Run a machine through ten sequences of at most `steps` rules, with one seed after the other."""
    health: Any = list(HealthCheck)  # a real lake or warehouse is slow by Hypothesis's standards
    effort = settings(
        database=None,
        deadline=None,
        derandomize=True,
        max_examples=_FRESH,
        stateful_step_count=steps,
        suppress_health_check=health,
    )
    for number in range(rounds):
        seeded: Any = seed(number)(partial(machine))
        run_state_machine_as_test(seeded, settings=effort)
