"""How a person asks by hand: empty parameters, letter case, misspelt names, methods, and what is said about them."""

import csv
import io
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from millrace.api.document import parameters_of
from millrace.api.routes import ROUTES, Route

VELOCITY = "/api/velocity"
PATHS = [f"/api/{route.path}" for route in ROUTES]


def detail(client: TestClient, path: str) -> str:
    reply = client.get(path)
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    return str(reply.json()["detail"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_empty_parameters_are_absent(client: TestClient, route: Route) -> None:
    path = f"/api/{route.path}"
    fields = {field.alias or name: field for name, field in route.filters.model_fields.items()}
    assert client.get(path, params=dict.fromkeys(fields, "")).json() == client.get(path).json()


@pytest.mark.parametrize(
    ("path", "typed", "named"),
    [
        (VELOCITY, "repo=ACME-corp/Service-01", "repo=acme-corp/service-01"),
        ("/api/people", "person=USER_002", "person=user_002"),
        ("/api/dashboard-data", "project=SRC-service-01", "project=src-service-01"),
        ("/api/dashboard-data", "agent=Claude&provider=Anthropic", "agent=claude&provider=anthropic"),
        (VELOCITY, "tz=europe/berlin", "tz=Europe/Berlin"),
        (VELOCITY, "format=JSON&order=ASC&period=THIS_MONTH", "order=asc&period=this_month"),
        (VELOCITY, "sort=-repo_name", "sort=repo_name&order=desc"),
    ],
)
def test_names_and_words_match_in_any_letter_case(client: TestClient, path: str, typed: str, named: str) -> None:
    answer = client.get(f"{path}?{typed}")
    assert answer.status_code == 200
    assert answer.json() == client.get(f"{path}?{named}").json()
    assert answer.json() != client.get(path).json()


def test_a_name_of_the_rate_card_is_all_of_its_ids(client: TestClient) -> None:
    ids = "claude-opus-4-1-20250805"
    by_name = client.get("/api/dashboard-data", params={"model": "claude-opus-4-1"}).json()
    assert by_name == client.get("/api/dashboard-data", params={"model": ids}).json()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"{VELOCITY}?repo=service-01", "no repository 'service-01'; did you mean acme-corp/service-01?"),
        (
            f"{VELOCITY}?repo=acme-corp/servce-01",
            "no repository 'acme-corp/servce-01'; did you mean acme-corp/service-0",
        ),
        ("/api/people?person=user_0002", "no person 'user_0002'; did you mean user_00"),
        ("/api/dashboard-data?agent=cluade", "no agent 'cluade'; did you mean claude?"),
        (f"{VELOCITY}?repo=%1b", "repo: expected text without control characters"),
        (f"{VELOCITY}?repository=x", "no parameter 'repository'; did you mean repo?"),
        (f"{VELOCITY}?limit=ten", "limit: expected a whole number, got 'ten'"),
        (f"{VELOCITY}?limit=1001", "limit: expected at most 1000, got '1001'"),
        (f"{VELOCITY}?order=down", "order: expected asc or desc, got 'down'"),
        (f"{VELOCITY}?sort=weak", "sort: expected "),
        (f"{VELOCITY}?sort=-week&order=asc", "expected either sort=-week or order, got both"),
        (f"{VELOCITY}?from=2026-02-30", "from: expected a day that exists, like 2026-01-31, got '2026-02-30'"),
        (f"{VELOCITY}?tz=Europe/Berln", "tz: expected a time zone of the IANA database, like Europe/Berlin"),
    ],
)
def test_a_refusal_says_what_was_expected(client: TestClient, asked: str, said: str) -> None:
    assert said in detail(client, asked)


def test_no_refusal_is_in_the_words_of_a_library(client: TestClient) -> None:
    bad = ("x=1", "limit=x", "limit=0", "from=x", "to=2026-13-01", "tz=x", "sort=x", "order=x", "format=x", "offset=-1")
    said = [detail(client, f"{VELOCITY}?{each}") for each in bad]
    words = ("Input should", "Extra inputs", "Value error", "permitted", "valid integer", "validation")
    assert [text for text in said if any(word in text for word in words)] == []


# ---- what HTTP's tools expect


@pytest.mark.parametrize("path", ["/", "/api", "/docs", "/openapi.json", "/healthz", VELOCITY, "/page/app.js"])
def test_options_name_the_methods_and_head_has_the_headers(client: TestClient, path: str) -> None:
    reply = client.options(path)
    assert (reply.status_code, reply.headers["allow"], reply.content) == (204, "GET, HEAD, OPTIONS", b"")
    assert client.head(path).headers["content-type"] == client.get(path).headers["content-type"]


def test_health_has_the_usual_name_too(client: TestClient) -> None:
    assert client.get("/healthz").text == client.get("/health").text == "ok"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", VELOCITY, f"{VELOCITY}?format=csv&limit=1000"])
def test_a_long_reply_is_compressed_on_request_and_its_tag_holds(client: TestClient, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert ("content-encoding" in plain.headers, packed.headers["content-encoding"]) == (False, "gzip")
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert "Accept-Encoding" in packed.headers["vary"]
    for tag in (plain.headers["etag"], packed.headers["etag"]):
        for encoding in ("gzip", "identity"):
            headers = {"If-None-Match": tag, "Accept-Encoding": encoding}
            assert client.get(path, headers=headers).status_code == 304


def test_gzip_is_not_sent_to_who_forbids_it_nor_for_a_tiny_reply(client: TestClient) -> None:
    assert "content-encoding" not in client.get(VELOCITY, headers={"Accept-Encoding": "gzip;q=0"}).headers
    tiny = client.get("/api/sources?limit=1&format=csv", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in tiny.headers


def test_docs_have_every_route_and_parameter_and_no_foreign_code(client: TestClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        assert f"GET {path}" in page
        assert all(each["name"] in page for each in parameters_of(document, methods["get"]))
    assert "curl" in page
    assert not [word for word in ("<script", "http://fonts", "https://cdn", "style=") if word in page]


def test_the_index_lists_the_routes(client: TestClient) -> None:
    index = client.get("/api").json()
    assert [route["path"] for route in index["routes"]] == [*PATHS, "/api/etl/status"]
    assert (index["docs"], index["openapi"]) == ("/docs", "/openapi.json")


# ---- CSV is whole, or says that it is not


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


@pytest.mark.parametrize("path", ["/api/cost-data", "/api/sessions", "/api/pull-requests", "/api/people"])
def test_csv_without_a_limit_has_all_rows(client: TestClient, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.api.paging.CHUNK", 64)
    reply = client.get(path, params={"format": "csv"})
    total = client.get(path).json()["total_count"]
    rows = rows_of(reply.text)
    assert (len(rows), reply.headers["millrace-total-count"]) == (total, str(total))
    assert len({tuple(row) for row in rows}) == total
    assert "link" not in reply.headers


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_a_page_has_the_count_of_all_and_a_link_to_the_next(client: TestClient, format_: str) -> None:
    seen: list[Any] = []
    query = f"/api/sessions?limit=100&format={format_}&agent=claude"
    while query:
        reply = client.get(query)
        page = reply.json()["rows"] if format_ == "json" else rows_of(reply.text)
        seen += page
        link = reply.headers.get("link", "")
        query = link.partition(">")[0].removeprefix("<")
        assert not link or link.endswith('>; rel="next"')
        assert not query or parse_qs(urlsplit(query).query)["agent"] == ["claude"]
    assert len(seen) == int(reply.headers["millrace-total-count"]) > 200


def test_more_rows_than_csv_may_have_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.api.paging.MAX_CSV_ROWS", 50)
    reply = client.get("/api/sessions?format=csv")
    assert reply.status_code == 422
    assert "at most 50 rows as CSV" in reply.json()["detail"]
    assert "limit" in reply.json()["next_step"]


def test_long_csv_comes_from_a_file_and_is_the_same(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = client.get("/api/sessions?format=csv").text
    monkeypatch.setattr("millrace.api.replies.IN_MEMORY_BYTES", 1_000)
    for encoding in ("identity", "gzip"):
        spooled = client.get("/api/sessions?format=csv&offset=0", headers={"Accept-Encoding": encoding})
        assert spooled.text == plain
        again = client.get("/api/sessions?format=csv&offset=0", headers={"If-None-Match": spooled.headers["etag"]})
        assert again.status_code == 304


def test_accept_asks_for_csv_and_format_wins(client: TestClient) -> None:
    as_text = {"Accept": "text/csv"}
    assert client.get(VELOCITY, headers=as_text).headers["content-type"] == "text/csv; charset=utf-8"
    assert client.get(f"{VELOCITY}?format=json", headers=as_text).headers["content-type"] == "application/json"
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert client.get(VELOCITY, headers=browser).headers["content-type"] == "application/json"
    assert "Accept" in client.get(VELOCITY).headers["vary"].split(", ")


# ---- money


def test_money_is_a_number_and_text_on_request(client: TestClient) -> None:
    path = "/api/cost-data"
    number, text = client.get(path).json(), client.get(f"{path}?money=text").json()
    assert isinstance(number["totals"]["cost_usd"], float)
    assert isinstance(text["totals"]["cost_usd"], str)
    assert float(text["totals"]["cost_usd"]) == number["totals"]["cost_usd"]
    assert client.get(f"{path}?format=csv&money=text").text == client.get(f"{path}?format=csv").text


def test_no_money_as_text_is_zero_times_ten_to_a_power(client: TestClient) -> None:
    days = {"from": "2020-01-01", "to": "2020-01-31", "money": "text"}  # before the data: zero is a sum of nothing
    for path in ("/api/people", "/api/repositories", "/api/dashboard-data"):
        assert client.get(path, params=days).json()["totals"]["cost_usd"] == "0.000000000000"
