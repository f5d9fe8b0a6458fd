"""The limits of a response: time, bytes, unpacked bytes, values, headers; and no cookie is kept."""

import gzip
import json
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from tests.extract.answering import KEY, URL, Said, client_of, drips, in_turn, no_sleep, sends, served

import simulator
from millrace import wiring
from millrace.config import ExtractConfig
from millrace.errors import RouteNotFound, SourceUnavailable, UnexpectedResponse
from millrace.extract import bodies
from millrace.extract.auth import Basic
from millrace.extract.budget import RateBudget
from millrace.extract.http_client import SourceClient, connections

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b'[{"full_name": "acme/web"}]'


def client_at(url: str, answer_s: float = 60.0, clock: Callable[[], float] | None = None) -> SourceClient:
    session = connections(answer_s, clock) if clock else connections(answer_s)
    return SourceClient(url, Basic(KEY), RateBudget(None, 1, sleep=no_sleep), session=session, sleep=no_sleep)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        pytest.param(OK + b"Content-Length: 1000000\r\n\r\n", b" ", id="a body"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="chunks"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n", b" ", id="one chunk"),
        pytest.param(OK + b"\r\n", b" ", id="a body without a length"),
        pytest.param(OK + b"X: ", b"x", id="a header"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim answers"),
        pytest.param(b"", b"H", id="a status line"),
    ],
)
def test_slow_answer_ends_at_deadline_without_retry(head: bytes, drop: bytes) -> None:
    with served(drips(head, drop)) as (url, asked):
        with pytest.raises(SourceUnavailable, match=f"^{url}/repos: the answer was not complete at its deadline$"):
            client_at(url, answer_s=0.2).get("/repos")
        assert len(asked) == 1


def test_the_deadline_is_looked_at_between_two_reads() -> None:
    body = b" " * 1_000_000 + BODY
    answer = sends(OK + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    minutes = count(step=60)
    with served(answer) as (url, asked):
        with pytest.raises(SourceUnavailable, match="at its deadline"):
            client_at(url, answer_s=600, clock=lambda: float(next(minutes))).get("/repos")
        assert client_at(url, answer_s=600).get("/repos").body == json.loads(BODY)
        assert len(asked) == 2


def test_the_deadline_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(drips(OK + b"Content-Length: 1000000\r\n\r\n", b" ")) as (url, _):
        settings = {"LAKE": tmp_path.as_uri(), "BUS": "inprocess:", "SOURCE_URL": url, "SOURCE_KEY": KEY}
        for name, value in (settings | {"ANSWER_S": "0.2"}).items():
            monkeypatch.setenv(f"MILLRACE_{name}", value)
        client = wiring.audited_client(ExtractConfig.from_env())
        assert client is not None
        with pytest.raises(SourceUnavailable, match="at its deadline"):
            client.get("/repos")


def test_each_answer_has_a_deadline_of_its_own() -> None:
    now = [0.0]
    answer = sends(OK + f"Connection: close\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
    with served(answer) as (url, _):
        client = client_at(url, answer_s=10, clock=lambda: now[0])
        for _ in range(3):
            assert client.get("/repos").body == json.loads(BODY)
            now[0] += 60


def packed(body: bytes, level: int = 9, encoding: str = "gzip") -> Said:
    return Said(200, gzip.compress(body, level), {"Content-Encoding": encoding})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        pytest.param(packed(b"[" + b"[]," * 2_800_000 + b"[]]"), "unpacks to more than 200 times", id="lists in gzip"),
        pytest.param(packed(b" " * 8_000_000), "unpacks to more than 200 times", id="blanks in gzip"),
        pytest.param(
            Said(200, gzip.compress(b" " * 1_000_000) * 20, {"Content-Encoding": "gzip"}),
            "unpacks to more than 200 times",
            id="many members",
        ),
        pytest.param(packed(bytes(33 << 20), 0), "more than 33554432 bytes", id="large and hardly packed"),
        pytest.param(Said(200, bytes(33 << 20)), "more than 33554432 bytes", id="large"),
        pytest.param(Said(200, b"[" + b"[]," * 600_000 + b"[]]"), "1,200,002 values", id="lists"),
        pytest.param(Said(200, b"[" + b"{}," * 600_000 + b"{}]"), "1,200,002 values", id="objects"),
        pytest.param(Said(200, b"[" + b"1," * 1_100_000 + b"1]"), "1,100,001 values", id="numbers"),
        pytest.param(Said(200, b"[" * 1_100_000), "1,100,000 values", id="levels"),
        pytest.param(packed(BODY, 9, "gzip, gzip"), "was not asked for", id="packed twice"),
        pytest.param(packed(BODY, 9, "br"), "was not asked for", id="Brotli"),
        pytest.param(packed(BODY, 9, "deflate"), "was not asked for", id="deflate"),
    ],
)
def test_an_answer_that_costs_too_much_is_refused_before_it_is_read(
    said: Said, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was read"))
    asked = client_of(in_turn(said))
    with pytest.raises(UnexpectedResponse, match=f"^{URL}/repos: an answer .*{words}"):
        asked.client.get("/repos")
    assert len(asked.adapter.asked) == 1


def test_a_refusal_that_costs_too_much_is_repeated_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was read"))
    asked = client_of(in_turn(Said(404, b"[" + b"[]," * 600_000 + b"[]]")))
    with pytest.raises(RouteNotFound) as caught:
        asked.client.get("/repos")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(gzip.compress(BODY), id="one member"),
        pytest.param(gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), id="two members"),
        pytest.param(gzip.compress(BODY) + b"\0\0\0", id="with something behind"),
        pytest.param(gzip.compress(b" " * 900_000 + BODY), id="small, and packed very well"),
        pytest.param(gzip.compress(b" " * 3_000_001 + BODY, 0), id="more than is unpacked at a time"),
    ],
)
def test_a_packed_answer_is_unpacked(content: bytes) -> None:
    asked = client_of(in_turn(Said(200, content, {"Content-Encoding": "GZIP"})))
    assert asked.client.get("/repos").body == json.loads(BODY)
    assert asked.adapter.sent[0].headers["Accept-Encoding"] == "gzip"


def test_half_of_a_packed_answer_is_a_setback() -> None:
    asked = client_of(in_turn(Said(200, gzip.compress(BODY)[:-9], {"Content-Encoding": "gzip"}), Said(200, BODY)))
    assert asked.client.get("/repos").body == json.loads(BODY)
    assert asked.client.stats.retries == 1


@pytest.mark.parametrize("table", ["commits", "pulls", "reviews"])
def test_a_page_of_a_thousand_rows_is_far_from_every_limit(table: str, usual_world: simulator.World) -> None:
    rows = getattr(usual_world, table).rows
    page = b"[" + b",".join(rows.join(range(len(rows))) for _ in range(1 + 1000 // len(rows))) + b"]"
    assert len(bodies.parsed(page)) >= 1000  # type: ignore[arg-type]  # it is a list
    assert sum(map(page.count, (b",", b"[", b"{"))) < bodies.MAX_VALUES / 10
    assert len(page) < bodies.MAX_BYTES / 10
    assert len(page) / len(zlib.compress(page, 9)) < bodies.MAX_RATIO / 4


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(OK + b"X: " + b"x" * 100_000 + b"\r\n", id="a header of 100 KB"),
        pytest.param(OK + b"".join(b"X-%d: x\r\n" % n for n in range(200)), id="200 headers"),
        pytest.param(b"HTTP/1.1 200 " + b"O" * 100_000 + b"\r\n", id="a status line of 100 KB"),
    ],
)
def test_excessive_headers_are_reported_without_retry(head: bytes) -> None:
    with served(sends(head + b"Content-Length: 2\r\n\r\n[]")) as (url, asked):
        with pytest.raises(
            UnexpectedResponse, match=f"^{url}/repos: more than 100 headers, or one of more than 64 KiB"
        ):
            client_at(url).get("/repos")
        assert len(asked) == 1


def test_no_cookie_of_the_source_is_kept() -> None:
    with served(sends(OK + b"Set-Cookie: a=b; Path=/\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]")) as (
        url,
        asked,
    ):
        client = client_at(url)
        for task in (client, client, client.for_task()):
            task.get("/repos")
    assert [b"cookie" in request.lower() for request in asked] == [False] * 3


@pytest.mark.parametrize("status", [429, 403, 503])
def test_all_waits_that_the_source_asks_for_are_bounded_together(status: int) -> None:
    said = Said(status, headers={"Retry-After": "300"})
    turns = [turn for _ in range(6) for turn in (said, said, Said(200, BODY))]
    asked = client_of(in_turn(*turns, said))
    for _ in range(6):
        asked.client.get("/repos")
    with pytest.raises(SourceUnavailable, match="Retry-After adds up to more than 3,600 s"):
        asked.client.get("/repos")
    assert sum(asked.clock.slept) == 3600
