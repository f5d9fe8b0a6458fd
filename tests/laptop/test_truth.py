"""The whole pipeline, from the source's pages to the marts: every cell equals the one computed from the source."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.laptop.conftest import PROJECT, Outcome, run_all
from tests.laptop.marts import differences

import simulator

FIRST_END = "2026-10-20T00:00:00Z"
LATER_END = "2026-10-27T00:00:00Z"
WORLD = (
    "--developers",
    "6",
    "--days",
    "60",
    "--seed",
    "11",
    "--no-limiter",
    "--json",
    "--clone-share",
    "0.2",
)


def world(end: str, developers: int = 6, days: int = 60, clone_share: float = 0.2) -> simulator.World:
    moment = datetime.fromisoformat(end).astimezone(UTC)
    return simulator.generate(developers=developers, days=days, seed=11, end=moment, clone_share=clone_share)


@pytest.fixture(scope="module")
def runs(place: Path) -> dict[str, Outcome]:
    """Four runs over one data directory: the first, one without new rows, one a week later, and a full refresh.

    The marts are fully built each time: by the first run, and when everything is loaded.
    """
    return {
        "first": run_all(place, *WORLD, "--end", FIRST_END),
        "again": run_all(place, *WORLD, "--end", FIRST_END, "--no-build"),
        "later": run_all(place, *WORLD, "--days", "67", "--end", LATER_END, "--no-build"),
        "full": run_all(place, *WORLD, "--days", "67", "--end", LATER_END, "--full-refresh"),
    }


def test_every_run_reconciles_and_passes_every_dbt_test(runs: dict[str, Outcome]) -> None:
    assert {name: (run.code, run.report["ok"]) for name, run in runs.items()} == dict.fromkeys(runs, (0, True))


def test_the_first_run_loads_every_row_of_the_source(runs: dict[str, Outcome]) -> None:
    first, source = runs["first"], world(FIRST_END)
    inserted = {name: first.table(name)["inserted"] for name in ("commits", "pull_requests", "reviews")}
    assert inserted == {
        "commits": len(source.commits.rows),
        "pull_requests": len(source.pulls.rows),
        "reviews": len(source.reviews.rows),
    }


def test_a_run_that_finds_nothing_new_changes_nothing_and_asks_little(runs: dict[str, Outcome]) -> None:
    tables = runs["again"].report["tables"]
    assert [(line["inserted"], line["updated"]) for line in tables] == [(0, 0)] * 4
    assert all(line["known"] > 0.5 * line["source_total"] for line in tables if line["table"] != "repos")
    assert sum(line["requests"] for line in tables) < 0.6 * sum(
        line["requests"] for line in runs["first"].report["tables"]
    )


def test_a_later_run_loads_new_rows_and_the_old_ones_that_changed(runs: dict[str, Outcome]) -> None:
    pulls = runs["later"].table("pull_requests")
    assert pulls["inserted"] == len(world(LATER_END, days=67).pulls.rows) - len(world(FIRST_END).pulls.rows)
    assert pulls["updated"] > 0
    assert pulls["known"] > 0


def test_a_full_refresh_after_incremental_runs_finds_that_they_missed_nothing(runs: dict[str, Outcome]) -> None:
    tables = runs["full"].report["tables"]
    assert [(line["table"], line["inserted"], line["updated"], line["known"]) for line in tables] == [
        (name, 0, 0, 0) for name in ("repos", "commits", "pull_requests", "reviews")
    ]


def test_after_all_runs_every_mart_cell_is_the_truth(runs: dict[str, Outcome], place: Path) -> None:
    cells, found = differences(place / "published.duckdb", world(LATER_END, days=67))
    assert found == []
    assert cells > 5_000


@pytest.mark.proof
def test_thirty_developers_match_truth_in_every_cell(fresh: Path) -> None:
    sizes = ("--developers", "30", "--days", "90", "--seed", "11", "--clone-share", "0.05", "--end", LATER_END)
    assert run_all(fresh, *sizes, "--no-limiter", "--json").code == 0
    cells, found = differences(fresh / "published.duckdb", world(LATER_END, 30, 90, 0.05))
    assert found == []
    assert cells > 30_000


@pytest.mark.proof
def test_recording_of_real_source_matches_truth_in_every_cell(fresh: Path) -> None:
    recording = PROJECT / "tests/golden/captures/seed-2dev-90d-medium/full-exact.jsonl.gz"
    assert run_all(fresh, "--from-recording", str(recording), "--json").code == 0
    cells, found = differences(fresh / "published.duckdb", simulator.world_from_recording(recording))
    assert found == []
    assert cells > 3_000
