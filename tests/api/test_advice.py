"""The API's next step fits the place that serves it: a deployment or a laptop, over an unhealthy store."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest
from fastapi.testclient import TestClient

from millrace import runs
from millrace.api.routes import ROUTES
from millrace.bus.in_process import LocalBus
from millrace.lake.local import LocalLake
from millrace.laptop.data_dir import DataDir
from millrace.runs import RunRequest, build_requests
from millrace.status import remedies
from millrace.wiring import api_of

PATHS = ("/api/etl/status", *(f"/api/{route.path}" for route in ROUTES))
LAPTOPS = re.compile(r"\bmake \w|\.venv|run_all|millrace (?!collect --lake)|--data-dir")


@pytest.fixture
def unhealthy(place: DataDir) -> DataDir:
    """A copy without facts, whose last build and run failed, and which is behind the requested builds."""
    lake = LocalLake(place.lake, "lake")
    plan = runs.start(lake, LocalBus(), RunRequest(datetime.now(UTC)))
    runs.fail(lake, plan.run_id, "commits was not extracted")
    build_requests.request(lake, 1_000_000, plan.run_id)
    LocalLake(place.quarantine, "quarantine").write("quarantine/0123456789abcdef-7", b"none", 0)
    with duckdb.connect(place.published) as connection:
        connection.execute("UPDATE meta.builds SET result = 'failed'; DROP TABLE mart.merged_pull_requests")
        connection.execute("UPDATE meta.mart_watermarks SET refreshed_at = refreshed_at - INTERVAL 1 DAY")
        connection.execute("UPDATE meta.loads SET loaded_at = loaded_at - INTERVAL 1 DAY")
        connection.execute("DROP TABLE mart.velocity; DROP TABLE mart.usage_daily CASCADE")
    return place


@pytest.fixture(params=["unhealthy", "nothing"])
def deployed(request: pytest.FixtureRequest, place: DataDir) -> Iterator[TestClient]:
    """The application as the function `api` builds it, over an unhealthy store and over none."""
    if request.param == "unhealthy":
        request.getfixturevalue("unhealthy")
    else:
        place.published.unlink()
    with TestClient(api_of(place.api_config(), remedies.DEPLOYMENT)) as client:
        yield client


def test_deployment_replies_contain_no_laptop_commands(deployed: TestClient) -> None:
    replies = {path: deployed.get(path).text for path in PATHS}
    assert {path: found[0] for path, text in replies.items() if (found := LAPTOPS.search(text))} == {}
    assert "gcloud" in replies["/api/etl/status"]
    assert "gcloud" in replies["/api/velocity"]


def test_every_check_of_a_deployment_has_its_remedy(unhealthy: DataDir) -> None:
    client = TestClient(api_of(unhealthy.api_config(), remedies.DEPLOYMENT))
    status = client.get("/api/etl/status").json()
    codes = [check["code"] for check in status["checks"]]
    assert status["health"] == "error"
    assert {"build_failed", "run_failed", "copy_behind", "in_quarantine", "no_price"} <= set(codes)
    assert all(check["remedy"] for check in status["checks"])
    said = [f"{check['text']}; {check['remedy']}" for check in status["checks"]]
    assert status["reasons"] == said[: len(status["reasons"])]


def test_laptop_remedies_include_its_data_directory(unhealthy: DataDir) -> None:
    client = TestClient(api_of(unhealthy.api_config(), remedies.laptop(unhealthy.root)))
    (check,) = [each for each in client.get("/api/etl/status").json()["checks"] if each["code"] == "build_failed"]
    assert check["remedy"] == f"type: millrace build --data-dir {unhealthy.root}"
    assert client.get("/api/velocity").json()["next_step"] == f"{check['remedy']} --force"


def test_document_includes_empty_health_state(place: DataDir) -> None:
    place.published.unlink()
    client = TestClient(api_of(place.api_config(), remedies.DEPLOYMENT))
    status, document = client.get("/api/etl/status").json(), client.get("/openapi.json").json()
    assert (status["health"], status["checks"][0]["code"]) == ("empty", "nothing_yet")
    assert "empty" in document["components"]["schemas"]["Status"]["properties"]["health"]["enum"]


def test_unpriced_usage_is_listed_by_full_key(place: DataDir) -> None:
    client = TestClient(api_of(place.api_config(), remedies.DEPLOYMENT))
    days = {"from": "2026-09-01", "to": "2026-10-20"}
    unpriced = client.get("/api/etl/status").json()["coverage"]["unpriced"]
    of_costs = client.get("/api/cost-data", params=days).json()["unpriced"]
    assert ("fast", 0) in {(each["speed"], each["context"]) for each in unpriced}
    key = ("agent", "provider", "model", "speed", "region", "context", "gap", "responses")
    assert {each["gap"] for each in unpriced} <= {"model", "speed", "rate", "no_model", "no_tokens"}
    assert [[each[name] for name in key] for each in of_costs] == [[each[name] for name in key] for each in unpriced]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_marts_of_an_earlier_version_are_answered(place: DataDir, zone: str) -> None:
    with duckdb.connect(place.published) as connection:
        for column in ("context_over_tokens", "region", "price_gap", "price_model", "web_searches", "is_lower_bound"):
            connection.execute(f"ALTER TABLE mart.usage_events DROP COLUMN {column}")
        for mart in ("usage_daily", "usage_session", "usage_project"):
            connection.execute(f"ALTER TABLE mart.{mart} DROP COLUMN lower_bound_count")
    client = TestClient(api_of(place.api_config(), remedies.DEPLOYMENT))
    answer = client.get("/api/cost-data", params={"from": "2026-09-01", "to": "2026-10-20", "tz": zone})
    assert answer.status_code == 200
    assert {(each["gap"], each["context"]) for each in answer.json()["unpriced"]} == {(None, None)}
    assert answer.json()["totals"]["lower_bound_count"] == 0
    projects = client.get("/api/projects", params={"include_stats": True})
    assert projects.status_code == 200
    assert {each["lower_bound_count"] for each in projects.json()["rows"]} == {0}
