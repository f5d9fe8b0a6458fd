"""`local/run_all.py --emulators`: every function a process, over real sockets, and every mart cell equals the truth."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.laptop.conftest import PROJECT, Outcome, run_all
from tests.laptop.marts import differences

import simulator
from emulators import pubsub

END = "2026-10-20T00:00:00Z"
WORLD = ("--developers", "3", "--days", "30", "--seed", "11", "--clone-share", "0.2", "--no-limiter", "--json")
LATER_END = "2026-10-27T00:00:00Z"


def world(end: str = END, days: int = 30) -> simulator.World:
    moment = datetime.fromisoformat(end).astimezone(UTC)
    return simulator.generate(developers=3, days=days, seed=11, end=moment, clone_share=0.2)


def road(place: Path) -> Outcome:
    outcome = run_all(place, *WORLD, "--end", END, "--emulators")
    assert outcome.code == 0, outcome.err
    return outcome


def faulty(place: Path, days: int = 30, end: str = END, deliveries: str = "") -> Outcome:
    command = [sys.executable, "-m", "tests.emulators.faulty", str(place), str(days), end, deliveries]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


def marts_of(outcome: Outcome) -> Path:
    return Path(outcome.report["published"])


@pytest.fixture
def without_googles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_PUBSUB_EMULATOR", "none")


@pytest.mark.proof
@pytest.mark.usefixtures("without_googles")
def test_with_faults_and_duplicates_two_runs_end_in_the_truth(tmp_path: Path) -> None:
    first = faulty(tmp_path)
    cells, found = differences(marts_of(first), world())
    assert (found, cells > 500) == ([], True)
    later = faulty(tmp_path, 37, LATER_END)
    assert later.table("pull_requests")["known"] > 0  # the first run's cursors were moved
    assert differences(marts_of(later), world(LATER_END, 37))[1] == []


@pytest.mark.proof
@pytest.mark.usefixtures("without_googles")
def test_with_faults_duplicates_and_short_deliveries_a_run_ends_in_the_truth(tmp_path: Path) -> None:
    outcome = faulty(tmp_path, deliveries="short")
    assert differences(marts_of(outcome), world())[1] == []
    lines = [
        json.loads(line) for log in tmp_path.rglob("extract_*.log") for line in log.read_text().splitlines() if line
    ]
    assert len([line for line in lines if line["message"] == "paused"]) >= 1
    extracted = {line["table"]: line for line in lines if line["message"] == "extracted"}
    assert {line["rate_limited"] for line in extracted.values()} == {0}
    assert max(line["deliveries"] for line in extracted.values()) >= 2


@pytest.mark.usefixtures("without_googles")
def test_over_our_broker_the_marts_are_the_truth(tmp_path: Path) -> None:
    outcome = road(tmp_path)
    assert "our broker" in outcome.err
    assert differences(marts_of(outcome), world())[1] == []


@pytest.mark.proof
@pytest.mark.skipif(pubsub.find_emulator() is None, reason="Google's Pub/Sub emulator or Java is not installed")
def test_over_googles_emulator_the_marts_are_the_truth(tmp_path: Path) -> None:
    outcome = road(tmp_path)
    assert "Google's emulator" in outcome.err
    assert differences(marts_of(outcome), world())[1] == []


@pytest.mark.proof  # over the in-process bus it is tested in tests/laptop/test_bad_input.py
def test_unreachable_source_is_reported_before_run_starts(tmp_path: Path) -> None:
    outcome = run_all(tmp_path, "--source-url", "http://127.0.0.1:9", "--emulators")
    assert outcome.code == 3
    assert "127.0.0.1:9" in outcome.err


def test_dropped_files_are_for_a_plain_run(tmp_path: Path) -> None:
    outcome = run_all(tmp_path, *WORLD, "--end", END, "--emulators", "--drops")
    assert outcome.code == 2
    assert "files are dropped into the folder of a plain run" in outcome.err
