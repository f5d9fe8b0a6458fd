"""A data directory with a real warehouse: drops are loaded, dbt builds, its scripts refresh, and the status is read."""

import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import warm

from millrace import wiring
from millrace.arrow import to_batch
from millrace.build.refresh import MartScripts
from millrace.bus.events import ObjectFinalized
from millrace.laptop import status
from millrace.laptop.data_dir import DataDir
from millrace.load import handler
from millrace.status.state import Status
from millrace.tables import TABLES
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

Row = dict[str, object]


@dataclass(slots=True)
class World:
    """A data directory, and the numbers of its files and events."""

    place: DataDir
    numbers: "count[int]" = field(default_factory=count)

    @property
    def warehouse(self) -> DuckDBWarehouse:
        load = self.place.load_config()
        return wiring.duckdb_at(load.warehouse, load.memory)

    def drop(self, table: str, rows: list[Row]) -> None:
        """Load a Parquet file as the load function does, and close the warehouse."""
        content = BytesIO()
        batch = to_batch(rows, TABLES[table], datetime.now(UTC), None)
        pq.write_table(pa.Table.from_batches([batch]), content)
        loader = wiring.loader_of(self.place.load_config())
        stored = loader.lake.write(f"drop/{table}/{next(self.numbers)}.parquet", content.getvalue(), 0)
        handler.answer(loader, ObjectFinalized(stored.version, stored.crc32c))
        self.warehouse.close()

    def use(self, events: int) -> None:
        """Load `events` new usage events."""
        self.drop("usage_events", [event(next(self.numbers)) for _ in range(events)])

    def commit(self, commits: int = 1) -> None:
        """Load `commits` new commits."""
        rows: list[Row] = [
            {"commitHash": f"c{next(self.numbers)}", "repoName": "acme/shop", "userId": "u"} for _ in range(commits)
        ]
        self.drop("commits", rows)

    def build(self) -> None:
        """Build everything with dbt, and publish it."""
        warm.run("run_all", "build", "--force", "--data-dir", str(self.place.root)).check_returncode()

    def refresh(self) -> None:
        """Refresh the usage marts with dbt's scripts, as a watching collector does."""
        MartScripts.of_last_build(self.place.dbt).refresh(self.warehouse)
        self.warehouse.close()

    def fail_a_build(self) -> None:
        """Record a failed build."""
        last = self.warehouse.last_builds(1)[0]
        noted = self.warehouse.start_build(last.token + 1, "test", None)
        self.warehouse.end_build(noted, False, 1.0, ())
        self.warehouse.close()

    def look(self, later_s: float = 0.0) -> Status:
        """Return the status `later_s` from now if nothing happens until then."""
        return status.status_of(self.place, datetime.now(UTC) + timedelta(seconds=later_s))


def event(number: int, **more: object) -> Row:
    """Return a machine's report of one response."""
    return {
        "collector_id": "laptop",
        "user_id": "ann@example.com",
        "agent": "claude",
        "session_id": "S1",
        "message_id": f"m{number}",
        "role": "assistant",
        "occurred_at": "2026-11-20T10:00:00Z",
        "project": "shop",
        "provider": "claude",
        "model": "claude-sonnet-4-5",
        "input_tokens": 100,
        "output_tokens": 10,
    } | more


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = World(DataDir(tmp_path_factory.mktemp("built") / "data"))
    world.place.lake.mkdir(parents=True)
    rows = [event(next(world.numbers), provider="anthropic") for _ in range(4)]
    prompt = {"role": "user", "provider": None, "model": None, "input_tokens": None, "output_tokens": None}
    rows += [event(9, model="nobody-knows"), event(10, **prompt)]
    world.drop("usage_events", rows)
    world.commit(3)
    world.build()
    return world.place.root


@pytest.fixture
def world(_built: Path, tmp_path: Path) -> World:
    """A data directory after a good build, of the test's own."""
    shutil.copytree(_built, tmp_path / "data", copy_function=shutil.copy2)
    return World(DataDir(tmp_path / "data"), count(1000))
