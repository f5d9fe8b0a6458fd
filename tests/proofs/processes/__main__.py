"""Break a real machine as people do, in seeded schedules with real processes: `make prove-processes`."""

import argparse
import gc
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.proofs.processes.abilities import lacking
from tests.proofs.processes.operations import OPERATIONS
from tests.proofs.processes.schedules import Outcome, Undisturbed, drawn, perform


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.processes", description=__doc__)
    parser.add_argument("--seeds", type=_range, default=range(200), metavar="FIRST:BEYOND", help="(default 0:200)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one schedule and show what happens in it")
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, _, beyond = text.partition(":")
    return range(int(first), int(beyond)) if beyond else range(int(first))


def main(arguments: list[str] | None = None) -> int:
    """Run the schedules, and print the number of each operation and how they ended; return the exit code."""
    options = parse(arguments)
    seeds = options.seeds if options.replay is None else range(options.replay, options.replay + 1)
    started, lacks = time.monotonic(), lacking()
    for ability, reason in lacks.items():
        names = ", ".join(each.name for each in OPERATIONS if each.needs == ability)
        say(f"skipped, as {reason}: {names}")
    outcomes, skipped = [], Counter[str]()
    with tempfile.TemporaryDirectory(prefix="processes-") as name:
        undisturbed = Undisturbed(Path(name))
        for seed in seeds:
            outcomes.append(perform(seed, undisturbed, lacks))
            skipped.update(each.name for each in drawn(seed, lacks)[1])
            tell(outcomes[-1], options.replay is not None)
    gc.unfreeze()  # so that the libraries find their objects at exit
    return sum_up(outcomes, skipped, time.monotonic() - started)


def tell(outcome: Outcome, is_full: bool) -> None:
    """Print how one ended, and its steps if requested or if something is wrong."""
    say(str(outcome))
    if is_full or outcome.wrong:
        say("\n".join(f"    {line}" for line in outcome.story))
    for each in outcome.wrong:
        say(f"  WRONG: {each}")


def sum_up(outcomes: list[Outcome], skipped: Counter[str], seconds: float) -> int:
    """Print the counts; return the exit code."""
    done = Counter(name for outcome in outcomes for name in outcome.operations)
    for operation in OPERATIONS:
        left_out = f", skipped {skipped[operation.name]}" if skipped[operation.name] else ""
        say(f"  {operation.name:40} {done[operation.name]:>4}{left_out}")
    ends = Counter(outcome.end for outcome in outcomes)
    failed = [outcome.seed for outcome in outcomes if outcome.wrong]
    say("; ".join(f"{end} {count}" for end, count in ends.most_common()))
    say(f"{len(outcomes)} schedules in {seconds:.0f} s; {len(failed)} failed" + (f": {failed}" if failed else ""))
    return 1 if failed or not done else 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 the command's output


if __name__ == "__main__":
    sys.exit(main())
