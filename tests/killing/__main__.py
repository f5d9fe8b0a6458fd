"""Kill a real run at every step, one after the other: `make faults-kill`. A plain run follows each kill."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.killing.killable import Place
from tests.killing.killing import End, run
from tests.killing.sweep import Outcome, Sweep, sweep


def main() -> int:
    """Kill, and say how many came through."""
    parser = argparse.ArgumentParser(prog="python -m tests.killing", description=__doc__)
    parser.add_argument("every", nargs="?", type=int, default=1, help="kill only at every n-th step (default 1)")
    parser.add_argument("--chains", type=int, metavar="N", help="instead: N times, kill three runs in a row, at random")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="killing-") as name:
        clean = run(Path(name, "clean"))
        if clean.code:
            print(clean.err)  # noqa: T201 the command's answer
            return 1
        places = [place for place in clean.places if place.thread != "beat"]
        print(f"a clean run takes {_counted(places)}", flush=True)  # noqa: T201
        with sweep(Path(name), End.of(Path(name, "clean"))) as begun:
            outcomes = _told(_kills(begun, places, options.every, options.chains))
    return _sum_up(outcomes, time.monotonic() - started)


def _kills(begun: Sweep, places: list[Place], every: int, chains: int | None) -> Iterable[Outcome]:
    if chains is not None:
        yield from begun.chains(range(chains), places)
        return
    yield from begun.at_each(places[every - 1 :: every])
    if every == 1:
        for thread, last in Counter(place.thread for place in places).items():
            yield from begun.beyond(Place(thread, last))
        yield from begun.beyond(Place("beat", 0))


def _counted(places: Iterable[Place]) -> str:
    threads = Counter(place.thread for place in places)
    return f"{threads.total()} steps ({', '.join(f'{thread} {count}' for thread, count in threads.items())})"


def _told(outcomes: Iterable[Outcome]) -> list[Outcome]:
    told = []
    for outcome in outcomes:
        told.append(outcome)
        print(*outcome.killed or [f"{outcome.places[0]}: the run ended before"], sep="\n  then ")  # noqa: T201
        print(*[f"  WRONG: {each}" for each in outcome.wrong], outcome.err, sep="\n", end="", flush=True)  # noqa: T201
    return told


def _sum_up(outcomes: list[Outcome], seconds: float) -> int:
    killed = [outcome for outcome in outcomes if outcome.killed]
    places = _counted(place for outcome in killed for place in outcome.places)
    wrong = [" then ".join(map(str, outcome.places)) for outcome in outcomes if outcome.wrong]
    missed = [str(outcome.places[0]) for outcome in outcomes if not outcome.killed]
    good = sum(not outcome.wrong for outcome in killed)
    kills = sum(len(outcome.killed) for outcome in killed)
    clean = f"{good} of {len(killed)} times the next run ended as the clean one"
    print(f"{kills} kills, at {places}; {clean}; {seconds:.0f} s")  # noqa: T201 the command's answer
    if missed:
        print(f"not come to: {', '.join(missed)}")  # noqa: T201
    if wrong:
        print(f"WRONG after {', '.join(wrong)}")  # noqa: T201
    return 1 if wrong or not killed else 0


if __name__ == "__main__":
    sys.exit(main())
