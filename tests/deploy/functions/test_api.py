"""The read API as the platform runs it: authorized callers send GET; the body of a request is not read."""

import io
import json

import pytest
from flask.testing import FlaskClient
from tests.deploy.functions.deployed import Deployed

from millrace import log
from millrace.bus.guard import MAX_BODY_BYTES

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def client(functions: Deployed) -> FlaskClient:
    return functions.application("api", "api", "http").test_client()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param("/", "text/html; charset=utf-8", id="the page"),
        pytest.param("/page/app.js", "text/javascript; charset=utf-8", id="a part of it"),
        pytest.param("/api/etl/status", "application/json", id="the status, also of nothing"),
        pytest.param("/openapi.json", "application/json", id="what can be asked"),
    ],
)
def test_it_answers(client: FlaskClient, path: str, kind: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_marts_without_build_return_503_with_next_step(client: FlaskClient) -> None:
    answer = client.get("/api/velocity?limit=1")
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert json.loads(answer.data)["next_step"]


def test_matching_etag_returns_304(client: FlaskClient) -> None:
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_but_a_question_is_answered(client: FlaskClient, method: str) -> None:
    answer = client.open("/api/velocity", method=method, json={"limit": 1})
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/problem+json")


def test_head_is_answered_without_a_body(client: FlaskClient) -> None:
    full, head = client.get("/page/app.js"), client.head("/page/app.js")
    assert (head.status_code, head.headers["ETag"], head.data) == (200, full.headers["ETag"], b"")


def test_get_request_body_is_ignored(client: FlaskClient) -> None:
    assert client.get("/", data=b"x" * 1000, content_type="application/json").status_code == 200


def test_oversized_request_body_is_refused(client: FlaskClient) -> None:
    assert client.post("/", data=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413


def test_api_does_not_require_push_token(functions: Deployed) -> None:
    functions.monkeypatch.setenv("MILLRACE_PUSH_ACCOUNT", "call-api@acme.iam.gserviceaccount.com")
    functions.monkeypatch.setenv("MILLRACE_PUSH_AUDIENCE", "https://api.example")
    assert functions.application("api", "api", "http").test_client().get("/").status_code == 200


def test_unexpected_failure_is_logged_with_request_trace(
    client: FlaskClient, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.status.report.assemble", lambda *given, **named: 1 / 0)
    answer = client.get("/api/etl/status", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines() if "a request failed" in line]
    assert (line[log.TRACE], line["path"]) == (TRACE, "/api/etl/status")
