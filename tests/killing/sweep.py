"""Kill at one place after the other, two at a time, each in a nest of its own; a plain run follows each kill."""

import itertools
import multiprocessing
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.pool import Pool
from pathlib import Path

from tests.killing.killable import Place
from tests.killing.killing import WORLD, End
from tests.killing.warm import Nest

from laptop.source import SIMULATOR_KEY, simulator

_JOBS = 2
_ATTEMPTS = 4  # how many steps the load lane takes is a matter of timing: another run may come to the place
_LINKS = 3


@dataclass(frozen=True)
class Outcome:
    """What came of the kills at some places: where they were, and what is not as after a clean run."""

    places: tuple[Place, ...]
    killed: tuple[str, ...]
    wrong: tuple[str, ...]
    err: str

    @property
    def is_killed(self) -> bool:
        """Whether every place was come to."""
        return len(self.killed) == len(self.places)


@dataclass(frozen=True)
class Sweep:
    """The processes from which runs are forked, and the end that every one has to arrive at."""

    pool: Pool
    clean: End

    def at_each(self, places: list[Place]) -> Iterator[Outcome]:
        """Kill at each of the places, and let a plain run follow."""
        return self.pool.imap_unordered(_kill, [((place,), self.clean) for place in places])

    def beyond(self, last: Place) -> Iterator[Outcome]:
        """Kill at the places of a thread that follow, until there is none any more."""
        for number in itertools.count(last.number + 1, _JOBS):
            outcomes = list(self.at_each([Place(last.thread, number + more) for more in range(_JOBS)]))
            yield from (outcome for outcome in outcomes if outcome.is_killed or outcome.wrong)
            if not all(outcome.is_killed for outcome in outcomes):
                return

    def chains(self, seeds: range, places: list[Place]) -> Iterator[Outcome]:
        """Kill a run, kill the next while it takes up what was left, and once more, at random; then a plain run."""
        chances = [random.Random(seed) for seed in seeds]  # noqa: S311 a seeded order is the point
        chains = [tuple(chance.choices(places, k=_LINKS)) for chance in chances]
        return self.pool.imap_unordered(_kill, [(chain, self.clean) for chain in chains])


@contextmanager
def sweep(folder: Path, clean: End) -> Iterator[Sweep]:
    """Give a sweep that works in a folder."""
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"  # it removes what killed runs leave, and need not say so
    resource_tracker.ensure_running()
    del os.environ["PYTHONWARNINGS"]
    with simulator([*WORLD, "--key", SIMULATOR_KEY]) as source:
        spawning = multiprocessing.get_context("spawn")
        with spawning.Pool(_JOBS, initializer=_hatch, initargs=(folder, source)) as pool:
            yield Sweep(pool, clean)


_nests: list[Nest] = []  # of a process of the pool: its one nest


def _hatch(folder: Path, source: str) -> None:
    name = multiprocessing.current_process().name
    if sys.platform == "linux":  # one processor each: threads that share a lock are faster on it than on two
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(name.rpartition("-")[2]) % len(processors)]})
    nest = Nest(folder / name, source)
    nest.warm()
    _nests.append(nest)


def _kill(task: tuple[tuple[Place, ...], End]) -> Outcome:
    places, clean = task
    (nest,) = _nests
    for _ in range(_ATTEMPTS):
        nest.clear()
        runs = [nest.run(place) for place in places]
        killed = tuple(run.place for run in runs if run.is_killed)
        if len(killed) == len(places):
            break
    nest.wait_for_another_run()
    finished = nest.run()
    wrong = [
        f"run {number} ended with code {run.code}" for number, run in enumerate(runs, 1) if run.code not in (0, -9)
    ]
    wrong += [f"the next run ended with code {finished.code}"] if finished.code else nest.end().differs(clean)
    return Outcome(places, killed, tuple(wrong), "\n".join(run.err for run in [*runs, finished]) if wrong else "")
