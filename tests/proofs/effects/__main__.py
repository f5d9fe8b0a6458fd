"""Count over many seeds how often the AI panel claims a difference, where there is none and where there is one."""

import argparse
import sys
import time

from tests.proofs.effects.claiming import Judgement, World, over_seeds

NONE = (World(30, 90), World(200, 90))
FOUND = World(200, 90, -0.3)
OTHERS = (World(5, 90), World(30, 90, -0.3), World(200, 90, -0.15))
SEEDS = range(1000, 1200)
MOST_WRONG, LEAST_FOUND = 0.05, 0.8


def main() -> int:
    """Print a table; return 1 if too many claims are wrong, or too few effects are found."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.effects", description=__doc__)
    parser.add_argument(
        "--seeds", type=_seeds, default=SEEDS, help="FIRST:END (default 1000:1200); half of them with an effect"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default %(default)s)")
    options = parser.parse_args()
    started, is_right = time.monotonic(), True
    print("share of seeds in which …       a claim   time  rounds  reverts   too few   [95 % each: a claim   time]")  # noqa: T201
    for world in (*NONE, FOUND, *OTHERS):
        seeds = options.seeds if world in NONE else options.seeds[: (len(options.seeds) + 1) // 2]
        found = list(over_seeds(world, seeds, options.jobs))
        panel, plain = [one for one, _ in found], [other for _, other in found]
        print(_line(world, panel, plain), flush=True)  # noqa: T201 the command's output
        if world in NONE:
            is_right &= _share(panel) <= MOST_WRONG
        if world == FOUND:
            is_right &= sum(each.claims.get("cycle_time_hours") == "lower" for each in panel) >= LEAST_FOUND * len(
                panel
            )
    said = "as promised" if is_right else "WRONG: at most 5 % of claims without an effect, at least 80 % found"
    print(f"{len(options.seeds)} seeds each, {time.monotonic() - started:.0f} s: {said}")  # noqa: T201
    return 0 if is_right else 1


def _seeds(text: str) -> range:
    first, _, end = text.partition(":")
    seeds = range(int(first or 0), int(end or 0))
    if not seeds:
        raise argparse.ArgumentTypeError(f"expected FIRST:END with FIRST below END, got {text!r}")
    return seeds


def _share(judgements: list[Judgement], measure: str | None = None) -> float:
    claimed = [bool(each.claims) if measure is None else measure in each.claims for each in judgements]
    return sum(claimed) / len(claimed)


def _line(world: World, panel: list[Judgement], plain: list[Judgement]) -> str:
    measures = ("cycle_time_hours", "review_rounds", "revert_rate")
    of_measures = "".join(f"{_share(panel, each):8.1%}" for each in measures)
    few = sum(each.is_too_few for each in panel) / len(panel)
    return (
        f"{world!s:<32}{_share(panel):7.1%} {of_measures} {few:9.1%}"
        f"               {_share(plain):12.1%} {_share(plain, measures[0]):7.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
