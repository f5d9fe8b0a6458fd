"""A quarantine desk over folders and a DuckDB file, and a lake that fails at the chosen step."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from millrace.bus.events import ObjectFinalized
from millrace.lake import Lake, StoredObject
from millrace.lake.local import LocalLake
from millrace.load import handler, quarantine
from millrace.load.handler import Loader
from millrace.tables import TABLES, Table
from millrace.warehouse import Warehouse
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.wiring import RequestedBuilds

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)


class PowerCut(RuntimeError):
    """The process ended here."""


class FailingLake:
    """A lake that is unavailable from its n-th call on, before or after that call took effect."""

    def __init__(self, lake: Lake, calls: int, is_done: bool) -> None:
        self.bucket = lake.bucket
        self._lake, self._left, self._is_done = lake, calls, is_done

    def _step(self) -> bool:
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._is_done):
            raise PowerCut
        return self._left == 0

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        is_last = self._step()
        stored = self._lake.write(name, content, if_generation)
        if is_last:
            raise PowerCut
        return stored

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        self._step()
        return self._lake.read(name, generation)

    def download(self, version: object, to: Path) -> StoredObject:
        self._step()
        return self._lake.download(version, to)  # type: ignore[arg-type]

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        self._step()
        return self._lake.list(prefix, start)


class FailingWarehouse:
    """A warehouse that is unavailable from its n-th call on, before or after that call took effect."""

    def __init__(self, warehouse: Warehouse, calls: int, is_done: bool) -> None:
        self._warehouse, self._left, self._is_done = warehouse, calls, is_done

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self._left -= 1
            if self._left < 0 or (self._left == 0 and not self._is_done):
                raise PowerCut
            answer = getattr(self._warehouse, name)(*arguments, **options)
            if self._left == 0:
                raise PowerCut
            return answer

        return call


@dataclass
class Rig:
    """A desk, its stores, and a method that loads an object."""

    desk: Loader
    builds: RequestedBuilds
    folder: Path
    versions: list[StoredObject] = field(default_factory=list)

    def put(self, name: str, content: bytes, crc32c: str | None = None) -> StoredObject:
        """Write an object and load it, as its event would."""
        stored = self.desk.lake.write(name, content, 0)
        handler.answer(self.desk, ObjectFinalized(stored.version, crc32c))
        return stored

    def entries(self, state: quarantine.State | None = "open") -> list[quarantine.Entry]:
        return quarantine.entries(self.desk.quarantine, self.desk.warehouse, state)

    def load(self, dropped: Iterable[StoredObject], desk: Loader | None = None) -> None:
        """Load objects, as their events would."""
        for stored in dropped:
            handler.answer(desk or self.desk, ObjectFinalized(stored.version, stored.crc32c))

    def failing(self, calls: int, is_done: bool, which: str = "quarantine") -> Loader:
        failing = FailingWarehouse if which == "warehouse" else FailingLake
        adapters = {which: failing(getattr(self.desk, which), calls, is_done)}
        return replace(self.desk, **adapters)  # type: ignore[arg-type]

    def rows(self, table: str = "repos") -> list[tuple[object, ...]]:
        self.desk.warehouse.close()  # type: ignore[attr-defined]
        with duckdb.connect(self.folder / "w.duckdb") as connection:
            return list(connection.execute(f"SELECT * EXCLUDE _load_seq FROM raw.{table} ORDER BY ALL").fetchall())  # noqa: S608


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    job = RequestedBuilds()
    lake, quarantine = (LocalLake(tmp_path / name, name) for name in ("lake", "quarantine"))
    with DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: NOW) as warehouse:
        yield Rig(Loader(lake, quarantine, warehouse, job, clock=lambda: NOW), job, tmp_path)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Deploy a registry in which the count of pull requests is a text."""

    def fix() -> None:
        repos = TABLES["repos"]
        index = repos.columns.get_field_index("open_pull_requests_count")
        columns = repos.columns.set(index, pa.field("open_pull_requests_count", pa.string()))
        monkeypatch.setitem(TABLES, "repos", Table("repos", columns, repos.key, repos.bulk))

    return fix
