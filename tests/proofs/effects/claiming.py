"""How often the AI panel claims a difference over many seeds, with and without a true one."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import sqrt
from statistics import fmean
from typing import Any

from tests.proofs.effects.worlds import Merged, merged, strata

from millrace.api import effects

Judge = Callable[[list[Merged]], "Judgement"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one world: of each measure lower, higher or something else."""

    verdicts: dict[str, str]

    @property
    def claims(self) -> dict[str, str]:
        """The measures with a claimed difference."""
        return {name: verdict for name, verdict in self.verdicts.items() if verdict in ("lower", "higher")}

    @property
    def is_too_few(self) -> bool:
        """Whether nothing can be compared."""
        return set(self.verdicts.values()) == {"too_few"}


@dataclass(frozen=True, slots=True)
class World:
    """A kind of worlds: their size, and the true effect on the cycle time."""

    developers: int
    days: int
    ai_effect: float = 0.0

    def __str__(self) -> str:
        effect = f"{self.ai_effect:+.0%} cycle time" if self.ai_effect else "no effect"
        return f"{self.developers} x {self.days} days, {effect}"


def judge(pulls: list[Merged]) -> Judgement:
    """Return what the panel says."""
    return Judgement({each["measure"]: each["verdict"] for each in effects.compare(strata(pulls))["effects"]})


def judge_by_95_percent(pulls: list[Merged]) -> Judgement:
    """Return what hours with one pooled deviation and 95 % for each measure would say, within the same strata."""
    values: dict[str, Callable[[Merged], float | None]] = {
        "cycle_time_hours": lambda pull: pull.cycle_time_hours,
        "review_rounds": lambda pull: pull.review_rounds,
        "revert_rate": lambda pull: pull.is_reverted,
    }
    return Judgement({name: _at_95_percent(pulls, value) for name, value in values.items()})


def _at_95_percent(pulls: list[Merged], value: Callable[[Merged], float | None]) -> str:
    groups: dict[Any, dict[str, list[float]]] = defaultdict(lambda: {"low": [], "high": []})
    for pull in pulls:
        known = value(pull)
        if known is not None and pull.ai_band in ("low", "high"):
            groups[pull.developer, pull.repo_name][pull.ai_band].append(float(known))
    both = [(each["low"], each["high"]) for each in groups.values() if each["low"] and each["high"]]
    weights = [1 / (1 / len(low) + 1 / len(high)) for low, high in both]
    if not weights:
        return "too_few"
    mean = sum(w * (fmean(high) - fmean(low)) for w, (low, high) in zip(weights, both, strict=True)) / sum(weights)
    everything = [x for low, high in both for x in (*low, *high)]
    middle = fmean(everything)
    error = sqrt(sum((x - middle) ** 2 for x in everything) / len(everything) / sum(weights))
    return "no_clear_difference" if abs(mean) <= 1.96 * error else "lower" if mean < 0 else "higher"


def _judgements(world: World, seed: int) -> tuple[Judgement, Judgement]:
    pulls = merged(world.developers, world.days, seed, world.ai_effect)
    return judge(pulls), judge_by_95_percent(pulls)


def over_seeds(world: World, seeds: Iterable[int], processes: int) -> Iterator[tuple[Judgement, Judgement]]:
    """Yield for each seed what the panel says, and what 95 % for each measure would say."""
    if processes == 1:
        yield from map(partial(_judgements, world), seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(partial(_judgements, world), seeds, chunksize=5)
