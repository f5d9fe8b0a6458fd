"""Schedules of many seeds, on several processors."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.faults.choices import Choices
from tests.faults.simulating import Outcome, simulate
from tests.faults.world import tiny


def run_seed(seed: int) -> tuple[int, Outcome]:
    """Run the schedule of a seed."""
    with tiny():
        return seed, simulate(Choices.of_seed(seed))


def run_seeds(seeds: range, jobs: int) -> Iterator[tuple[int, Outcome]]:
    """Run many; gives them in their order."""
    if jobs == 1:
        yield from map(run_seed, seeds)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(run_seed, seeds, chunksize=4)
