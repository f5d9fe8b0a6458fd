"""Read simulated accounts of GitHub through the functions as they are deployed: `make prove-github`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.proofs.faults.world import replaced
from tests.proofs.github import faults, honest, kills, large, scenes
from tests.proofs.github.account import opened
from tests.proofs.github.marts import check
from tests.proofs.github.mutants import CAUGHT_BY

from millrace.extract.sources.github.listing import ByGraphQL

_SIZES = ((10, 2_000), (50, 400), (50, 2_000))
_LARGE = "what is measured once: up to 50 x 2,000 pull requests, and a day (17 minutes)"
_Line = tuple[str, bool]


def main(arguments: list[str] | None = None) -> int:
    """Print what was read; return 1 if anything is short or wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.github",
        description=f"{__doc__} Without an option all but the last.",
    )
    parser.add_argument("--faults", action="store_true", help="only the table of faults")
    parser.add_argument("--kills", type=int, metavar="N", help="only N runs over 5 x 400 pull requests that are killed")
    parser.add_argument("--large", action="store_true", help="only " + _LARGE)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    if options.large:
        is_right = _told(_measured())
    elif options.kills is not None:
        is_right = _told(_killed(options.kills))
    elif options.faults:
        is_right = _told(_faults())
    else:
        is_right = _told(_honest()) & _told(_marts()) & _told(_mutants()) & _told(_faults()) & _told(_killed(3))
        print(f"left out: make prove WHAT=github ARGS=--large, {_LARGE}")  # noqa: T201
    print(f"{'as promised' if is_right else 'WRONG'}, {time.monotonic() - started:.0f} s")  # noqa: T201
    return 0 if is_right else 1


def _told(lines: Iterable[_Line]) -> bool:
    is_right = True
    for line, is_line_right in lines:
        print(line, flush=True)  # noqa: T201 the command's output
        is_right &= is_line_right
    return is_right


def _honest() -> Iterator[_Line]:
    with _folder() as folder, opened(folder) as account:
        wrong = honest.read_while_others_work(account, honest.company())
    yield f"one repository, read while others work: {'; '.join(wrong[:5]) or 'every cell is the truth'}", not wrong
    for size in (50, 100):
        with _folder() as folder, opened(folder) as account, replaced(ByGraphQL, "largest", size):
            requests, wrong = honest.read_disturbed(account, honest.company())
        told = "; ".join(wrong[:5]) or "every cell is the truth, but for the names before the rename"
        yield f"a fault of each kind, pages of {size}: {requests} requests, {told}", not wrong


def _marts() -> Iterator[_Line]:
    for scenario in (scenes.renamed_and_moved, scenes.while_others_work):
        with _folder() as folder, scenes.staged(folder) as scene:
            read = scenario(scene)
            scene.build()
            checked = check(scene.engine, read)
        told = "; ".join(checked.differences[:5]) or "all as the truth"
        yield f"marts, {scenario.__name__}: {checked.cells:,} cells, {told}", not checked.differences


def _mutants() -> Iterator[_Line]:
    for mutant, scenario in CAUGHT_BY.items():
        with _folder() as folder, opened(folder) as account:
            before = scenario(account)
        with mutant(), _folder() as folder, opened(folder) as account:
            wrong = scenario(account)
        told = f"WRONG without it: {before[0]}" if before else f"noticed: {wrong[0]}" if wrong else "NOT noticed"
        yield f"{mutant.__name__}: {told}", bool(wrong) and not before


def _faults() -> Iterator[_Line]:
    rows = faults.promised()
    yield faults.HEAD, True
    for fault in faults.FAULTS:
        with _folder() as folder:
            outcome = faults.outcome_of(fault, folder)
        wrong = [*outcome.wrong[:5], *([] if str(outcome) in rows else [f"no such row in {faults.PAGE}"])]
        yield "\n  WRONG: ".join([str(outcome), *wrong]), not wrong


def _killed(runs: int) -> Iterator[_Line]:
    outcomes = []
    for seed in range(runs):
        outcome = kills.killed(seed, 5, 400, 2)
        outcomes.append(outcome)
        yield str(outcome), not outcome.wrong and outcome.pages_again <= outcome.kills
    count = sum(each.kills for each in outcomes)
    told = f"{runs} runs, {count} kills, {sum(each.pages_again for each in outcomes)} pages requested once more"
    yield told + ("" if count else "; WRONG: expected a kill"), count > 0


def _measured() -> Iterator[_Line]:
    for repositories, pulls in _SIZES:
        for measured in large.measure(repositories, pulls):
            yield str(measured), not measured.wrong


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="github-") as name:
        yield Path(name)


if __name__ == "__main__":
    sys.exit(main())
