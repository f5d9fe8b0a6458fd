"""Run many schedules, replay one, or let mutants of the pipeline try to survive them: see --help."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.proofs.faults.boundaries import outcomes
from tests.proofs.faults.choices import Choices, read_schedule, write_schedule
from tests.proofs.faults.many import ON_SNOWFLAKE, SHORT_DELIVERIES, run_seeds
from tests.proofs.faults.merge_mutants import ENGINES, NOTICED_BY, difference
from tests.proofs.faults.mutants import CAUGHT_BY, hunt
from tests.proofs.faults.shrinking import replay, shrink
from tests.proofs.faults.simulating import Outcome, simulate
from tests.proofs.faults.world import tiny

_SAID_EVERY_S = 10.0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.faults", description="Simulate faults; exit code 1 when something does not hold."
    )
    parser.add_argument("--seeds", type=_range, default=range(200), metavar="FIRST:BEYOND", help="(default 0:200)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--replay", metavar="SEED|FILE", help="run one schedule and show what happens in it")
    parser.add_argument("--snowflake", action="store_true", help="on the Snowflake emulator (slow)")
    parser.add_argument("--short-deliveries", action="store_true", help="a task needs several deliveries")
    parser.add_argument("--mutants", action="store_true", help="remove each guard in turn: some seed has to notice")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, _, beyond = text.partition(":")
    return range(int(first), int(beyond)) if beyond else range(int(first))


def simulate_many(seeds: range, jobs: int, given: Mapping[str, int]) -> int:
    """Run the schedules of all seeds; shrink the first that fails."""
    started = said_at = time.monotonic()
    crossed: Counter[tuple[str, str]] = Counter()
    done = steps = faults = 0
    failed: dict[int, Outcome] = {}
    for seed, outcome in run_seeds(seeds, jobs, given):
        done, steps, faults = done + 1, steps + outcome.steps, faults + outcome.faults
        crossed += outcome.crossed
        if outcome.rule is not None:
            failed[seed] = outcome
            say(f"seed {seed}: {outcome.message}")
        if time.monotonic() - said_at > _SAID_EVERY_S:
            said_at = time.monotonic()
            say(f"{done} of {len(seeds)} schedules, {done / (said_at - started):.1f}/s, {steps:,} steps")
    wall_s = time.monotonic() - started
    show_coverage(crossed)
    say(f"{done} schedules in {wall_s:.0f} s ({done / wall_s:.1f}/s): {steps:,} steps, {faults:,} crashes and errors")
    say(f"{len(failed)} failed" + (f": {sorted(failed)}" if failed else ""))
    if failed:
        show_smallest(min(failed, key=lambda seed: len(failed[seed].made)), failed)
    return 1 if failed else 0


def hunt_mutants(most: int, jobs: int) -> int:
    """Remove each part of the merge rule and each guard in turn, until files or a schedule notice."""
    survived = hunt_merge_mutants()
    caught = 0
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for mutant, found in zip(CAUGHT_BY, pool.map(partial(hunt, most=most), CAUGHT_BY), strict=True):
            caught += found is not None
            said = f"survived {most} seeds" if found is None else f"seed {found[0]}: {found[1].message:.200}"
            say(f"{mutant.__name__}: {said}")
    say(f"{caught} of {len(CAUGHT_BY)} guards are missed by a schedule when they are gone")
    return 1 if survived or caught < len(CAUGHT_BY) else 0


def hunt_merge_mutants() -> int:
    """Load files over each mutant of the merge rule on each engine; return the number of mutants that survive."""
    survived = 0
    for engine in ENGINES:
        caught = 0
        for mutant, files in NOTICED_BY.items():
            clean, found = difference(None, files, engine), difference(mutant, files, engine)
            if clean is not None:
                raise AssertionError(f"{engine}, without {mutant.__name__}: {clean}")
            caught += found is not None
            say(f"{engine}, {mutant.__name__}: {found or 'survived':.200}")
        say(f"{caught} of {len(NOTICED_BY)} mutants of the merge rule are caught on {engine}")
        survived += len(NOTICED_BY) - caught
    return survived


def show_coverage(crossed: Counter[tuple[str, str]]) -> None:
    """Print which faults were injected at which boundary, and which boundaries had none."""
    uncovered = []
    for name in sorted({name for name, _ in crossed}):
        possible = ["crash before"] if ":" in name else [what for what, _, _ in outcomes(name)]
        counts = ", ".join(f"{what} {crossed[name, what]}" for what in possible)
        say(f"  {name:26} passed {crossed[name, 'passed']:>8,}: {counts}")
        uncovered += [f"{name} {what}" for what in possible if not crossed[name, what]]
    say(f"not covered: {', '.join(uncovered) or 'none'}")


def show_smallest(seed: int, failed: dict[int, Outcome]) -> None:
    """Shrink a failed schedule, and print how to run it again."""
    with tiny():
        schedule = shrink(failed[seed])
        outcome = replay(schedule)
    path = Path(f"schedule-{seed}.json")
    write_schedule(path, schedule)
    say(f"\nseed {seed} with {len(schedule)} of {len(failed[seed].made)} decisions: {schedule}")
    show(outcome)
    say(f"run it again: python -m tests.proofs.faults --replay {path}    (or --replay {seed} for all of it)")


def replay_one(name: str, given: dict[str, int]) -> int:
    """Run one schedule, a seed's with the `given` decisions, and print all of it."""
    with tiny():
        outcome = simulate(Choices.of_seed(int(name), given)) if name.isdecimal() else replay(read_schedule(Path(name)))
    show(outcome)
    return 0 if outcome.rule is None else 1


def show(outcome: Outcome) -> None:
    """Print the events of a schedule, and the violated rule."""
    for line in outcome.trace:
        say(f"  {line}")
    say(outcome.message or "everything holds")


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 the command's output


def main(arguments: list[str] | None = None) -> int:
    """Run the selected command and return the exit code."""
    options = parse(arguments)
    if options.mutants:
        return hunt_mutants(len(options.seeds), options.jobs)
    given = (ON_SNOWFLAKE if options.snowflake else {}) | (SHORT_DELIVERIES if options.short_deliveries else {})
    if options.replay:
        return replay_one(options.replay, given)
    return simulate_many(options.seeds, options.jobs, given)


if __name__ == "__main__":
    sys.exit(main())
