"""Schedules with real processes: a fault happens, it is undone, a plain run follows, and all rows are compared.

The rule: the marts of the warehouse and of the published copy equal the undisturbed ones, or exit codes and status are
not green and name a repair, and after that repair they are equal.
"""

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.proofs.killing.killing import Contents
from tests.proofs.processes.abilities import Ability
from tests.proofs.processes.forked import warm
from tests.proofs.processes.logs import Truth
from tests.proofs.processes.operations import OPERATIONS, Operation
from tests.proofs.processes.workplace import Answer, Workplace

_EMPTY = 0.25
_TWO = 0.35
_ROUNDS = 3
_PARSED = Path("dbt", "partial_parse.msgpack")


@dataclass
class Outcome:
    """The outcome of a schedule: its operations, its end, its steps, and the errors."""

    seed: int
    operations: tuple[str, ...]
    end: str = ""
    story: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"seed {self.seed}: {'; '.join(self.operations)}: {self.end}"


class Undisturbed:
    """Data directories without a fault: the start of schedules, and the result to compare with.

    All are made where the schedules work, `place`, so that a log has one path in all of them.
    """

    def __init__(self, folder: Path) -> None:
        warm()
        self.place = folder / "place"
        self._folder = folder
        self._ends: dict[Truth, Contents] = {}
        self._source, self.template = folder / "source", folder / "template"
        self._make("run", None, self._source)
        self._make("collect", Workplace(self.place, False).logs.truth, self.template)

    def end(self, truth: Truth) -> Contents:
        """Return the rows of a run over these logs; a schedule already in the place is moved away meanwhile."""
        if truth not in self._ends:
            aside = self._folder / "aside"
            self.place.rename(aside)
            self._ends[truth] = self._make("collect", truth, None)
            aside.rename(self.place)
        return self._ends[truth]

    @property
    def parsed(self) -> Path:
        """Return the project as dbt has parsed it."""
        return self._source / _PARSED

    def _make(self, command: str, truth: Truth | None, kept: Path | None) -> Contents:
        shutil.rmtree(self.place, ignore_errors=True)
        place = Workplace(self.place, False)
        if truth is not None:
            truth.write(place.home)
            place.copy_from(self._source)
        if place.do_plainly(command) or place.wrong:
            raise RuntimeError(f"{command} of an undisturbed machine failed: {place.said}")
        rows = place.contents()
        if isinstance(rows, str):
            raise TypeError(rows)
        if kept is not None:
            place.data.rename(kept)
        shutil.rmtree(self.place)
        return rows


def drawn(seed: int, lacking: Mapping[Ability, str]) -> tuple[list[Operation], list[Operation], bool, random.Random]:
    """Draw a schedule: its operations, those that this machine cannot do, whether it begins empty; and the dice."""
    dice = random.Random(seed)  # noqa: S311 a seeded order is the point
    weights = [each.weight for each in OPERATIONS]
    asked = dice.choices(OPERATIONS, weights, k=2 if dice.random() < _TWO else 1)
    skipped = [each for each in asked if each.needs in lacking]
    done = [each for each in asked if each.needs not in lacking]
    begins_empty = dice.random() < _EMPTY and all(each.may_begin for each in done[:1])
    return done, skipped, begins_empty, dice


def perform(seed: int, undisturbed: Undisturbed, lacking: Mapping[Ability, str]) -> Outcome:
    """Run one schedule in its place, which is removed afterwards."""
    operations, _, is_empty, dice = drawn(seed, lacking)
    outcome = Outcome(seed, tuple(each.name for each in operations))
    if not operations:
        outcome.end = "skipped"
        return outcome
    place = Workplace(undisturbed.place, not is_empty and not any(each.forgets for each in operations))
    try:
        _begin(place, undisturbed, is_empty)
        for operation in operations:
            place.story.append(f"== {operation.name}: {operation.act(place, dice)}")
        place.story.append(f"logs: {', then '.join(place.logs.changes) or 'as they were'}")
        outcome.end, wrong = _judge(place, undisturbed.end(place.logs.truth))
        outcome.wrong += wrong + place.wrong + place.left()
    finally:
        outcome.wrong += place.mounts.undo()
        outcome.story = place.story
        shutil.rmtree(undisturbed.place)
    return outcome


def _begin(place: Workplace, undisturbed: Undisturbed, is_empty: bool) -> None:
    """Begin with only the parsed project, or with the results of a run and a collector that read these very logs."""
    if is_empty:
        (place.data / _PARSED).parent.mkdir(parents=True)
        shutil.copy(undisturbed.parsed, place.data / _PARSED)
    else:
        place.copy_from(undisturbed.template)
        place.do_plainly("collect")


def _judge(place: Workplace, expected: Contents) -> tuple[str, list[str]]:
    """Run plainly and compare; if that differs and a repair is named, do it and compare again."""
    answer = place.answer()
    place.story.append(f"then {answer}")
    differs = _differs(place, expected)
    if not differs:
        return ("equal, green" if answer.is_green else "equal, and something is named"), []
    if answer.is_green:
        return "different under a green status", differs
    for _ in range(_ROUNDS):
        place.story.append(f"different: {'; '.join(differs)[:300]}")
        repairs = _repaired(place, answer)
        if not repairs:
            return "different, and no repair is named", [*differs, answer.said[-3000:]]
        answer = place.answer()
        place.story.append(f"after {', '.join(repairs)}: {answer}")
        differs = _differs(place, expected)
        if not differs:
            return "equal after the repair", []
        if answer.is_green:
            return "different after the repair, under a green status", differs
    return "different after the repair", [*differs, answer.said[-3000:]]


def _repaired(place: Workplace, answer: Answer) -> list[str]:
    return list(place.repair(answer))


def _differs(place: Workplace, expected: Contents) -> list[str]:
    rows = place.contents()
    if isinstance(rows, str):
        return [f"cannot be read: {rows}"]
    names = [name for name in sorted(rows.keys() | expected) if rows.get(name) != expected.get(name)]
    return [f"{name} has other rows: {_sample(rows.get(name, []), expected.get(name, []))}" for name in names]


def _sample(rows: Sequence[object], expected: Sequence[object]) -> str:
    """Return the text of a surplus row, and of a missing one."""
    extra, lost = ([row for row in these if row not in those] for these, those in ((rows, expected), (expected, rows)))
    return f"{len(extra)} such as {extra[:1]!s:.300} instead of {len(lost)} such as {lost[:1]!s:.300}"
