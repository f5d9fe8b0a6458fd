"""Schedules of many seeds, on several processors."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

from tests.proofs.usage_faults.simulating import Outcome, simulate
from tests.proofs.usage_faults.template import Template, read_template


def run_seeds(seeds: range, jobs: int, folder: Path) -> Iterator[Outcome]:
    """Run many on the template in a folder; yield the outcomes in their order."""
    run = partial(run_seed, folder=folder)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(run, seeds, chunksize=4)


def run_seed(seed: int, folder: Path) -> Outcome:
    """Run the schedule of a seed."""
    return simulate(seed, _template(folder))


@cache
def _template(folder: Path) -> Template:
    return read_template(folder)
