"""The client: its retries, its waits, its refusals, and that its key is sent to no other host."""

import json
import logging
import time
import traceback
from email.utils import formatdate

import pytest
import requests
from hypothesis import given, settings, strategies as st
from tests.extract.answering import JSON, KEY, URL, Said, Turn, client_of, in_turn
from urllib3.exceptions import ProtocolError

import simulator
from millrace.errors import MillraceError, RequestRejected, RouteNotFound, SourceUnavailable, UnexpectedResponse
from millrace.extract import bodies
from millrace.extract.auth import Basic
from millrace.extract.http_client import SourceClient
from simulator.api import DEFAULT_KEY

HTML = b"<html><body>502 Bad Gateway</body></html>"
ROWS = Said(body=b'[{"full_name": "acme/web"}]')
SETBACKS = [
    pytest.param(Said(500, b"{}"), "status 500", id="an internal error"),
    pytest.param(Said(503, b""), "status 503", id="a server that is starting"),
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


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "waited_s"),
    [
        pytest.param("7", 7, id="seconds"),
        pytest.param("0.25", 0.25, id="a part of a second"),
        pytest.param("86400", 300, id="a day is cut to five minutes"),
        pytest.param("1e999", 300, id="without end is cut to five minutes"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", 300, id="a date far away is cut to five minutes"),
    ],
)
def test_retry_after_is_obeyed_and_capped(status: int, header: str, waited_s: float) -> None:
    asked = client_of(in_turn(Said(status, headers={"Retry-After": header}), ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [waited_s]
    assert asked.client.stats.waited_s == waited_s


def test_retry_after_may_be_a_date() -> None:
    asked = client_of(in_turn(Said(429, headers={"Retry-After": formatdate(time.time() + 60, usegmt=True)}), ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [pytest.approx(60, abs=2)]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("soon", id="a word"),
        pytest.param("", id="nothing"),
        pytest.param("nan", id="not a number"),
        pytest.param("-5", id="a negative number"),
        pytest.param("0", id="no time at all"),
        pytest.param("Mon, 01 Jan 2024 00:00:00 GMT", id="a date that has passed by our clock"),
        pytest.param("Mon, 01 Jan 2024 00:00:00 +99999999999999", id="a zone that is no number"),
        pytest.param("Mon, 99 Foo 2024", id="a day that is none"),
    ],
)
def test_invalid_retry_after_uses_default_wait(header: str) -> None:
    asked = client_of(in_turn(Said(429, headers={"Retry-After": header}), ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [2.0]


@given(header=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_retry_after_makes_the_client_fail_or_wait_for_ever(header: str) -> None:
    asked = client_of(in_turn(Said(429, headers={"Retry-After": header}), ROWS))
    asked.client.get("/repos")
    assert 0 < asked.clock.slept[0] <= 300


def test_refusals_without_retry_after_wait_longer_and_longer_up_to_a_cap() -> None:
    asked = client_of(in_turn(*[Said(429)] * 6, ROWS))
    asked.client.get("/repos")
    assert asked.clock.slept == [2, 4, 8, 16, 20, 20]
    assert (asked.client.stats.requests, asked.client.stats.rate_limited, asked.client.stats.retries) == (7, 6, 0)


def test_a_source_that_only_ever_refuses_is_unavailable() -> None:
    asked = client_of(in_turn(Said(429)))
    with pytest.raises(SourceUnavailable, match="over its rate limit 51 times in a row; lower MILLRACE_REQUESTS_PER_M"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 51


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Retry-After": "3"}, id="a secondary limit"),
        pytest.param({"X-RateLimit-Remaining": "0", "Retry-After": "3"}, id="a primary limit"),
    ],
)
def test_403_with_retry_time_is_a_rate_limit(headers: dict[str, str]) -> None:
    asked = client_of(in_turn(Said(403, headers=headers), ROWS))
    asked.client.get("/repos")
    assert (asked.clock.slept, asked.client.stats.rate_limited) == ([3], 1)


def test_403_with_nothing_remaining_uses_default_wait() -> None:
    asked = client_of(in_turn(Said(403, headers={"X-RateLimit-Remaining": "0"}), ROWS))
    asked.client.get("/repos")
    assert (asked.clock.slept, asked.client.stats.rate_limited) == ([2.0], 1)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_the_setting_and_is_not_tried_again(status: int) -> None:
    asked = client_of(in_turn(Said(status, b'{"error":"Unauthorized"}')))
    with pytest.raises(RequestRejected, match=f"^{URL}/repos: {status}, the key was refused; set MILLRACE_SOURCE_KEY"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 1


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


@pytest.mark.parametrize("status", [400, 405, 409, 410, 422])
def test_other_refusal_quotes_server_error_without_retry(status: int) -> None:
    asked = client_of(in_turn(Said(status, b'{"error":"invalid page parameter"}')))
    with pytest.raises(RequestRejected, match=f"{status}, 'invalid page parameter'") as caught:
        asked.client.get("/repos")
    assert type(caught.value) is RequestRejected
    assert len(asked.adapter.asked) == 1


def test_of_a_long_refusal_only_the_beginning_is_repeated() -> None:
    asked = client_of(in_turn(Said(400, b"x" * 100_000)))
    with pytest.raises(RequestRejected) as caught:
        asked.client.get("/repos")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("location", ["/login", "http://elsewhere.test/repos", "http://[", ""])
def test_a_redirect_is_not_followed(status: int, location: str) -> None:
    asked = client_of(in_turn(Said(status, b"", {"Location": location}), ROWS))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: "):
        asked.client.get("/repos")
    assert asked.adapter.asked == ["/repos"]


@pytest.mark.parametrize("status", [204, 206, 304])
def test_another_success_than_200_is_no_answer(status: int) -> None:
    asked = client_of(in_turn(Said(status, b"")))
    with pytest.raises(UnexpectedResponse, match=f"expected status 200, got {status}"):
        asked.client.get("/repos")


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


def linked(url: str) -> Said:
    return Said(200, b"[]", JSON | {"Link": f'<{url}>; rel="next", <{URL}/repos?page=9>; rel="last"'})


@pytest.mark.parametrize(
    ("base_url", "link", "path"),
    [
        pytest.param(URL, f"{URL}/repos?page=2&per_page=100", "/repos?page=2&per_page=100", id="a whole address"),
        pytest.param(URL, "/repos?page=2", "/repos?page=2", id="a path"),
        pytest.param(URL, "?page=2", "/repos?page=2", id="a query"),
        pytest.param(f"{URL}/api/v3", f"{URL}/api/v3/repos?page=2", "/repos?page=2", id="below a base path"),
        pytest.param(URL, f"{URL}/repos?after=a%2Fb%3D", "/repos?after=a%2Fb%3D", id="with what is quoted in it"),
    ],
)
def test_the_next_link_of_the_same_host_is_followed_as_a_path(base_url: str, link: str, path: str) -> None:
    asked = client_of(in_turn(linked(link), ROWS), base_url)
    next_path = asked.client.get("/repos").next_path
    assert next_path == path
    asked.client.get(next_path)
    assert asked.adapter.sent[1].url == base_url + path


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://elsewhere.test/repos?page=2", id="another host"),
        pytest.param("https://source.test/repos?page=2", id="another scheme"),
        pytest.param("http://source.test:8080/repos?page=2", id="another port"),
        pytest.param("//elsewhere.test/repos", id="another host without a scheme"),
        pytest.param("http://source.test@elsewhere.test/", id="another host behind a user"),
        pytest.param("http://user:word@source.test/repos", id="another user"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("http://[", id="no address"),
    ],
)
def test_a_next_link_to_somewhere_else_is_refused(link: str) -> None:
    asked = client_of(in_turn(linked(link), ROWS))
    with pytest.raises(
        UnexpectedResponse, match=f"^{URL}/repos: the (next page is not below|link to the next page is no)"
    ):
        asked.client.get("/repos")
    assert asked.adapter.asked == ["/repos"]


def test_a_next_link_beside_the_base_path_is_refused() -> None:
    asked = client_of(in_turn(linked(f"{URL}/apix/repos"), ROWS), f"{URL}/api")
    with pytest.raises(UnexpectedResponse, match=r"not below http://source\.test/api"):
        asked.client.get("/repos")


def test_a_value_that_no_address_can_hold_is_named_as_such() -> None:
    asked = client_of(in_turn(ROWS))
    with pytest.raises(UnexpectedResponse, match="an address that cannot be read"):
        asked.client.get("/analytics/github/prs", {"author": "\ud800"})


def test_each_request_carries_the_key_as_the_user_name() -> None:
    asked = client_of(in_turn(ROWS), key="schlüssel€")
    asked.client.get("/repos")
    assert asked.adapter.sent[0].headers["Authorization"] == "Basic c2NobMO8c3NlbOKCrDo="


FORMS = (KEY, "a2V5LXRoYXQtbm9ib2R5LW1heS1zZWU6", "a2V5LXRoYXQtbm9ib2R5LW1heS1zZWU")
HOSTILE_TEXT = st.sampled_from([*FORMS, f"Authorization: Basic {FORMS[1]}", f"no such key {KEY}\n", "x", "", "<p>"])


@pytest.mark.slow
@given(
    status=st.sampled_from([200, 204, 301, 400, 401, 403, 404, 422, 429, 500, 503]),
    text=HOSTILE_TEXT,
    dialect=st.sampled_from(
        ['{{"error":{}}}', '{{"message":{}}}', "{}", '{{"meta":{{"error":{}}}}}', "[{}", "[NaN,{}"]
    ),
    header=st.sampled_from(["Location", "Link", "Retry-After", "Content-Type", "Content-Encoding"]),
    value=st.sampled_from([f"<http://{KEY}@elsewhere.test/{KEY}>; rel=next", f"http://elsewhere.test/{KEY}", KEY]),
)
@settings(max_examples=200, deadline=None)
def test_the_key_is_in_no_message_no_log_record_and_no_repr(
    status: int, text: str, dialect: str, header: str, value: str
) -> None:
    body = dialect.format(json.dumps(text)).encode()
    asked = client_of(in_turn(Said(status, body, {header: value})))
    logged = Logged()
    try:
        asked.client.get("/repos", {"page": 1})
        told = ""
    except MillraceError as error:
        told = "".join(traceback.format_exception(error)) + repr(error)
    finally:
        logged.close()
    told += repr(asked.client) + repr(asked.client.for_task()) + logged.text
    assert [form for form in FORMS if form in told] == []


class Logged(logging.Handler):
    """Collects all log records until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._root, self._ours = logging.getLogger(), logging.getLogger("millrace")
        self._before = self._root.level, self._ours.level, self._ours.propagate
        self._ours.setLevel(logging.DEBUG)
        self._ours.propagate = True  # a function that was imported before has set up the log of this process
        self._root.setLevel(logging.DEBUG)
        self._root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{record.getMessage()} {vars(record)!r}\n"

    def close(self) -> None:
        self._root.removeHandler(self)
        root, ours, self._ours.propagate = self._before
        self._root.setLevel(root)
        self._ours.setLevel(ours)
        super().close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]", "http://localhost:8080"])
def test_no_proxy_reads_the_key_of_a_server_on_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert "http" not in SourceClient(url, Basic(KEY)).session.proxies
    assert SourceClient("https://source.example", Basic(KEY)).session.proxies["http"] == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        pytest.param("/analytics/github/prs", {"author": "ann@example.com"}, id="parameters"),
        pytest.param("/analytics/github/prs?author=ann@example.com", {}, id="a next link"),
    ],
)
def test_a_step_that_is_logged_names_the_path_without_its_query(path: str, parameters: dict[str, str]) -> None:
    asked = client_of(in_turn(Said(500), Said(429), ROWS))
    logged = Logged()
    asked.client.get(path, parameters)
    logged.close()
    assert logged.text.count("'path': '/analytics/github/prs'") == 3 + 2  # three requests, two of them for nothing
    assert "example.com" not in logged.text


def test_an_error_behind_a_next_link_names_the_path_without_its_query() -> None:
    asked = client_of(in_turn(Said(400, b"no")))
    with pytest.raises(RequestRejected, match=f"^{URL}/repos: 400") as caught:
        asked.client.get("/repos?after=ann@example.com")
    assert "example.com" not in str(caught.value)


def test_a_task_shares_the_connections_and_has_its_own_account() -> None:
    asked = client_of(in_turn(ROWS))
    task = asked.client.for_task()
    task.get("/repos")
    assert (task.session, task.budget) == (asked.client.session, asked.client.budget)
    assert (task.stats.requests, asked.client.stats.requests) == (1, 0)


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
