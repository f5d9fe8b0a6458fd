"""A run whose tasks need several deliveries: the status says how far each is, and the sweep waits for it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from millrace import runs
from millrace.errors import Step
from millrace.lake.local import LocalLake
from millrace.load import sweep
from millrace.runs import Claim, Progress, RunRequest
from millrace.status import report, text
from millrace.status.state import Status
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import NothingYet

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
START = NOW - timedelta(hours=30)
RUN = runs.run_id_of(START)


class Recording:
    """A bus that records what is published."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def publish(self, topic: str, data: Any, attributes: Any) -> None:
        self.asked.append(f"{topic} {data['table']}")


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    """A lake with a run that began thirty hours ago."""
    made = LocalLake(tmp_path / "lake", "lake")
    runs.start(made, Recording(), RunRequest(START))
    return made


def saved(lake: LocalLake, ago: timedelta, table: str = "commits") -> None:
    at = (NOW - ago).isoformat()
    claim = Claim("m", (NOW + timedelta(minutes=5)).isoformat())
    progress = Progress(RUN, table, table, START.isoformat(), at, {"plan": "bulk"}, (), 45, 200, 7, 0, {}, claim)
    runs.save_progress(lake, replace(progress, claim=claim), 0)


def status_of(lake: LocalLake) -> Status:
    def nothing(work: object) -> report.StoreReport:
        raise NothingYet("nothing was built yet", step=Step.BEGIN)

    return report.assemble(lake, nothing, now=NOW)


def test_the_status_says_how_far_each_task_is(lake: LocalLake) -> None:
    saved(lake, timedelta(minutes=2))
    status = status_of(lake)
    lines = list(text.lines(status))
    at = lines.index(next(line for line in lines if line.startswith(f"run {RUN}: unfinished")))
    expected = "commits 45 of 200 lists, 0 rows in 7 deliveries, last saved 2026-11-28 11:58:00Z"
    assert " ".join(lines[at + 1].split()) == expected
    (task,) = json.loads(status.to_json())["runs"][0]["tasks"]
    assert (task["task"], task["lists_done"], task["lists_total"]) == ("commits", 45, 200)
    assert task["saved_at"] == "2026-11-28T11:58:00Z"


def test_a_run_that_advances_is_running_however_old_it_is(lake: LocalLake) -> None:
    saved(lake, timedelta(minutes=2))
    assert status_of(lake).health == "syncing"


def test_a_run_that_has_not_advanced_for_hours_is_not_running(lake: LocalLake) -> None:
    saved(lake, timedelta(hours=5))
    assert status_of(lake).health != "syncing"


@pytest.mark.parametrize(
    ("ago", "failed", "asked"),
    [
        pytest.param(timedelta(minutes=2), 0, 0, id="it is being read"),
        pytest.param(timedelta(hours=5), 0, 2, id="its message was lost"),
        pytest.param(timedelta(hours=29), 1, 0, id="it has not advanced for a day"),
    ],
)
def test_a_sweep_gives_a_run_up_a_day_after_its_last_advance(
    lake: LocalLake, tmp_path: Path, ago: timedelta, failed: int, asked: int
) -> None:
    saved(lake, ago, "repos")
    bus = Recording()
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.ensure_tables()
        result = sweep.sweep(lake, bus, warehouse, NOW, sweep.SweepTimeouts())
    assert (len(result.failed), len(bus.asked)) == (failed, asked)
    if failed:
        assert "it was last read at 2026-11-27T07:00:00+00:00" in result.failed[RUN]
