"""Every decision of a schedule, by name: drawn from one seed, or read back from a recorded schedule.

A decision is a small number; 0 is always the uneventful one: the oldest message next, no fault, no switch to another
handler. A schedule is the set of decisions other than 0, and a shorter one is the same with some of them set to 0.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Self


@dataclass
class Choices:
    """Makes decisions and records those other than 0, as `<name> #<number of the draw>: <choice>`."""

    random: Random | None
    given: Mapping[str, int] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    _asked: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_seed(cls, seed: int, given: Mapping[str, int] = MappingProxyType({})) -> Self:
        """Draw all decisions that are not `given` from a seed."""
        return cls(Random(seed), given)  # noqa: S311 a schedule is no secret

    @classmethod
    def of_schedule(cls, given: Mapping[str, int]) -> Self:
        """Repeat a recorded schedule."""
        return cls(None, given)

    def told(self, name: str) -> int:
        """Return a decision that is never drawn: 0 unless it was given."""
        place = f"{name} #1"
        choice = self.given.get(place, 0)
        if choice:
            self.made[place] = choice
        return choice

    def draw(self, name: str, options: int, share: float | None = None) -> int:
        """Return a number below `options`: each equally likely, or other than 0 in a `share` of the cases."""
        self._asked[name] += 1
        place = f"{name} #{self._asked[name]}"
        if self.random is None or place in self.given:
            choice = min(self.given.get(place, 0), options - 1)
        elif (share is not None and self.random.random() >= share) or options < 2:
            return 0
        else:
            choice = self.random.randrange(options) if share is None else 1 + self.random.randrange(options - 1)
        if choice:
            self.made[place] = choice
        return choice


def read_schedule(path: Path) -> dict[str, int]:
    """Read a schedule that `write_schedule` wrote."""
    return {str(name): int(number) for name, number in json.loads(path.read_text()).items()}


def write_schedule(path: Path, schedule: Mapping[str, int]) -> None:
    """Write a schedule, one decision per line."""
    path.write_text(json.dumps(schedule, indent=0) + "\n")
