"""Every decision of a schedule, by name: drawn from one seed, or read back from a recorded schedule.

A decision is a small number; 0 is always the uneventful one: the oldest message next, no fault, nobody else's turn. So
a schedule is what differs from 0, and a shorter schedule is the same with some of it set to 0.
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
    """Makes decisions and remembers those that are not 0, as `<name> #<how often it was asked>: <number>`."""

    random: Random | None
    given: Mapping[str, int] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    _asked: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of_seed(cls, seed: int, given: Mapping[str, int] = MappingProxyType({})) -> Self:
        """Throw dice for all that is not `given`."""
        return cls(Random(seed), given)  # noqa: S311 a schedule is no secret

    @classmethod
    def of_schedule(cls, given: Mapping[str, int]) -> Self:
        """Repeat what was recorded."""
        return cls(None, given)

    def told(self, name: str) -> int:
        """Give a decision that dice never take: 0 unless it was given."""
        place = f"{name} #1"
        choice = self.given.get(place, 0)
        if choice:
            self.made[place] = choice
        return choice

    def draw(self, name: str, options: int, share: float | None = None) -> int:
        """Give a number below `options`: any with the same chance, or other than 0 in a `share` of the cases."""
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
    """Keep a schedule, one decision a line."""
    path.write_text(json.dumps(schedule, indent=0) + "\n")
