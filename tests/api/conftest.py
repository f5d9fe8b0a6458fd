# ruff: noqa: S608 - the names are this module's own
"""A small data directory, built and published once for all tests of the read API, and the application over it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from fastapi.testclient import TestClient
from tests.laptop.conftest import run_all
from tests.status.conftest import World

from millrace.api.app import Api, create
from millrace.laptop.data_dir import DataDir
from millrace.status.state import Status
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import Answer, Snapshot

WORLD = ("--developers", "15", "--days", "25", "--seed", "5", "--end", "2026-10-20T00:00:00Z", "--no-limiter")
NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
# One project of three has no repository, and two users of fifteen have no developer.
UNMATCHED = {
    "project_repositories": ("repo_name", "project", ("src-service-03",)),
    "user_developers": ("developer", "user_id", ("dev012@example.com", "dev014@example.com")),
}
_OF_GITHUB = {"source": "github", "account": "acme", "object": "pull_requests", "read_at": "2026-10-10T06:00:00Z"}
WINDOWS: list[dict[str, object]] = [
    _OF_GITHUB | {"window": "1", "name": "acme/shop", "state": "known", "row_count": 7, "source_total": 7},
    _OF_GITHUB | {"window": "2", "name": "acme/web", "state": "provisional", "row_count": 2, "source_total": 9},
    _OF_GITHUB | {"window": "3", "name": "acme/hidden", "state": "refused", "reason": "no right", "read_at": None},
]
_MADE_AGAIN = ("agent_pull_requests", "ai_spend_by_repo_week", "cost_per_merged_pr", "source_completeness")
_SIGNED = "int_pull_requests_measured"
OPENED_BY_AGENTS = {"codex": "%3", "claude": "%7"}  # by the last digit of the number


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A data directory in which three repositories are built and published. No test changes it."""
    return build_store(DataDir(tmp_path_factory.mktemp("store")))


def build_store(place: DataDir) -> DataDir:
    """Build and publish the simulated world in a data directory."""
    done = run_all(place.root, *WORLD, "--usage")
    assert done.code == 0, done.out + done.err
    World(place).drop("source_windows", WINDOWS)
    with DuckDBWarehouse(place.warehouse) as warehouse:
        warehouse.run_scripts(_matching(place))
        (build,) = warehouse.last_builds()
        warehouse.publish(build)
    return place


def _matching(place: DataDir) -> list[str]:
    """Return the statements that leave some names unmatched, and rebuild the marts that read what has changed."""
    emptied = [
        f"UPDATE mart.{mart} SET {column} = NULL WHERE {key} IN {names}".replace(",)", ")")
        for mart, (column, key, names) in UNMATCHED.items()
    ]
    compiled = place.dbt / "compiled" / "millrace" / "models" / "marts"
    made = [f"INSERT INTO mart.{mart} {(compiled / f'{mart}.sql').read_text()}" for mart in _MADE_AGAIN]
    signed = [
        f"UPDATE intermediate.{_SIGNED} SET opened_by_agent = '{agent}' WHERE pull_request_key LIKE '{digit}'"
        for agent, digit in OPENED_BY_AGENTS.items()
    ]
    return [*emptied, *signed, *(f"DELETE FROM mart.{mart}" for mart in _MADE_AGAIN), *made]


@pytest.fixture
def place(store: DataDir, tmp_path: Path) -> DataDir:
    """A copy of the published store, which a test may change."""
    place = DataDir(tmp_path / "data")
    place.root.mkdir()
    shutil.copy(store.published, place.published)
    return place


@pytest.fixture(scope="session")
def reader(store: DataDir) -> Iterator[DuckDBReader]:
    reader = DuckDBReader(store.published)
    yield reader
    reader.close()


def no_status() -> Status:
    """Replace the status where no test reads it."""
    raise AssertionError("nobody asks for the status here")


@pytest.fixture(scope="session")
def created(reader: DuckDBReader) -> Iterator[tuple[Api, TestClient]]:
    """The application, created once, and a client that gets an error of the program as a reply."""
    api = Api(reader, no_status, lambda: NOW)
    with TestClient(create(api, ("testserver",)), raise_server_exceptions=False) as client:
        yield api, client


@pytest.fixture
def api(created: tuple[Api, TestClient], reader: DuckDBReader) -> Api:
    """The Api over the published store, on a day after the last one of the world, without a cached reply."""
    api, _ = created
    vars(api).update(vars(Api(reader, no_status, lambda: NOW)))
    return api


@pytest.fixture
def client(api: Api, created: tuple[Api, TestClient]) -> TestClient:
    """The client of `api`."""
    return created[1]


@dataclass(frozen=True, slots=True)
class Failing:
    """A reader that fails."""

    error: Exception

    def version(self) -> str:
        raise self.error

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        raise self.error

    def close(self) -> None:
        pass


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Query a published file directly."""
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(sql).fetchall()
