"""A schedule: the steps of a seed, their outcome, and the fewest of them that still break the same rule."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.proofs.faults.world import folder
from tests.proofs.usage_faults.checking import Violation
from tests.proofs.usage_faults.template import Template
from tests.proofs.usage_faults.world import Step, World, make_world

_WEIGHTS = {
    "grow": 24,
    "collect": 12,
    "ship": 7,
    "deliver": 8,
    "refresh": 6,
    "follow": 3,
    "destroy": 5,
    "move": 3,
    "force": 2,
    "sweep": 1,
    "look": 1,
    "lose_state": 1,
    "restart": 1,
    "turn_back": 4,
}
_RARE = ("rewrite", "tear", "clone")
"""Rare steps, inserted between the others without changing them."""
_BOUNDARIES = {"collect": 60, "ship": 20, "deliver": 40, "refresh": 23, "follow": 90, "force": 8, "sweep": 4}
"""The approximate number of boundaries that a step of each kind crosses."""
_OFTEN_SHORT = ("collect", "ship", "deliver", "follow")
_STEPS = 44
_STOPPED = 0.3
_UPGRADED, _UPGRADE = 0.5, 99
_MOST_REPLAYS = 60


@dataclass
class Outcome:
    """How a schedule ended; without a rule, everything holds."""

    seed: int
    steps: list[Step]
    trace: list[str] = field(default_factory=list)
    crashes: int = 0
    rule: str | None = None
    message: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)

    @property
    def replay(self) -> str:
        """The command that repeats it."""
        only = ",".join(str(step.number) for step in self.steps)
        return f"python -m tests.proofs.usage_faults --replay {self.seed} --only {only}"

    def __str__(self) -> str:
        said = "\n".join(f"  {line}" for line in self.trace)
        return f"seed {self.seed}:\n{said}\n  {self.message or 'everything holds'}\nrun it again: {self.replay}"


def steps_of(seed: int) -> list[Step]:
    """Return the steps of a seed."""
    dice = Random(f"steps {seed}")  # noqa: S311 a schedule is no secret
    steps = []
    for number in range(_STEPS):
        kind = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        is_stopped = dice.random() < _STOPPED and kind in _BOUNDARIES
        stop_at = dice.randrange(1, _BOUNDARIES[kind] + 1) if is_stopped else 0
        if kind in _OFTEN_SHORT and dice.random() < 0.5:
            stop_at = -(-stop_at // 5)
        steps.append(Step(number, kind, dice.randrange(6), stop_at, f"{seed} {number}"))
    rare = Random(f"rare {seed}")  # noqa: S311
    for number in range(_STEPS, _STEPS + rare.choice((0, 0, 2, 4, 8))):
        step = Step(number, rare.choice(_RARE), rare.randrange(6), 0, f"{seed} {number}")
        steps.insert(rare.randrange(len(steps) + 1), step)
    upgrade = Random(f"upgrade {seed}")  # noqa: S311
    if upgrade.random() < _UPGRADED:
        steps.insert(upgrade.randrange(len(steps) + 1), Step(_UPGRADE, "upgrade", 0, 0, f"{seed} upgrade"))
    return steps


def simulate(seed: int, template: Template, only: Collection[int] | None = None) -> Outcome:
    """Run the schedule of a seed, or only some steps of it."""
    steps = [step for step in steps_of(seed) if only is None or step.number in only]
    outcome = Outcome(seed, steps)
    is_older = any(step.kind == "upgrade" for step in steps)
    with _silent(), folder() as place, make_world(seed, place, template, is_older) as world:
        try:
            _run(world, steps, outcome.trace)
        except Violation as violation:
            outcome.rule, outcome.message = violation.rule, str(violation)
        outcome.crashes = world.crashes
        outcome.seen, outcome.stopped = world.gate.seen, world.gate.stopped
    return outcome


def shrink(found: Outcome, template: Template) -> Outcome:
    """Leave out as many steps as possible: large groups first, then each."""
    best, left = found, _MOST_REPLAYS
    size = len(best.steps) // 2
    while size:
        start = 0
        while start < len(best.steps) and left:
            left -= 1
            kept = _without(best.steps, start, size)
            tried = simulate(found.seed, template, kept)
            if tried.rule == found.rule:
                best = tried
            else:
                start += size
        size //= 2
    return best


def _without(steps: Sequence[Step], start: int, size: int) -> set[int]:
    return {step.number for step in [*steps[:start], *steps[start + size :]]}


def _run(world: World, steps: Sequence[Step], trace: list[str]) -> None:
    for step in steps:
        own = Step(step.number, step.kind, step.machine % len(world.machines), step.stop_at, step.dice)
        trace.append(str(own))
        trace[-1] += f": {world.do(own)}"
    trace.append("the end")
    world.finish()


@contextmanager
def _silent() -> Iterator[None]:
    logger = logging.getLogger("millrace")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
