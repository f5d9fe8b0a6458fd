"""The completeness of sources: counts for each account, and the repositories to look at."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.status.conftest import Row, World

from millrace import runs, wiring
from millrace.bus.in_process import LocalBus
from millrace.cli import main as cli
from millrace.lake.local import LocalLake
from millrace.laptop.completeness import accounts
from millrace.laptop.data_dir import DataDir
from millrace.runs import RunRequest, TaskRecord
from millrace.runs.plan import Origin
from millrace.sources import Source
from millrace.status import completeness, remedies, text
from millrace.status.completeness import AccountState
from millrace.status.rules import Code
from millrace.tables import CURSOR_SIM
from millrace.wiring import api_of


def window(repository: int, state: str = "known", account: str = "acme", **more: object) -> Row:
    """Return what was noted of the pull requests of one repository."""
    return {
        "source": "github",
        "account": account,
        "object": "pull_requests",
        "window": str(repository),
        "name": f"{account}/r{repository:02}",
        "state": state,
        "row_count": 5,
        "source_total": 5,
        "read_at": "2026-11-20T06:00:00Z",
    } | more


LISTED: dict[str, Any] = {"object": "repositories", "window": "all", "name": "acme"}
SSO = "the token is not authorised for SSO; authorise it"
NOTED = [
    window(0, **LISTED),
    *(window(number) for number in range(1, 6)),
    window(4, "known_empty", object="commits", row_count=0, source_total=0),
    window(5, "refused", object="commits", row_count=None, source_total=None, reason=SSO),
    window(6, row_count=3),
    *(window(number, "provisional", row_count=2) for number in range(7, 19)),
    window(1, account="beta"),
    window(0, "refused", "beta", **LISTED | {"name": "beta", "row_count": None, "reason": "401"}),
]


@pytest.fixture(scope="module")
def noted(_built: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A data directory with two accounts, built once. No test changes it."""
    root = tmp_path_factory.mktemp("noted") / "data"
    shutil.copytree(_built, root, copy_function=shutil.copy2)
    world = World(DataDir(root), count(1000))
    world.drop("source_windows", NOTED)
    world.build()
    return world


@pytest.fixture(scope="module")
def client(noted: World) -> Iterator[TestClient]:
    """The read API over it, as a deployment serves it."""
    with TestClient(api_of(noted.place.api_config(), remedies.DEPLOYMENT)) as client:
        yield client


def test_repository_counts_by_its_worst_object(noted: World) -> None:
    acme, beta = noted.look().completeness
    assert str(acme) == "4 of 18 repositories complete, 12 provisional, 1 unknown, 1 refused"
    assert str(beta) == "1 of 1 repositories complete, the list of repositories is not complete"
    assert (acme.name, acme.incomplete_count, beta.incomplete_count) == ("github acme", 14, 1)


def test_completeness_is_shown_before_a_build(world: World) -> None:
    world.drop("source_windows", [window(1), window(2, "refused", reason=SSO)])
    (acme,) = world.look().completeness
    assert str(acme) == "1 of 2 repositories complete, 1 refused"
    assert world.look().check(Code.SOURCE_INCOMPLETE) is not None


def test_text_has_worst_ten_of_an_account_with_reasons(noted: World) -> None:
    shown = list(completeness.lines(noted.look().completeness))
    assert shown[:4] == [
        "Complete github acme: 4 of 18 repositories complete, 12 provisional, 1 unknown, 1 refused",
        f"  acme/r05 (commits): refused; {SSO}",
        "  acme/r06 (pull requests): unknown; 3 of 5 rows are here",
        "  acme/r07 (pull requests): provisional; 2 of 5 rows are here",
    ]
    assert shown[11:] == [
        "  and 4 more; /api/sources lists them",
        "Complete github beta: 1 of 1 repositories complete, the list of repositories is not complete",
        "  beta (repositories): refused; 401",
    ]
    assert set(shown) < set(text.lines(noted.look()))


def test_refused_repository_needs_attention(noted: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--data-dir", str(noted.place.root)]) == 1
    counts = "4 of 18 repositories complete, 12 provisional, 1 unknown, 1 refused"
    assert f"look: github acme: {counts}; first acme/r05 (commits): refused; {SSO}; see" in capsys.readouterr().out
    assert noted.look().needs_attention


def test_provisional_repositories_are_a_note(noted: World) -> None:
    checks = {check.code: str(check) for check in noted.look().checks}
    said = "12 repositories of github acme are not read to their beginning yet; wait for it to end"
    assert checks[Code.SOURCE_PROVISIONAL] == said


def test_account_that_is_only_provisional_stays_live() -> None:
    account = AccountState("github", "acme", 2, 1, 1, 0, 0, 0, 1, ())
    assert not account.has_to_be_looked_at


def test_quiet_tables_of_github_are_not_silent(noted: World) -> None:
    assert noted.look(later_s=9e5).check(Code.TABLE_SILENT) is None


def test_directory_without_such_a_source_has_no_line(world: World) -> None:
    now = world.look()
    assert now.completeness == ()
    assert not any(line.startswith("Complete") for line in text.lines(now))
    assert now.health == "live"


def test_api_has_same_accounts_as_command(noted: World, client: TestClient) -> None:
    served = client.get("/api/etl/status").json()
    assert served["completeness"] == json.loads(noted.look().to_json())["completeness"]
    (check,) = [check for check in served["checks"] if "beta" in check["text"]]
    assert check["remedy"] == 'see "A source is not complete" in docs/operations.md'


def test_api_lists_every_part_by_state(client: TestClient) -> None:
    answer = client.get("/api/sources", params={"state": ["refused", "unknown"]}).json()
    assert [(row["name"], row["state"], row["missing"], row["reason"]) for row in answer["rows"]] == [
        ("acme/r05", "refused", None, SSO),
        ("acme/r06", "unknown", 2, None),
        ("beta", "refused", None, "401"),
    ]
    assert client.get("/api/sources").json()["total_count"] == len(NOTED)
    assert client.get("/api/sources", params={"to": "2026-11-19"}).json()["total_count"] == 0
    assert client.get("/api/sources", params={"from": "2026-11-20"}).json()["total_count"] == len(NOTED)


def test_api_refuses_a_state_that_is_none(client: TestClient) -> None:
    refused = client.get("/api/sources", params={"state": "complete"})
    assert refused.status_code == 422
    assert "refused" in refused.json()["detail"]


def test_view_of_meta_has_what_was_noted(noted: World) -> None:
    found = noted.warehouse.query("SELECT count(*), count(DISTINCT name) FROM meta.source_windows")
    noted.warehouse.close()
    assert found == [(len(NOTED), 21)]


def test_directory_of_an_earlier_version_shows_what_was_built_then_gets_the_view(noted: World, tmp_path: Path) -> None:
    shutil.copytree(noted.place.root, tmp_path / "data", copy_function=shutil.copy2)
    earlier = World(DataDir(tmp_path / "data"), count(2000))
    shown = noted.look().completeness
    earlier.warehouse.run_scripts(["DROP VIEW meta.source_windows"])
    earlier.warehouse.close()
    assert earlier.look().completeness == shown
    with earlier.warehouse as warehouse:
        (acme, beta) = accounts(warehouse)
        assert warehouse.query("SELECT count(*) FROM meta.source_windows") == [(len(NOTED),)]
    assert [str(acme), str(beta)] == [str(each) for each in shown]


@pytest.mark.parametrize(("source", "is_connected"), [("cursor-sim", True), ("github", False)])
def test_run_connects_the_tables_of_its_own_source(tmp_path: Path, source: Source, is_connected: bool) -> None:
    place = DataDir(tmp_path / "data")
    with wiring.duckdb_at(place.load_config().warehouse, "200MB") as warehouse:
        warehouse.ensure_tables()
        lake = LocalLake(place.lake, "lake")
        plan = runs.start(lake, LocalBus(), RunRequest(datetime.now(UTC)), Origin(source, "acme"))
        for task in plan.tasks():
            record = TaskRecord(
                run_id=plan.run_id,
                task_id=task.task_id,
                table=task.table,
                plan="bulk",
                extracted_at=plan.scheduled_at,
                finished_at=plan.scheduled_at,
                since=None,
                window_start=None,
                source_total=0,
                known=0,
                repeated=0,
                rows=0,
                parts=(),
                children=(),
                requests=1,
                retries=0,
                rate_limited=0,
                waited_s=0.0,
                counts={},
            )
            lake.write(f"runs/{plan.run_id}/tasks/{task.task_id}.json", record.to_json(), 0)
        runs.finish_if_complete(lake, warehouse, plan.run_id)
    found = {each.table: each.is_connected for each in World(place).look().sources}
    assert {found[name] for name in CURSOR_SIM} == {is_connected}
