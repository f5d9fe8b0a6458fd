"""An audit compares different keys with the source's total, and with no number of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.extract.answering import Said, answers_of, client_of, real_client
from tests.extract.reading import EXTRACTED_AT
from tests.extract.test_wrong_pages import commits_of
from tests.simulator.rows import commit, review

import simulator
from millrace.errors import Incomplete
from millrace.extract.audit import Audit, audit
from millrace.extract.http_client import SourceClient
from millrace.lake.local import LocalLake
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from simulator import InjectedFaults
from simulator.api import DEFAULT_KEY


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    """A warehouse without rows."""
    with DuckDBWarehouse(tmp_path / "millrace.duckdb") as warehouse:
        warehouse.ensure_tables()
        yield warehouse


def audited(warehouse: DuckDBWarehouse, folder: Path, client: SourceClient) -> dict[str, Audit]:
    return {each.table: each for each in audit(LocalLake(folder / "lake", "lake"), warehouse, client, None)}


def test_a_capped_total_is_no_proof(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    pages = {"&page=1": b'{"items":[],"totalCount":0}', "&page=2": b'{"items":[{}],"totalCount":0}'}

    def of_commits(target: str) -> Said | None:
        return next((Said(200, body) for page, body in pages.items() if "ai-code" in target and page in target), None)

    answers = answers_of(simulator.World.of(end=EXTRACTED_AT), instead=of_commits)
    with pytest.raises(Incomplete, match="it has 0 rows, but page 2, which is beyond them, has 1 more"):
        audited(warehouse, tmp_path, client_of(answers, key=DEFAULT_KEY).client)


def test_pages_that_repeat_are_no_proof(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    with (
        simulator.serve(commits_of(142), faults=InjectedFaults(ignores_page=True, most_rows=71)) as running,
        pytest.raises(Incomplete, match="it has 142 rows, but"),
    ):
        audited(warehouse, tmp_path, real_client(running.url, DEFAULT_KEY))


def test_keys_fewer_than_the_total_are_a_difference(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    twice = [review(1, 7, "2026-10-01T10:00:00Z", reviewer=who) for who in ("ann@example.com", "bob@example.com")]
    rows = [review(n, 7, "2026-10-01T10:00:00Z", reviewer="ann@example.com") for n in range(2, 120)]
    world = simulator.World.of(reviews=[*twice, *rows], end=EXTRACTED_AT)
    with simulator.serve(world) as running:
        found = audited(warehouse, tmp_path, real_client(running.url, DEFAULT_KEY))["reviews"]
    said = {difference.what: difference.keys for difference in found.differences}
    assert said["lists with another total than their different rows (total/rows)"] == ((120, 119),)
    assert found.in_source == 119


def test_versions_of_a_row_are_no_difference(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    amended = [commit("c1", f"2026-10-0{day}T10:00:00Z") for day in (1, 2, 3)]
    world = simulator.World.of(commits=[*amended, commit("c2", "2026-10-04T10:00:00Z")], end=EXTRACTED_AT)
    with simulator.serve(world) as running:
        found = audited(warehouse, tmp_path, real_client(running.url, DEFAULT_KEY))["commits"]
    assert found.in_source == 2
    assert [difference.what for difference in found.differences] == ["rows of the source that the warehouse lacks"]
