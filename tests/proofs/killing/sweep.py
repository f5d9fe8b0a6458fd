"""Kill at one place after the other, two at a time, each in a nest of its own; a plain run follows each kill."""

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

from tests.proofs.killing.killable import KillPoint
from tests.proofs.killing.killing import KILLED, WORLD, End
from tests.proofs.killing.warm import Nest

from millrace.laptop.source import SIMULATOR_KEY, simulator

_JOBS = 2
_ATTEMPTS = 3  # how often the load lane reads existing objects depends on a race: another run may read more often
_BEATS = 2
_LINKS = 3


@dataclass(frozen=True)
class Outcome:
    """The outcome of runs to be killed at some places: the real places, and the differences from a clean run."""

    places: tuple[KillPoint, ...]
    killed: tuple[KillPoint, ...]
    wrong: tuple[str, ...] = ()
    err: str = ""


@dataclass(frozen=True)
class Sweep:
    """The processes from which runs are forked, and the end that every run has to reach."""

    pool: Pool
    clean: End

    def places(self) -> list[KillPoint]:
        """Return the places of a run that is not killed, with the first heartbeats of its lease."""
        return [place for place in self.pool.apply(_places) if not place.is_beat or place.number <= _BEATS]

    def at_each(self, places: list[KillPoint]) -> Iterator[Outcome]:
        """Kill at each of the places, with a plain run after each."""
        return self.pool.imap_unordered(_kill, [((place,), self.clean) for place in places])

    def chains(self, seeds: range, places: list[KillPoint]) -> Iterator[Outcome]:
        """Kill a run, kill the next while it resumes, and once more, at random; then a plain run."""
        chances = [random.Random(seed) for seed in seeds]  # noqa: S311 a seeded order is the point
        chains = [tuple(chance.choices(places, k=_LINKS)) for chance in chances]
        return self.pool.imap_unordered(_kill, [(chain, self.clean) for chain in chains])


@contextmanager
def sweep(folder: Path, clean: End) -> Iterator[Sweep]:
    """Yield a sweep that works in a folder."""
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker"  # it removes the files of killed runs, and need not warn
    resource_tracker.ensure_running()
    del os.environ["PYTHONWARNINGS"]
    with simulator(WORLD, SIMULATOR_KEY) as source:
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


def _places() -> list[KillPoint]:
    (nest,) = _nests
    nest.clear()
    return nest.run().places


def _kill(task: tuple[tuple[KillPoint, ...], End]) -> Outcome:
    places, clean = task
    (nest,) = _nests
    for _ in range(_ATTEMPTS):
        nest.clear()
        runs = [(f"the run to be killed at {place}", nest.run(place)) for place in places]
        killed = tuple(place for place, (_, run) in zip(places, runs, strict=True) if run.is_killed)
        if killed:
            break
    nest.wait_for_another_run()
    runs.append(("the next run", nest.run()))
    wrong = [f"{which} ended with code {run.code}" for which, run in runs if run.code not in (0, KILLED)]
    wrong += [] if wrong else nest.end().differs(clean)
    return Outcome(places, killed, tuple(wrong), "\n".join(run.err for _, run in runs) if wrong else "")
