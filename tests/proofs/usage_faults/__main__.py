"""Run many schedules, replay one, or let mutants of the usage pipeline try to survive them: see --help."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proofs.usage_faults.many import run_seeds
from tests.proofs.usage_faults.mutants import CAUGHT_BY, hunt
from tests.proofs.usage_faults.simulating import Outcome, shrink, simulate
from tests.proofs.usage_faults.template import Template, make_template, read_template


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.usage_faults",
        description="Simulate faults; exit code 1 when something does not hold.",
    )
    parser.add_argument("--seeds", type=_range, default=range(100), metavar="FIRST:BEYOND", help="(default 0:100)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one schedule and show what happens in it")
    parser.add_argument("--only", type=_numbers, metavar="N,N,…", help="with --replay: only these of its steps")
    parser.add_argument("--mutants", action="store_true", help="remove each guard in turn: some seed has to notice")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, _, beyond = text.partition(":")
    return range(int(first), int(beyond)) if beyond else range(int(first))


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(number) for number in text.split(",") if number)


def simulate_many(seeds: range, jobs: int, folder: Path) -> int:
    """Run the schedules of all seeds; shrink the first that fails."""
    started = time.monotonic()
    steps = crashes = 0
    seen, stopped, failed = Counter[str](), Counter[str](), list[Outcome]()
    for outcome in run_seeds(seeds, jobs, folder):
        steps, crashes = steps + len(outcome.steps), crashes + outcome.crashes
        seen, stopped = seen + outcome.seen, stopped + outcome.stopped
        if outcome.rule is not None:
            failed.append(outcome)
            say(f"seed {outcome.seed}: {outcome.message}")
    for name in sorted(seen):
        say(f"  {name:28} crossed {seen[name]:>8,}, stopped at {stopped[name]:>5,}")
    say(f"not stopped at: {', '.join(sorted(seen.keys() - stopped.keys())) or 'none'}")
    say(f"{len(seeds)} schedules in {time.monotonic() - started:.0f} s: {steps:,} steps, {crashes:,} crashes")
    say(f"{len(failed)} failed" + (f": {[outcome.seed for outcome in failed]}" if failed else ""))
    if failed:
        say(str(shrink(failed[0], read_template(folder))))
    return 1 if failed else 0


def hunt_mutants(seeds: range, template: Template) -> int:
    """Remove each guard in turn, until a schedule notices."""
    survived = 0
    for mutant in CAUGHT_BY:
        started = time.monotonic()
        found = hunt(mutant, seeds, template)
        survived += found is None
        said = f"survived {len(seeds)} seeds" if found is None else f"seed {found.seed}: {found.message:.160}"
        say(f"{mutant.__name__} ({time.monotonic() - started:.1f} s): {said}")
    say(f"{len(CAUGHT_BY) - survived} of {len(CAUGHT_BY)} guards are missed by a schedule when they are gone")
    return 1 if survived else 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 the command's output


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="usage-faults-") as name:
        yield Path(name)


def main(arguments: list[str] | None = None) -> int:
    """Run the selected command; return the exit code."""
    options = parse(arguments)
    with _folder() as folder:
        template = make_template(folder)
        if options.replay is not None:
            outcome = simulate(options.replay, template, options.only)
            say(str(outcome))
            return 0 if outcome.rule is None else 1
        if options.mutants:
            return hunt_mutants(options.seeds, template)
        return simulate_many(options.seeds, options.jobs, folder)


if __name__ == "__main__":
    sys.exit(main())
