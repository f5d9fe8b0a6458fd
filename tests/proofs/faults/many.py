"""Schedules of many seeds, on several processors."""

import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import MappingProxyType

from tests.proofs.faults.choices import Choices
from tests.proofs.faults.simulating import Outcome, simulate
from tests.proofs.faults.world import tiny

SHORT_DELIVERIES = {"short deliveries #1": 1}
ON_SNOWFLAKE = {"on Snowflake #1": 1, "a stand-in for dbt #1": 1}  # `make parity` tests dbt over an emulator


def run_seed(seed: int, given: Mapping[str, int] = MappingProxyType({})) -> tuple[int, Outcome]:
    """Run the schedule of a seed."""
    with tiny():
        return seed, simulate(Choices.of_seed(seed, given))


def run_seeds(seeds: range, jobs: int, given: Mapping[str, int]) -> Iterator[tuple[int, Outcome]]:
    """Run the schedules of many seeds with some decisions given; yield the outcomes in their order."""
    run = partial(run_seed, given=given)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(run, seeds, chunksize=4)
