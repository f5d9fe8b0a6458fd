"""The read API as the platform runs it: authorized callers send GET; the body of a request is not read."""

import io
import json

import pytest
from fastapi.testclient import TestClient
from tests.deploy.functions.deployed import Deployed

from millrace import log

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def client(functions: Deployed) -> TestClient:
    return TestClient(functions.api())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("/", "text/html; charset=utf-8", id="the page"),
        pytest.param("/page/app.js", "text/javascript; charset=utf-8", id="a part of it"),
        pytest.param("/api/etl/status", "application/json", id="the status, also of nothing"),
        pytest.param("/openapi.json", "application/json", id="what can be asked"),
    ],
)
def test_it_answers(client: TestClient, path: str, kind: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_marts_without_build_return_503_with_next_step(client: TestClient) -> None:
    answer = client.get("/api/velocity?limit=1")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert json.loads(answer.content)["next_step"]


def test_matching_etag_returns_304(client: TestClient) -> None:
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_but_a_question_is_answered(client: TestClient, method: str) -> None:
    answer = client.request(method, "/api/velocity", json={"limit": 1})
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/problem+json")


def test_head_is_answered_without_a_body(client: TestClient) -> None:
    full, head = client.get("/page/app.js"), client.head("/page/app.js")
    assert (head.status_code, head.headers["ETag"], head.content) == (200, full.headers["ETag"], b"")


def test_get_request_body_is_ignored(client: TestClient) -> None:
    assert client.request("GET", "/", content=b"x" * 1000).status_code == 200


def test_health_is_answered_without_a_warehouse(functions: Deployed) -> None:
    functions.monkeypatch.setenv("MILLRACE_WAREHOUSE", "snowflake://nowhere/MILLRACE?user=U&role=R&warehouse=W")
    answer = TestClient(functions.api()).get("/health")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_unexpected_failure_is_logged_with_request_trace(
    client: TestClient, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.status.report.assemble", lambda *given, **named: 1 / 0)
    answer = client.get("/api/etl/status", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert (line["message"], line["severity"], line["function"]) == ("unforeseen", "ERROR", "api")
    assert (line[log.TRACE], line["path"], line["kind"]) == (TRACE, "/api/etl/status", "ZeroDivisionError")
    assert "test_api.py" in line["stack"]
