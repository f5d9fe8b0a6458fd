"""The lake is compared with the ledger; a healthy sweep reads as little for many runs as for few."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millrace import runs
from millrace.bus.in_process import LocalBus
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.lake.names import CursorKey, TaskKey
from millrace.load import recovery
from millrace.load.handler import Loader
from millrace.runs import build_requests
from millrace.runs.comparison import compare, note_compared, read_compared
from millrace.tables import CURSOR_SIM, TABLES, children_of
from millrace.warehouse import Batch, LedgerEntry
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.wiring import RequestedBuilds

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


class CountingLake(LocalLake):
    """A lake that counts its calls."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "lake")
        self.asked = Counter[str]()

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        self.asked["read"] += 1
        return super().read(name, generation)

    def download(self, version: ObjectVersion, to: Path) -> StoredObject:
        self.asked["download"] += 1
        return super().download(version, to)

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        self.asked["list"] += 1
        return super().list(prefix, start)


class CountingWarehouse(DuckDBWarehouse):
    """A warehouse that records whether its whole ledger was read."""

    whole = 0

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        self.whole += not is_quarantined
        return super().entries(is_quarantined)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[CountingWarehouse]:
    with CountingWarehouse(tmp_path / "warehouse.duckdb") as opened:
        opened.ensure_tables()
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> CountingLake:
    return CountingLake(tmp_path / "lake")


def loader(lake: LocalLake, warehouse: DuckDBWarehouse, now: datetime = NOW) -> Loader:
    return Loader(lake, lake, warehouse, RequestedBuilds(), lambda: now)


def sweep_all(lake: LocalLake, warehouse: DuckDBWarehouse, now: datetime = NOW) -> list[str]:
    """Do the work of the function `sweep`; return the announced objects."""
    announced: list[str] = []

    class Heard(LocalBus):
        def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
            announced.append(attributes["objectId"])

    counted = recovery.mend(loader(lake, warehouse, now), Heard())
    assert counted == {"tasks": 0, "objects": len(announced), "failed": 0}
    return announced


def drop(lake: LocalLake, name: str, key: str = "a") -> StoredObject:
    path = lake._root / "made"
    pq.write_table(pa.table({"full_name": [key]}), path)
    stored = lake.write(name, path, 0)
    path.unlink()
    return stored


def load(warehouse: DuckDBWarehouse, lake: LocalLake, stored: StoredObject) -> None:
    path = lake._root.parent / "copy"
    stored = lake.download(stored.version, path)
    warehouse.load(Batch(stored.version, TABLES["repos"], path, T0, None, crc32c=stored.crc32c))


@pytest.mark.parametrize("count", [24, 2400])
def test_a_healthy_sweep_reads_as_little_for_many_runs_as_for_few(
    lake: CountingLake, warehouse: CountingWarehouse, count: int
) -> None:
    for number in range(count):
        moment = T0 + timedelta(hours=number)
        run_id = f"{moment:%Y%m%dT%H%M%SZ}"
        folder = lake._root / "runs" / run_id
        folder.mkdir(parents=True)
        plan = {"run_id": run_id, "scheduled_at": moment.isoformat(), "since": None, "full_refresh": False}
        final: dict[str, object] = {"run_id": run_id, "status": "complete", "reason": None, "tasks": [], "load_seq": 0}
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "final.json").write_text(json.dumps(final))
    build_requests.request(lake, 0, None)
    assert sweep_all(lake, warehouse) == []
    sweep_all(lake, warehouse, NOW + timedelta(hours=1))
    lake.asked.clear()
    warehouse.whole = 0
    assert sweep_all(lake, warehouse, NOW + timedelta(hours=2)) == []
    assert (lake.asked, warehouse.whole) == ({"read": 4, "list": 3}, 0)


def test_a_sweep_announces_what_was_dropped_and_what_an_older_warehouse_lacks(
    lake: CountingLake, warehouse: CountingWarehouse, tmp_path: Path
) -> None:
    one, two = drop(lake, "drop/repos/one.parquet"), drop(lake, "drop/repos/two.parquet", "b")
    assert sweep_all(lake, warehouse) == [one.version.name, two.version.name]
    for stored in (one, two):
        load(warehouse, lake, stored)
    assert sweep_all(lake, warehouse) == []
    with CountingWarehouse(tmp_path / "older.duckdb") as older:
        older.ensure_tables()
        load(older, lake, one)
        assert sweep_all(lake, older) == [two.version.name]


def test_once_a_day_everything_is_compared(lake: CountingLake, warehouse: CountingWarehouse) -> None:
    load(warehouse, lake, drop(lake, "drop/repos/one.parquet"))
    assert sweep_all(lake, warehouse) == []
    part = f"raw/repos/dt=2026-11-20/run={T0:%Y%m%dT%H%M%SZ}/repos-00000.parquet"
    drop(lake, part, "c")
    assert sweep_all(lake, warehouse, NOW + timedelta(hours=1)) == []
    assert sweep_all(lake, warehouse, NOW + timedelta(hours=25)) == [part]


@pytest.mark.parametrize("at", [(NOW + timedelta(days=4000)).isoformat(), "2026-11-28T00:00:00", "soon"])
def test_a_time_that_cannot_be_puts_no_comparison_off(
    lake: CountingLake, warehouse: CountingWarehouse, at: str
) -> None:
    load(warehouse, lake, drop(lake, "drop/repos/one.parquet"))
    assert sweep_all(lake, warehouse) == []
    noted = read_compared(lake)
    note_compared(lake, replace(noted, compared_at=at))
    part = f"raw/repos/dt=2026-11-20/run={T0:%Y%m%dT%H%M%SZ}/repos-00000.parquet"
    drop(lake, part, "c")
    assert sweep_all(lake, warehouse, NOW + timedelta(hours=1)) == [part]


def copied(root: Path) -> None:
    shutil.copytree(root, root.with_name("other"))
    shutil.rmtree(root)
    root.with_name("other").rename(root)


def restored(root: Path) -> None:
    archive = shutil.make_archive(str(root.with_name("backup")), "tar", root)
    shutil.rmtree(root)
    shutil.unpack_archive(archive, root, filter="data")


def reassigned(root: Path) -> None:
    for path in root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o640)


def touched(root: Path) -> None:
    for path in root.rglob("*"):
        path.touch()


def linked(root: Path) -> None:
    for path in root.rglob("*.parquet"):
        root.with_name("backup").hardlink_to(path)


@pytest.mark.parametrize(
    "handle",
    [
        pytest.param(copied, id="copied"),
        pytest.param(restored, id="restored from an archive"),
        pytest.param(reassigned, id="with other rights"),
        pytest.param(linked, id="backed up by hard links"),
        pytest.param(touched, id="with other times"),
    ],
)
def test_lake_that_a_backup_touched_holds_nothing_new(
    lake: CountingLake, warehouse: CountingWarehouse, handle: Callable[[Path], object]
) -> None:
    stored = drop(lake, "drop/repos/one.parquet")
    load(warehouse, lake, stored)
    handle(lake._root)
    assert recovery.lacking(lake, warehouse) == ()
    assert sweep_all(lake, warehouse) == []


def test_a_copied_lake_is_known_by_name_and_checksum(
    lake: CountingLake, warehouse: CountingWarehouse, tmp_path: Path
) -> None:
    stored = drop(lake, "drop/repos/one.parquet")
    load(warehouse, lake, stored)
    moved = CountingLake(tmp_path / "moved")
    drop(moved, "drop/repos/one.parquet")
    drop(moved, "drop/repos/other.parquet")
    found = compare(moved, warehouse.entries())
    assert [each.version.name for each in found.unknown] == ["drop/repos/other.parquet"]
    assert [entry.version for entry in found.copies.values()] == [stored.version]
    warehouse.adopt(found.copies)
    again = compare(moved, warehouse.entries())
    assert (len(again.unknown), again.copies) == (1, {})
    assert warehouse.count(TABLES["repos"]) == 1


@pytest.mark.parametrize("run_id", ["20370101T000000Z", "zzz"])
def test_a_run_of_a_clock_that_was_ahead_hides_no_other(
    lake: CountingLake, warehouse: CountingWarehouse, run_id: str
) -> None:
    runs.start(lake, LocalBus(), runs.RunRequest(NOW - timedelta(hours=2)))
    assert sweep_all(lake, warehouse, NOW - timedelta(hours=2)) == []
    note_compared(lake, replace(read_compared(lake), run_id=run_id))
    asked = recovery.mend(loader(lake, warehouse), LocalBus())
    assert asked["tasks"] > 0


def test_a_sweep_that_ends_a_run_advances_its_cursors(lake: CountingLake, warehouse: CountingWarehouse) -> None:
    read_at = (NOW - timedelta(hours=2)).isoformat()
    run_id = runs.start(lake, LocalBus(), runs.RunRequest(NOW - timedelta(hours=2))).run_id
    for table in CURSOR_SIM:
        children = tuple(child.name for child in children_of(table))
        record = runs.TaskRecord(
            run_id, table, table, "plain", read_at, read_at, None, None, 0, 0, 0, 0, (), children, 1, 0, 0, 0.0, {}
        )
        lake.write(str(TaskKey(run_id, table)), record.to_json(), 0)
    sweep_all(lake, warehouse)
    assert runs.read_final(lake, run_id) is not None
    assert {table: getattr(runs.held_cursor(lake, table), "extracted_at", None) for table in CURSOR_SIM} == (
        dict.fromkeys(CURSOR_SIM, read_at)
    )


@pytest.mark.parametrize("content", [b"full_name\n1\n", b""], ids=["other bytes", "none"])
def test_another_content_under_a_known_name_is_another_object(
    lake: CountingLake, warehouse: CountingWarehouse, tmp_path: Path, content: bytes
) -> None:
    load(warehouse, lake, drop(lake, "drop/repos/one.parquet"))
    moved = CountingLake(tmp_path / "moved")
    moved.write("drop/repos/one.parquet", content, 0)
    assert len(compare(moved, warehouse.entries()).unknown) == 1


def test_cursor_ahead_of_warehouse_is_discarded(lake: CountingLake, warehouse: CountingWarehouse) -> None:
    cursor = {"since": None, "extracted_at": T0.isoformat(), "counts": {"": 3}}
    lake.write(str(CursorKey("repos")), json.dumps(cursor).encode(), 0)
    assert runs.read_cursor(lake, "repos", None) is not None
    (forgotten,) = recovery.settle(loader(lake, warehouse))
    assert (forgotten.table, forgotten.rows, forgotten.known) == ("repos", 0, 3)
    assert runs.read_cursor(lake, "repos", None) is None
    assert recovery.settle(loader(lake, warehouse)) == []


def test_new_warehouse_resets_build_requests(lake: CountingLake, warehouse: CountingWarehouse) -> None:
    build_requests.request(lake, 89, "20260101T000000Z")
    load(warehouse, lake, drop(lake, "drop/repos/one.parquet"))
    wanted = loader(lake, warehouse)
    recovery.settle(wanted)
    assert build_requests.requested(lake) == warehouse.extent().load_seq == 1
    assert isinstance(wanted.job, RequestedBuilds)
    assert wanted.job.requests == [None]
    assert read_compared(lake).run_id == ""


@pytest.mark.parametrize("run_id", ["99999999T999999Z", "20260230T000000Z", "00000000T000000Z"])
def test_a_plan_of_no_moment_stops_no_sweep(lake: CountingLake, warehouse: CountingWarehouse, run_id: str) -> None:
    lake.write(f"runs/{run_id}/plan.json", b"{}", 0)
    runs.start(lake, LocalBus(), runs.RunRequest(NOW - timedelta(hours=2)))
    assert recovery.mend(loader(lake, warehouse), LocalBus())["tasks"] > 0
