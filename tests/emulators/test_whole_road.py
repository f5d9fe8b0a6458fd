"""`local/run_all.py --emulators`: every function a process, over real sockets, and every mart cell the truth."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.laptop.conftest import Outcome, run_all
from tests.laptop.marts import differences

import simulator
from emulators import pubsub

END = "2026-10-20T00:00:00Z"
WORLD = ("--developers", "3", "--days", "30", "--seed", "11", "--clone-share", "0.2", "--no-limiter", "--json")
LATER = ("--developers", "3", "--days", "37", "--seed", "11", "--clone-share", "0.2", "--no-limiter", "--json")
LATER_END = "2026-10-27T00:00:00Z"


def world(end: str = END, days: int = 30) -> simulator.World:
    moment = datetime.fromisoformat(end).astimezone(UTC)
    return simulator.generate(developers=3, days=days, seed=11, end=moment, clone_share=0.2)


def road(place: Path, *more: str, sizes: tuple[str, ...] = WORLD, end: str = END) -> Outcome:
    outcome = run_all(place, *sizes, "--end", end, "--emulators", *more)
    assert outcome.code == 0, outcome.err
    return outcome


def marts_of(outcome: Outcome) -> Path:
    return Path(outcome.report["published"])


@pytest.fixture
def without_googles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_PUBSUB_EMULATOR", "none")


@pytest.mark.usefixtures("without_googles")
def test_with_faults_and_duplicates_two_runs_end_in_the_truth(tmp_path: Path) -> None:
    faults = ("--fault-share", "0.2", "--deliver-twice")
    first = road(tmp_path, *faults)
    cells, found = differences(marts_of(first), world())
    assert (found, cells > 500) == ([], True)
    later = road(tmp_path, *faults, sizes=LATER, end=LATER_END)
    assert later.table("pull_requests")["known"] > 0  # the first run's cursors were moved
    assert differences(marts_of(later), world(LATER_END, 37))[1] == []


@pytest.mark.usefixtures("without_googles")
def test_over_our_broker_the_marts_are_the_truth(tmp_path: Path) -> None:
    outcome = road(tmp_path)
    assert "our broker" in outcome.err
    assert differences(marts_of(outcome), world())[1] == []


@pytest.mark.skipif(pubsub.find_emulator() is None, reason="Google's Pub/Sub emulator or Java is not installed")
def test_over_googles_emulator_the_marts_are_the_truth(tmp_path: Path) -> None:
    outcome = road(tmp_path)
    assert "Google's emulator" in outcome.err
    assert differences(marts_of(outcome), world())[1] == []


def test_a_source_out_of_reach_is_said_before_a_run_starts(tmp_path: Path) -> None:
    outcome = run_all(tmp_path, "--source-url", "http://127.0.0.1:9", "--emulators")
    assert outcome.code == 3
    assert "127.0.0.1:9" in outcome.err


def test_dropped_files_are_for_a_plain_run(tmp_path: Path) -> None:
    outcome = run_all(tmp_path, *WORLD, "--end", END, "--emulators", "--drops")
    assert outcome.code == 2
    assert "files are dropped into the folder of a plain run" in outcome.err
