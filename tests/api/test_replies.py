"""The parts of every reply: CSV, entity tags, headers, and the cache of replies."""

import csv
import hashlib
import io
import json
import shutil
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import duckdb
import httpx2
import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel
from tests.api.conftest import NOW, Failing, no_status

from millrace.api.app import Api, create
from millrace.api.replies import Reply, ResponseCache, as_csv
from millrace.api.routes import ROUTES, Route
from millrace.errors import ConfigError, MillraceError, TerminalError, TransientError
from millrace.laptop.data_dir import DataDir
from millrace.status.state import Status
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.reading import Answer, Reader, Snapshot

VELOCITY = "/api/velocity"
PATHS = [f"/api/{route.path}" for route in ROUTES]
SECURITY = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Cell(BaseModel):
    name: str | None
    number: float | None


def cells(*rows: tuple[str | None, float | None]) -> str:
    return b"".join(as_csv((Cell(name=name, number=number) for name, number in rows), ["name", "number"])).decode()


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


# CSV


def test_csv_follows_rfc_4180_line_endings_and_quoting() -> None:
    assert cells(('a "b", c', 1), ("two\nlines", 2)) == 'name,number\r\n"a ""b"", c",1.0\r\n"two\nlines",2.0\r\n'


def test_unknown_is_an_empty_cell_and_no_row_leaves_the_header() -> None:
    assert cells((None, None)) == "name,number\r\n,\r\n"
    assert cells() == "name,number\r\n"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(begin: str) -> None:
    assert rows_of(cells((f"{begin}1+cmd|' /C calc'!A0", None)))[1] == [f"'{begin}1+cmd|' /C calc'!A0", ""]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        pytest.param("\n=1+1", "'\n'=1+1", id="behind a line feed"),
        pytest.param(" =1+1", "' =1+1", id="behind a blank"),
        pytest.param("＝1+1", "'＝1+1", id="full width"),  # noqa: RUF001 full width is the case
        pytest.param("＠SUM(1)", "'＠SUM(1)", id="a full-width at sign"),  # noqa: RUF001
        pytest.param("﹣1", "'﹣1", id="a small minus"),
        pytest.param('x;=HYPERLINK("http://evil","c")', 'x;\'=HYPERLINK("http://evil","c")', id="behind a semicolon"),
        pytest.param("x; +1", "x;' +1", id="behind a semicolon and a blank"),
        pytest.param("x\t=1", "x\t'=1", id="behind a tab"),
        pytest.param("x\r\n@SUM(1)", "x\r\n'@SUM(1)", id="on the next line"),
        pytest.param("\u200b=1+1", r"\u200b=1+1", id="behind a zero-width mark"),
        pytest.param("\ufeff=1+1", r"\ufeff=1+1", id="behind a byte order mark"),
        pytest.param("\u3000=1+1", r"\u3000=1+1", id="behind an ideographic space"),
        pytest.param("\x1b]0;PWN\x07\x9b31m\u202e", r"\x1b]0;PWN\x07\x9b31m\u202e", id="a terminal's command"),
    ],
)
def test_a_cell_is_neither_a_formula_nor_a_command_of_a_terminal(value: str, cell: str) -> None:
    assert rows_of(cells((value, None)))[1] == [cell, ""]


def test_numbers_stay_numbers_and_other_text_is_as_it_was() -> None:
    assert rows_of(cells(("a=b", -1.5), ("größe 数 😀", 1e-7)))[1:] == [["a=b", "-1.5"], ["größe 数 😀", "1e-07"]]


@pytest.mark.parametrize("path", PATHS)
def test_the_rows_as_csv_are_the_rows_as_json(client: TestClient, path: str) -> None:
    as_text = client.get(path, params={"format": "csv"})
    header, *rows = rows_of(as_text.text)
    answer = client.get(path, params={"money": "text", "limit": 1000}).json()["rows"]
    assert as_text.headers["content-type"] == "text/csv; charset=utf-8"
    assert header == list(next(route for route in ROUTES if path.endswith(f"api/{route.path}")).columns)
    assert rows == [["" if row[name] is None else str(row[name]) for name in header] for row in answer]
    assert rows


@pytest.mark.parametrize(("path", "keys"), [("dashboard-data", ["day"]), ("cost-data/by-model", ["provider", "model"])])
def test_a_row_of_csv_begins_with_what_it_is_of(client: TestClient, path: str, keys: list[str]) -> None:
    header, *_ = rows_of(client.get(f"/api/{path}?format=csv").text)
    assert header[: len(keys)] == keys


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/api/summary"])  # its rows are always there
def test_where_nothing_matches_the_csv_is_its_header(client: TestClient, path: str) -> None:
    text = client.get(path, params={"format": "csv", "from": "1990-01-01", "to": "1990-01-01"}).text
    assert (len(rows_of(text)), text.count("\r\n")) == (1, 1)


# Entity tags and headers


def test_matching_etag_returns_304(client: TestClient) -> None:
    first = client.get(VELOCITY)
    again = client.get(VELOCITY, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["etag"].removeprefix("W/") == f'"{hashlib.sha256(first.content).hexdigest()[:32]}"'


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param("W/{tag}", 304, id="weak"),
        pytest.param('"another", W/"one" ,{tag}', 304, id="one of several"),
        pytest.param("*", 304, id="any"),
        pytest.param('"another", W/"one"', 200, id="others"),
        pytest.param('"*"', 200, id="a tag that looks like any"),
        pytest.param("", 200, id="empty"),
    ],
)
def test_each_way_to_name_tags_is_understood(client: TestClient, sent: str, status: int) -> None:
    tag = client.get(VELOCITY, headers={"Accept-Encoding": "identity"}).headers["etag"]
    assert client.get(VELOCITY, headers={"If-None-Match": sent.format(tag=tag)}).status_code == status


def test_tags_may_come_in_two_headers(client: TestClient) -> None:
    tag = client.get(VELOCITY).headers["etag"]
    assert client.get(VELOCITY, headers=[("If-None-Match", '"a"'), ("If-None-Match", tag)]).status_code == 304


def test_json_csv_and_another_question_have_other_tags(client: TestClient) -> None:
    questions: list[dict[str, str]] = [{}, {"format": "csv"}, {"limit": "1"}, {"band": "high"}, {"tz": "Asia/Tokyo"}]
    assert len({client.get(VELOCITY, params=question).headers["etag"] for question in questions}) == len(questions)


@pytest.mark.parametrize("asked", ["json", "csv", "304"])
def test_every_reply_header_names_its_source_and_build(client: TestClient, asked: str) -> None:
    answer = client.get(VELOCITY)
    tag = {"If-None-Match": answer.headers["etag"]} if asked == "304" else {}
    headers = client.get(VELOCITY, params={"format": "csv"} if asked == "csv" else {}, headers=tag).headers
    said = (headers["millrace-source"], headers["millrace-as-of"], headers["millrace-built-through"])
    assert said == tuple(str(answer.json()[name]) for name in ("source", "as_of", "built_through"))
    assert headers["cache-control"] == "private, no-cache"


def test_reply_computed_from_events_has_events_header(client: TestClient) -> None:
    answer = client.get(VELOCITY, params={"tz": "Asia/Tokyo"})
    assert (answer.headers["millrace-source"], answer.json()["source"]) == ("events", "events")


@pytest.mark.parametrize(
    "path",
    [*PATHS, f"{VELOCITY}?format=csv", "/", "/page/app.js", "/openapi.json", "/nowhere", f"{VELOCITY}?limit=0"],
)
def test_head_is_answered_as_get_without_the_body(client: TestClient, path: str) -> None:
    full, head = client.get(path), client.head(path)
    assert (head.status_code, dict(head.headers), head.content) == (full.status_code, dict(full.headers), b"")
    assert full.content


@pytest.mark.parametrize("error", [TerminalError("build/lease.json: no JSON"), MillraceError("x"), ConfigError("y")])
def test_failing_status_is_503_with_error_message(api: Api, client: TestClient, error: MillraceError) -> None:
    def fail() -> Status:
        raise error

    api.status = fail
    answer = client.get("/api/etl/status")
    assert (answer.status_code, answer.json()["detail"]) == (503, str(error))


# The headers that every reply has


def all_kinds(client: TestClient) -> list[httpx2.Response]:
    """Return replies of every kind except server errors."""
    tag = {"If-None-Match": client.get(VELOCITY).headers["etag"]}
    elsewhere = {"Origin": "http://elsewhere", "Access-Control-Request-Method": "GET"}
    paths = ("/", "/page/app.js", VELOCITY, f"{VELOCITY}?format=csv", "/openapi.json", "/nowhere", "/page/nothing.js")
    return [
        *(client.get(path) for path in (*paths, f"{VELOCITY}?limit=0")),
        client.get(VELOCITY, headers=tag),
        client.get(VELOCITY, headers={"Host": "elsewhere"}),
        client.get(VELOCITY, headers=elsewhere),
        client.options(VELOCITY, headers=elsewhere),
        client.post(VELOCITY),
    ]


def test_every_kind_of_reply_is_secured_and_none_lets_other_pages_read(api: Api) -> None:
    client = TestClient(create(api, ("testserver",)))
    replies = all_kinds(client)
    for error in (ZeroDivisionError(), TransientError("busy"), ConfigError("nothing there")):
        api.reader = Failing(error)
        replies.append(client.get(VELOCITY))
    assert {reply.status_code for reply in replies} == {200, 204, 304, 400, 404, 405, 422, 500, 503}
    assert [reply for reply in replies if not SECURITY.items() <= dict(reply.headers).items()] == []
    assert {name for reply in replies for name in reply.headers if name.startswith("access-control-")} == set()


# The cache of replies


@dataclass
class Counting:
    """A slow reader that counts its queries."""

    reader: Reader
    asked: int = 0
    pause_s: float = 0

    def version(self) -> str:
        return self.reader.version()

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        self.asked += 1
        time.sleep(self.pause_s)
        return self.reader.read(work)

    def close(self) -> None:
        self.reader.close()


@pytest.fixture
def counting(reader: DuckDBReader, api: Api) -> Counting:
    counting = Counting(reader)
    api.reader = counting
    return counting


def route(path: str) -> Route:
    return next(route for route in ROUTES if route.path == path)


def asked(api: Api, path: str = "velocity", **filters: object) -> Reply:
    return api.answer(route(path), route(path).filters.model_validate(filters))


def test_concurrent_identical_requests_run_one_query(api: Api, counting: Counting) -> None:
    counting.pause_s = 0.2
    with ThreadPoolExecutor(20) as threads:
        replies = list(threads.map(lambda _: asked(api), range(20)))
    assert (counting.asked, len({id(reply) for reply in replies})) == (1, 1)


def test_an_error_reaches_all_who_wait_for_it_and_is_not_remembered(api: Api, reader: DuckDBReader) -> None:
    answers = Answers(reader)
    api.reader = answers
    with ThreadPoolExecutor(20) as threads:
        failures = list(threads.map(lambda _: failure_of(api), range(20)))
    assert set(failures) == {"busy"}
    assert asked(api).headers["Millrace-Source"] == "marts"


def failure_of(api: Api) -> str:
    with pytest.raises(TransientError) as raised:
        asked(api)
    return str(raised.value)


@dataclass
class Answers:
    """A reader that is busy on the first query."""

    reader: Reader
    is_busy: bool = True

    def version(self) -> str:
        return self.reader.version()

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        time.sleep(0.5)
        if self.is_busy:
            self.is_busy = False
            raise TransientError("busy")
        return self.reader.read(work)

    def close(self) -> None:
        self.reader.close()


def test_the_same_question_again_is_remembered_and_another_one_is_not(api: Api, counting: Counting) -> None:
    questions: list[dict[str, Any]] = [{}, {}, {"band": ["low"]}, {"format": "csv"}, {"limit": 7}, {"band": ["low"]}]
    for question in questions:
        asked(api, **question)
    asked(api, "quality")
    assert counting.asked == 5


def test_the_next_day_is_another_question(api: Api, counting: Counting) -> None:
    assert b'"to":"2026-10-20"' in asked(api).body
    api.now = lambda: NOW + timedelta(days=1)
    assert b'"to":"2026-10-21"' in asked(api).body
    assert counting.asked == 2


def test_after_another_publication_the_answer_and_its_tag_are_new(place: DataDir) -> None:
    reader = DuckDBReader(place.published)
    api = Api(reader, no_status, lambda: NOW)
    before = asked(api)
    with duckdb.connect(shutil.copy(place.published, place.root / "newer")) as connection:
        connection.execute("UPDATE mart.velocity SET total_prs = total_prs + 1")
    (place.root / "newer").replace(place.published)
    after = asked(api)
    reader.close()
    assert before.headers["ETag"] != after.headers["ETag"]
    assert [row["total_prs"] - 1 for row in rows(after)] == [row["total_prs"] for row in rows(before)]


def rows(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(reply.body)["rows"]
    return found


def a_reply(size: int) -> Reply:
    return Reply.of(b"x" * size, "text/plain", "marts", datetime(2026, 1, 1, tzinfo=UTC), 1)


@pytest.mark.parametrize(
    ("key", "size"),
    [
        pytest.param("k", 50_000, id="long answers"),
        pytest.param("k", 1, id="short answers"),
        pytest.param("k" * 50_000, 1, id="long questions"),
    ],
)
def test_the_memory_takes_no_more_than_it_may(key: str, size: int) -> None:
    cache = ResponseCache(max_bytes=1_000_000)
    tracemalloc.start()
    for number in range(2_000):
        question = f"{key}{number}"
        cache.get(question, partial(lambda question: (question, a_reply(size)), question))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken <= 1_000_000


def test_cache_evicts_least_recently_used_reply() -> None:
    cache, made = ResponseCache(max_bytes=100_000), []

    def get(key: str) -> None:
        cache.get(key, lambda: (made.append(key), (key, a_reply(10_000)))[1])  # type: ignore[func-returns-value]

    for key in ("a", "b", *"cdefg", "a", "h", "i", "a", "b"):
        get(key)
    assert made == [*"abcdefghi", "b"]


def test_oversized_reply_is_not_cached() -> None:
    cache, made = ResponseCache(max_bytes=100_000), []
    for _ in range(2):
        cache.get("k", lambda: (made.append(1), ("k", a_reply(20_000)))[1])  # type: ignore[func-returns-value]
    assert len(made) == 2


def test_a_reply_of_a_newer_publication_is_kept_as_that() -> None:
    """A read may see a newer publication than the one looked up; its reply must not be kept under the older one."""
    cache = ResponseCache()
    cache.get("old", lambda: ("new", a_reply(1)))
    assert cache.get("new", lambda: ("new", a_reply(2))).body == b"x"
    assert cache.get("old", lambda: ("old", a_reply(3))).body == b"xxx"
