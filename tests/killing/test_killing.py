"""Real processes, really killed; `make faults-kill` does it at every step."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.killing.killable import Place
from tests.killing.killing import End, run
from tests.killing.sweep import Sweep, sweep

Clean = tuple[list[Place], End]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    data = tmp_path_factory.mktemp("clean")
    finished = run(data)
    assert finished.code == 0, finished.err
    return [place for place in finished.places if place.thread != "beat"], End.of(data)


@pytest.mark.parametrize("place", [Place("load", 40), Place("model", 9)], ids=str)
def test_a_run_killed_on_the_way_is_finished_by_the_next(tmp_path: Path, clean: Clean, place: Place) -> None:
    assert run(tmp_path, place).is_killed
    finished = run(tmp_path)
    assert finished.code == 0, finished.err
    assert End.of(tmp_path).differs(clean[1]) == []


@pytest.fixture(scope="module")
def begun(clean: Clean, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    with sweep(tmp_path_factory.mktemp("sweep"), clean[1]) as begun:
        yield begun


def test_wherever_a_run_is_killed_the_next_ends_as_the_clean_one(clean: Clean, begun: Sweep) -> None:
    places = clean[0][20::40]
    outcomes = list(begun.at_each(places))
    assert [outcome.err for outcome in outcomes if outcome.wrong] == []
    assert sum(outcome.is_killed for outcome in outcomes) >= len(places) - 1  # the load lane may take fewer steps


def test_what_was_killed_while_it_took_up_what_a_killed_run_left_is_finished_by_the_next(
    clean: Clean, begun: Sweep
) -> None:
    outcomes = list(begun.chains(range(4), clean[0]))
    assert [outcome.err for outcome in outcomes if outcome.wrong] == []
    assert sum(len(outcome.killed) for outcome in outcomes) > len(outcomes)
