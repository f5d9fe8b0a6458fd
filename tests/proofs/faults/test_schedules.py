"""A sample of the seeded schedules of faults: each ends as a clean run does. `make prove` runs thousands."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.proofs.faults import source
from tests.proofs.faults.choices import Choices
from tests.proofs.faults.many import SHORT_DELIVERIES
from tests.proofs.faults.simulating import expected_tables, simulate
from tests.proofs.faults.world import tiny

from millrace.tables import TABLES

pytestmark = pytest.mark.slow  # the sample of `make faults`
ROOT = Path(__file__).parents[3]
SEEDS = 4


@pytest.fixture(autouse=True)
def tiny_world() -> Iterator[None]:
    with tiny():
        yield


def test_every_schedule_ends_as_a_clean_run() -> None:
    """Run the command, in processes of its own: dbt leaves files open, which is an error in this one."""
    command = [sys.executable, "-m", "tests.proofs.faults", "--seeds", f"0:{SEEDS}", "--jobs", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert f"{SEEDS} schedules in" in done.stdout


@pytest.mark.parametrize("seed", range(2))
def test_every_schedule_with_short_deliveries_ends_as_a_clean_run(seed: int) -> None:
    outcome = simulate(Choices.of_seed(seed, SHORT_DELIVERIES | {"a stand-in for dbt #1": 1}))
    assert outcome.rule is None, outcome.message


@pytest.mark.parametrize("seed", range(source.SEEDS))
def test_a_clean_run_holds_the_keys_of_the_source(seed: int) -> None:
    world = source.version(seed, 0)
    tables = expected_tables(seed, 0, 0)
    truth = {
        "repos": [world.repo_object(name) for name in world.repos if world.pulls.by_repo.get(name)],
        "commits": list(world.commits.rows),
        "pull_requests": list(world.pulls.rows),
        "reviews": list(world.reviews.rows),
    }
    keys = {
        name: {tuple(row.get(column) for column in TABLES[name].key) for row in rows} for name, rows in truth.items()
    }
    assert {name: len(rows) for name, rows in tables.items()} == {name: len(rows) for name, rows in keys.items()}
    assert all(keys.values())


def test_a_seed_is_one_schedule() -> None:
    first, second = (simulate(Choices.of_seed(3)) for _ in range(2))
    assert first.trace == second.trace


def test_a_recorded_schedule_repeats_its_seed() -> None:
    seeded = simulate(Choices.of_seed(5))
    assert simulate(Choices.of_schedule(seeded.made)).trace == seeded.trace
