"""Kill a real run at every step, one after the other: `make faults-kill`. A plain run follows each kill."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.proofs.killing.killable import KillPoint
from tests.proofs.killing.killing import End, run
from tests.proofs.killing.random_kills import Kill, chain
from tests.proofs.killing.sweep import Outcome, sweep


def main() -> int:
    """Kill the runs, and print how many recovered."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.killing", description=__doc__)
    parser.add_argument("every", nargs="?", type=int, default=1, help="kill only at every n-th step (default 1)")
    parser.add_argument("--chains", type=int, metavar="N", help="instead: N times, kill three runs in a row, at random")
    parser.add_argument(
        "--random", type=int, metavar="N", help="instead: kill commands and their children by the clock"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of --random (default 0)")
    options = parser.parse_args()
    started = time.monotonic()
    if options.random:
        with tempfile.TemporaryDirectory(prefix="killing-") as name:
            return _kill_at_random(Path(name), options.seed, options.random, started)
    with tempfile.TemporaryDirectory(prefix="killing-") as name:
        clean = run(Path(name, "clean"))
        if clean.code:
            print(clean.err)  # noqa: T201 the command's output
            return 1
        with sweep(Path(name), End.of(Path(name, "clean"))) as begun:
            places = begun.places()
            print(f"a clean run comes by {_counted(places)}", flush=True)  # noqa: T201
            chains = options.chains and begun.chains(range(options.chains), places)
            outcomes = _told(chains or begun.at_each(places[options.every - 1 :: options.every]))
    return _sum_up(outcomes, time.monotonic() - started)


def _kill_at_random(folder: Path, seed: int, kills: int, started: float) -> int:
    done: list[Kill] = []
    wrong: list[str] = []
    for some, found in chain(folder, seed, kills):
        done, wrong = done + some, wrong + found
        print(*some, *[f"  WRONG: {each}" for each in found], sep="\n", flush=True)  # noqa: T201 the command's output
    counts = Counter(kill.command for kill in done)
    children = sum(kill.victim == "a child" for kill in done)
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    seconds = time.monotonic() - started
    print(f"{len(done)} kills ({told}; {children} of a child): {len(wrong)} wrong; {seconds:.0f} s")  # noqa: T201
    return 1 if wrong else 0


def _counted(places: Iterable[KillPoint]) -> str:
    threads = Counter(place.step.partition(":")[0] for place in places)
    return f"{threads.total()} places ({', '.join(f'{thread} {count}' for thread, count in threads.items())})"


def _told(outcomes: Iterable[Outcome]) -> list[Outcome]:
    told = []
    for outcome in outcomes:
        told.append(outcome)
        print(*outcome.killed or [f"not come to: {outcome.places[0]}"], sep="\n  then ")  # noqa: T201
        print(*[f"  WRONG: {each}" for each in outcome.wrong], outcome.err, sep="\n", end="", flush=True)  # noqa: T201
    return told


def _sum_up(outcomes: list[Outcome], seconds: float) -> int:
    killed = [outcome for outcome in outcomes if outcome.killed]
    good = sum(not outcome.wrong for outcome in killed)
    kills = [place for outcome in killed for place in outcome.killed]
    clean = f"{good} of {len(killed)} times the next run ended as the clean one"
    print(f"killed at {_counted(kills)}; {clean}; {seconds:.0f} s")  # noqa: T201 the command's output
    for outcome in outcomes:
        if not outcome.killed:
            print(f"not come to: {outcome.places[0]}")  # noqa: T201
        if outcome.wrong:
            print(f"WRONG after {', then '.join(map(str, outcome.killed))}")  # noqa: T201
    return 0 if good == len(killed) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
