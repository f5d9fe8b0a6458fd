"""What a sweep and a status read does not grow with the runs that have ended."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from millrace.errors import Step
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.lake.names import FinalKey, PlanKey, TaskKey
from millrace.load import sweep
from millrace.runs import run_id_of
from millrace.runs.comparison import Compared, note_compared
from millrace.runs.plan import to_json
from millrace.status import report
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import NothingYet

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class CountingLake(LocalLake):
    """A lake that counts the objects it reads and lists."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "lake")
        self.reads = 0
        self.listed = Counter[str]()

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        self.reads += 1
        return super().read(name, generation)

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        for stored in super().list(prefix, start):
            self.listed[prefix] += 1
            yield stored


class Silent:
    """A bus to which nothing is published."""

    def publish(self, topic: str, data: object, attributes: object) -> None:
        raise AssertionError(f"published to {topic}: {data}")


def lake_with(folder: Path, ended: int) -> CountingLake:
    """Return a lake with so many hourly runs, all complete, the last one an hour ago."""
    lake = CountingLake(folder / f"lake-{ended}")
    for hour in range(1, ended + 1):
        run_id = run_id_of(NOW - timedelta(hours=hour))
        plan = {"run_id": run_id, "scheduled_at": (NOW - timedelta(hours=hour)).isoformat(), "since": None}
        put(lake, str(PlanKey(run_id)), to_json(plan | {"full_refresh": False}))
        for table in ("repos", "commits", "pull_requests", "reviews"):
            put(lake, str(TaskKey(run_id, table)), to_json(record(run_id, table, hour)))
        final: dict[str, object] = {"run_id": run_id, "status": "complete", "reason": None, "tasks": [], "load_seq": 0}
        put(lake, str(FinalKey(run_id)), json.dumps(final).encode())
    put(lake, "build/requested.json", b'{"load_seq": 0, "run_id": null}')
    return lake


def put(lake: CountingLake, name: str, content: bytes) -> None:
    lake.write(name, content, if_generation=0)


def record(run_id: str, table: str, hour: int) -> dict[str, object]:
    at = (NOW - timedelta(hours=hour)).isoformat()
    texts: dict[str, object] = {"run_id": run_id, "task_id": table, "table": table, "plan": "bulk"}
    texts |= {"extracted_at": at, "finished_at": at}
    numbers: dict[str, object] = dict.fromkeys(
        ["source_total", "known", "repeated", "rows", "requests", "retries", "rate_limited", "waited_s"], 0
    )
    children = {"repos": ["pull_requests"], "pull_requests": ["reviews"]}.get(table, [])
    lists: dict[str, object] = {"parts": [], "children": children, "counts": {}, "since": None, "window_start": None}
    return texts | numbers | lists


def reads_of_sweep(folder: Path, ended: int, compared: bool) -> tuple[int, int]:
    lake = lake_with(folder, ended)
    if compared:
        note_compared(lake, Compared(run_id=run_id_of(NOW - timedelta(hours=30)), compared_at=NOW.isoformat()))
    lake.reads, lake.listed = 0, Counter()
    with DuckDBWarehouse(folder / f"{ended}.duckdb") as warehouse:
        warehouse.ensure_tables()
        assert not sweep.sweep(lake, Silent(), warehouse, NOW, sweep.SweepTimeouts())
    return lake.reads, lake.listed["runs/"]


@pytest.mark.parametrize("compared", [False, True], ids=["after the daily comparison", "half an hour later"])
def test_a_sweep_reads_no_run_that_ended_long_ago(tmp_path: Path, compared: bool) -> None:
    few, _ = reads_of_sweep(tmp_path, 50, compared)
    many, _ = reads_of_sweep(tmp_path, 150, compared)
    assert many == few


def test_a_sweep_lists_only_recent_runs(tmp_path: Path) -> None:
    _, few = reads_of_sweep(tmp_path, 50, True)
    _, many = reads_of_sweep(tmp_path, 150, True)
    assert many <= few + 6


def test_a_status_reads_and_lists_only_recent_runs(tmp_path: Path) -> None:
    def nothing(work: object) -> report.StoreReport:
        raise NothingYet("nothing was built yet", step=Step.BEGIN)

    counts = []
    for ended in (50, 150):
        lake = lake_with(tmp_path, ended)
        lake.reads, lake.listed = 0, Counter()
        status = report.assemble(lake, nothing, now=NOW)
        assert status.last_complete == run_id_of(NOW - timedelta(hours=1))
        assert len(status.runs) == 5
        counts.append((lake.reads, lake.listed["runs/"]))
    assert counts[0][0] == counts[1][0]
    assert counts[1][1] <= counts[0][1] + 6


def test_a_status_finds_the_last_complete_run_of_long_ago(tmp_path: Path) -> None:
    def nothing(work: object) -> report.StoreReport:
        raise NothingYet("nothing was built yet", step=Step.BEGIN)

    lake = lake_with(tmp_path, 3)
    later = NOW + timedelta(days=400)
    status = report.assemble(lake, nothing, now=later)
    assert status.last_complete == run_id_of(NOW - timedelta(hours=1))
    assert [run.run_id for run in status.runs] == [run_id_of(NOW - timedelta(hours=hour)) for hour in (3, 2, 1)]


class Recorded:
    """A bus that keeps the names of announced objects."""

    def __init__(self) -> None:
        self.announced: list[str] = []

    def publish(self, topic: str, data: object, attributes: Mapping[str, str]) -> None:
        self.announced.append(attributes["objectId"])


def test_the_lost_end_of_a_run_of_five_days_is_announced(tmp_path: Path) -> None:
    """It began before what a sweep reads again, and has only just ended."""
    lake = lake_with(tmp_path, 3)
    began = NOW - timedelta(days=5)
    run_id = run_id_of(began)
    plan = {"run_id": run_id, "scheduled_at": began.isoformat(), "since": None, "full_refresh": False}
    put(lake, str(PlanKey(run_id)), to_json(plan))
    note_compared(lake, Compared(run_id=run_id_of(NOW - timedelta(days=6)), compared_at=NOW.isoformat()))
    final: dict[str, object] = {"run_id": run_id, "status": "complete", "reason": None, "tasks": [], "load_seq": 1}
    put(lake, str(FinalKey(run_id)), json.dumps(final).encode())
    for table in ("repos", "commits", "pull_requests", "reviews"):
        put(lake, str(TaskKey(run_id, table)), to_json(record(run_id, table, 120)))
    bus = Recorded()
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.ensure_tables()
        warehouse.quarantine(ObjectVersion("lake", "raw/a", 1), None, None, None, "object_name", None)
        sweep.sweep(lake, bus, warehouse, NOW, sweep.SweepTimeouts())
    assert bus.announced == [str(FinalKey(run_id))]


def test_a_run_that_was_put_back_without_its_end_is_found_by_the_daily_listing(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, 3)
    began = NOW - timedelta(days=20)
    run_id = run_id_of(began)
    plan = {"run_id": run_id, "scheduled_at": began.isoformat(), "since": None, "full_refresh": False}
    put(lake, str(PlanKey(run_id)), to_json(plan))
    through = run_id_of(NOW - timedelta(days=3))
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.ensure_tables()
        for is_due, failed in ((False, []), (True, [run_id])):
            note_compared(lake, Compared(run_id=through, compared_at=NOW.isoformat(), is_listing_due=is_due))
            result = sweep.sweep(lake, Silent(), warehouse, NOW, sweep.SweepTimeouts())
            assert list(result.failed) == failed
