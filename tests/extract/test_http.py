"""The client: what it tries again, and what it refuses at once, in the server's words."""

import json

import pytest
import requests
from tests.extract.answering import JSON, URL, Said, Turn, client_of, in_turn
from urllib3.exceptions import ProtocolError

import simulator
from millrace.errors import RequestRejected, RouteNotFound, SourceUnavailable, UnexpectedResponse
from millrace.extract import bodies
from millrace.extract.auth import Basic
from millrace.extract.http_client import SourceClient
from simulator.api import DEFAULT_KEY

HTML = b"<html><body>502 Bad Gateway</body></html>"
ROWS = Said(body=b'[{"full_name": "acme/web"}]')
SETBACKS = [
    pytest.param(Said(500, b"{}"), "status 500", id="an internal error"),
    pytest.param(Said(503, b""), "status 503", id="a server that is starting"),
    pytest.param(Said(408, b""), "status 408", id="a request that took the server too long to read"),
    pytest.param(Said(425, b""), "status 425", id="too early"),
    pytest.param(Said(502, HTML, {"Content-Type": "text/html"}), "status 502", id="a gateway's page"),
    pytest.param(requests.ConnectionError("reset by peer"), "the connection failed", id="a dropped connection"),
    pytest.param(requests.ConnectionError("Connection refused"), "connection refused", id="nobody listens"),
    pytest.param(requests.ReadTimeout("read timed out"), "no answer in time", id="a time-out"),
    pytest.param(Said(200, b'[{"a"', {"Content-Length": "40"}), "the body ended too early", id="a truncated body"),
    pytest.param(Said(200, b'[{"full_name": "ac'), "18 bytes that are no complete JSON", id="half of the JSON"),
    pytest.param(Said(200, b'["\xc3'), "3 bytes that are no complete JSON", id="half of a letter"),
    pytest.param(Said(200, b""), "0 bytes that are no complete JSON", id="an empty body"),
    pytest.param(
        Said(200, b"no gzip", {"Content-Encoding": "gzip"}), "a body that cannot be decompressed", id="broken gzip"
    ),
]


@pytest.mark.parametrize(("setback", "problem"), SETBACKS)
def test_failed_request_is_retried_and_counted(setback: Turn, problem: str) -> None:
    asked = client_of(in_turn(setback, setback, ROWS))
    assert asked.client.get("/repos").body == [{"full_name": "acme/web"}]
    stats = asked.client.stats
    assert (stats.requests, stats.retries, stats.rate_limited) == (3, 2, 0)
    assert stats.waited_s == pytest.approx(sum(asked.clock.slept))


@pytest.mark.parametrize(("setback", "problem"), SETBACKS)
def test_setbacks_without_end_are_given_up_after_five_attempts_with_the_reason(setback: Turn, problem: str) -> None:
    asked = client_of(in_turn(setback))
    with pytest.raises(SourceUnavailable, match=f"^{URL}/repos: {problem}, 5 times; is the source up"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == asked.client.stats.requests == 5


def test_the_waits_between_attempts_double_and_stay_short() -> None:
    asked = client_of(in_turn(Said(500)))
    with pytest.raises(SourceUnavailable):
        asked.client.get("/repos")
    bounds = [(0.5 * wait_s, wait_s) for wait_s in (1, 2, 4, 8)]
    assert [low <= slept <= high for slept, (low, high) in zip(asked.clock.slept, bounds, strict=True)] == [True] * 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b'{"error":"Not there"}', "'Not there'", id="Cursor's dialect"),
        pytest.param(b'{"message":"repository not found"}', "'repository not found'", id="GitHub's dialect"),
        pytest.param(b"404 page not found\n", "'404 page not found'", id="plain text"),
        pytest.param(b'{"error":"Not Found","message":"no such team"}', "'no such team'", id="both: the longer one"),
        pytest.param(b'["message"]', "message", id="an array"),
        pytest.param(b'"message"', "message", id="a text"),
        pytest.param(b"null", "null", id="null"),
        pytest.param(b"\xff\xfe\x00", "", id="no text at all"),
        pytest.param(b"[" * 100_000, "", id="nested beyond reading"),
        pytest.param(b'{"error":"two\\nlines\\u001b[31m"}', r"'two\\nlines\\x1b\[31m'", id="control characters"),
    ],
)
def test_a_404_is_a_missing_route_in_the_servers_own_words(body: bytes, words: str) -> None:
    asked = client_of(in_turn(Said(404, body)))
    with pytest.raises(RouteNotFound, match=f"^{URL}/repos: 404, .*{words}") as caught:
        asked.client.get("/repos")
    assert len(str(caught.value).splitlines()) == 1
    assert len(asked.adapter.asked) == 1


@pytest.mark.parametrize("status", [400, 405, 409, 410, 418, 422, 451])
def test_other_refusal_quotes_server_error_without_retry(status: int) -> None:
    asked = client_of(in_turn(Said(status, b'{"error":"invalid page parameter"}')))
    with pytest.raises(RequestRejected, match=f"{status}, 'invalid page parameter'") as caught:
        asked.client.get("/repos")
    assert type(caught.value) is RequestRejected
    assert caught.value.status == status
    assert len(asked.adapter.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"error": "Your plan has no access"}', id="Cursor's dialect"),
        pytest.param(b'{"message": "Your plan has no access", "documentation_url": "x"}', id="GitHub's dialect"),
        pytest.param(b'{"error": "Your plan has no access", "code": 12}', id="with a code"),
    ],
)
def test_an_error_with_status_200_is_told_in_the_servers_own_words(body: bytes) -> None:
    asked = client_of(in_turn(Said(200, body)))
    with pytest.raises(RequestRejected, match=f"^{URL}/repos: an error with status 200, 'Your plan has no access'"):
        asked.client.get("/repos")


@pytest.mark.parametrize("body", [{"message": "fix", "sha": "1"}, {"error": None, "items": []}, {"code": 1}, {}, []])
def test_an_object_with_more_than_an_error_is_an_answer(body: object) -> None:
    assert client_of(in_turn(Said(200, json.dumps(body).encode()))).client.get("/repos").body == body


def test_of_a_long_refusal_only_the_beginning_is_repeated() -> None:
    asked = client_of(in_turn(Said(400, b"x" * 100_000)))
    with pytest.raises(RequestRejected) as caught:
        asked.client.get("/repos")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"Please log in", {"Content-Type": "text/html; charset=utf-8"}, id="by its type"),
        pytest.param(b"\n  <!doctype html><p>Please log in", JSON, id="by its body"),
    ],
)
def test_html_is_refused_at_once(body: bytes, headers: dict[str, str]) -> None:
    asked = client_of(in_turn(Said(200, body, headers)))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: expected JSON, got HTML; is this the address"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        pytest.param(b'[{"ai_ratio": NaN}]', "NaN is no number", id="NaN"),
        pytest.param(b'[{"ai_ratio": Infinity}]', "Infinity is no number", id="infinity"),
        pytest.param(b'[{"ai_ratio": -Infinity}]', "-Infinity is no number", id="minus infinity"),
        pytest.param(b"[" * 200_000 + b"]" * 200_000, "recursion", id="nested too deeply"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "4300 digits", id="a number of five thousand digits"),
    ],
)
def test_complete_json_that_cannot_be_read_is_refused_at_once(body: bytes, what: str) -> None:
    asked = client_of(in_turn(Said(200, body)))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: JSON that cannot be read: .*{what}"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 1


def test_an_answer_without_end_is_cut_off() -> None:
    asked = client_of(in_turn(Said(200, b" " * (bodies.MAX_BYTES + 1))))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: an answer of more than 33554432 bytes"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 1


def test_connection_broken_within_real_body_is_retried(small_world: simulator.World) -> None:
    with (
        simulator.serve(small_world, faults=simulator.InjectedFaults(truncated_rate=0.5, seed=3)) as running,
        requests.Session() as session,
    ):
        session.trust_env = False
        client = SourceClient(running.url, Basic(DEFAULT_KEY), session=session, sleep=lambda wait_s: None)
        bodies = [client.get("/teams/members").body for _ in range(12)]
        assert client.stats.retries > 0
    assert bodies == [{"teamMembers": small_world.members}] * 12


def test_a_protocol_error_in_the_middle_of_a_chunk_is_a_setback() -> None:
    asked = client_of(in_turn(requests.exceptions.ChunkedEncodingError(ProtocolError("broken")), ROWS))
    asked.client.get("/repos")
    assert asked.client.stats.retries == 1
