"""Shrink a failing schedule to a small one that breaks the same rule."""

from collections.abc import Callable, Mapping

from tests.proofs.faults.choices import Choices
from tests.proofs.faults.simulating import Outcome, simulate

Schedule = dict[str, int]
_MOST_REPLAYS = 300


def replay(schedule: Mapping[str, int]) -> Outcome:
    """Run a recorded schedule."""
    return simulate(Choices.of_schedule(schedule))


def shrink(found: Outcome, run: Callable[[Mapping[str, int]], Outcome] = replay) -> Schedule:
    """Set as many decisions to 0 as possible: first large groups of them, then each; then make the others smaller."""
    left = _MOST_REPLAYS

    def fails(schedule: Schedule) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and run(schedule).rule == found.rule

    schedule = dict(found.made)
    size = len(schedule)
    while size:
        names = list(schedule)
        for start in range(len(names) - size if size < len(names) else 0, -1, -size):
            tried = {name: schedule[name] for name in schedule if name not in names[start : start + size]}
            if len(tried) < len(schedule) and fails(tried):
                schedule = tried
        size = size // 2 if size > 1 else 0
    for name, number in list(schedule.items()):
        smaller = next((each for each in range(1, number) if fails(schedule | {name: each})), number)
        schedule[name] = smaller
    return schedule
