"""The report over a data directory has the numbers that the read API has there, by day, model and project."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.collect.machine import response
from tests.report.events import CHANGES, ZONES

from millrace.api.app import Api, create
from millrace.laptop.data_dir import DataDir
from millrace.status.state import Status
from millrace.warehouse.duckdb.reader import DuckDBReader

pytestmark = pytest.mark.slow

MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "unsold-1", "typed-1")
TYPED = {"model": "typed-1", "valid_from": "2024-01-01", "input_usd": 3, "output_usd": 15, "cache_read_usd": 0.3}
TYPED |= {"cache_write_5m_usd": 3.75, "cache_write_1h_usd": 6}
RANGE = {"from": "2026-01-01", "to": "2026-12-31", "money": "text"}
SAME = (
    *("user_message_count", "assistant_message_count", "n_cost", "cost_usd", "reasoning_tokens", "total_tokens"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
)
Sum = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with responses around changes of the clocks, and a data directory into which it was collected."""
    folder = tmp_path_factory.mktemp("collected")
    for number, project in enumerate(("app", "web")):
        log = folder / "home" / ".claude" / "projects" / f"-home-x-{project}" / f"S{number}.jsonl"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"".join(lines(project)))
    typed = folder / "data" / "lake" / "drop" / "usage_prices" / "typed.ndjson"
    typed.parent.mkdir(parents=True)
    typed.write_text(json.dumps(TYPED) + "\n")
    millrace(folder, "collect")
    return folder


def millrace(place: Path, *arguments: str) -> str:
    """Run a command over the home and the data directory, and return its output."""
    command = [sys.executable, "-m", "millrace", *arguments]
    places = ["--data-dir", str(place / "data"), "--home", str(place / "home")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([*command, *places], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lines(project: str) -> Iterator[bytes]:
    for change in CHANGES:
        for number in range(60):
            at = change + timedelta(minutes=47 * (number - 30))
            line = json.loads(response(f"{project}{at:%m%d%H%M}", output=number, at=at.isoformat()))
            line |= {"sessionId": project, "cwd": f"/home/x/{project}"}
            line["message"]["model"] = MODELS[number % len(MODELS)]
            yield json.dumps(line).encode() + b"\n"


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[TestClient]:
    reader = DuckDBReader(DataDir(place / "data").published)
    with TestClient(create(Api(reader, no_status, lambda: datetime(2026, 12, 31, tzinfo=UTC)))) as client:
        yield client


def no_status() -> Status:
    raise AssertionError("nobody asks for the status here")


def report(place: Path, table: str, zone: str) -> list[Sum]:
    rows: list[Sum] = json.loads(millrace(place, "report", table, "--json", "--timezone", zone))["rows"]
    return rows


def same(row: Sum) -> Sum:
    return {name: row[name] for name in SAME}


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_those_of_the_dashboard(place: Path, client: TestClient, zone: str) -> None:
    shown = client.get("/api/dashboard-data", params=RANGE | {"tz": zone, "limit": 1000}).json()
    days = [row for row in shown["rows"] if row["assistant_message_count"]]
    assert {row["day"]: same(row) for row in report(place, "daily", zone)} == {row["day"]: same(row) for row in days}


@pytest.mark.parametrize("zone", ZONES)
def test_models_are_those_of_the_api(place: Path, client: TestClient, zone: str) -> None:
    shown = client.get("/api/cost-data/by-model", params=RANGE | {"tz": zone, "limit": 1000}).json()
    expected = {row["model"]: same(row | {"user_message_count": 0}) for row in shown["rows"] if row["model"]}
    assert {row["model"]: same(row) for row in report(place, "model", zone)} == expected


def test_typed_price_counts_in_the_report_too(place: Path) -> None:
    costs = {row["model"]: row["cost_usd"] for row in report(place, "model", "UTC")}
    assert (costs["typed-1"] is None, costs["unsold-1"] is None) == (False, True)


def test_projects_are_those_of_the_api(place: Path, client: TestClient) -> None:
    shown = client.get("/api/projects", params={"include_stats": True, "limit": 1000, "money": "text"}).json()
    assert {row["project"]: same(row) for row in report(place, "project", "UTC")} == {
        row["project"]: same(row) for row in shown["rows"]
    }
