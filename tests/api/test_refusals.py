"""A refused request gets a reason and a next step, and no detail of the machine."""

import logging
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest
from fastapi.testclient import TestClient
from tests.api.conftest import Failing, ask

from millrace.api.app import Api
from millrace.api.filters import zones
from millrace.api.periods import MAX_DAYS
from millrace.api.routes import ROUTES
from millrace.errors import Step
from millrace.laptop.data_dir import DataDir
from millrace.status.remedies import DEPLOYMENT, remedy
from millrace.warehouse.duckdb.reader import DuckDBReader

VELOCITY = "/api/velocity"
PATHS = [f"/api/{route.path}" for route in ROUTES]
TEXTS = [
    (f"/api/{route.path}", name)
    for route in ROUTES
    for name in ("project", "repo", "developer", "agent", "provider", "model")
    if name in route.filters.model_fields
]


def refused(reply: httpx2.Response, status: int) -> str:
    """Return the reason of a refusal, after checking the fields that every refusal has."""
    problem = reply.json()
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert set(problem) == {"type", "title", "status", "detail", "next_step"}
    assert (problem["status"], reply.headers["cache-control"]) == (status, "no-store")
    assert problem["title"]
    assert problem["next_step"]
    assert "Traceback" not in reply.text
    return str(problem["detail"])


LONG_AGO = (date(2026, 10, 1) - timedelta(days=MAX_DAYS + 1)).isoformat()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        pytest.param("wat=1", "wat", id="unknown parameter"),
        pytest.param("from=yesterday", "from", id="no day"),
        pytest.param("from=2026-02-30", "from", id="a day that never was"),
        pytest.param("from=20260101", "from", id="a day written otherwise"),
        pytest.param("from=1791072000", "from", id="seconds since 1970"),
        pytest.param("to=2026-10-01T00:00:00", "to", id="an instant"),
        pytest.param("to=9999-12-31", "to", id="the last day there is"),
        pytest.param("from=0001-01-01", "from", id="the first day there is"),
        pytest.param("from=2026-10-02&to=2026-10-01", "on or before", id="from after to"),
        pytest.param(f"from={LONG_AGO}&to=2026-10-01", "3,660 days", id="a range that is too long"),
        pytest.param("from=1999-12-31", "3,660 days", id="a range that is too long until today"),
        pytest.param("tz=Mars/Olympus", "tz", id="a zone of nowhere"),
        pytest.param("tz=localtime", "tz", id="the zone of some machine"),
        pytest.param("tz=../../etc/passwd", "tz", id="a zone that is a path"),
        pytest.param("limit=0", "limit", id="no rows"),
        pytest.param("limit=1001", "limit", id="too many rows"),
        pytest.param("limit=ten", "limit", id="a limit that is no number"),
        pytest.param("offset=-1", "offset", id="a page before the first"),
        pytest.param("offset=10000001", "offset", id="a page too far"),
        pytest.param("offset=" + "9" * 5_000, "offset", id="a number that is too long"),
        pytest.param("sort=nothing", "sort", id="an unknown column"),
        pytest.param("sort=week;DROP TABLE mart.velocity", "sort", id="a column and more"),
        pytest.param("order=sideways", "order", id="an unknown order"),
        pytest.param("format=xml", "format", id="an unknown format"),
        pytest.param("band=huge", "band", id="an unknown band"),
        pytest.param("repo=a%00b", "repo", id="a zero"),
        pytest.param("repo=a%0Ab", "repo", id="a line feed"),
        pytest.param("repo=a%0A", "repo", id="a line feed at the end"),
        pytest.param("repo=%1B[2J", "repo", id="an escape sequence"),
        pytest.param("developer=" + "x" * 201, "developer", id="a value that is too long"),
        pytest.param("developer=" + "+" * 201, "developer", id="blanks that are too long"),
        pytest.param("&".join(["developer=x"] * 51), "developer", id="too many values"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(client: TestClient, query: str, named: str) -> None:
    assert named in refused(client.get(f"{VELOCITY}?{query}"), 422)


@pytest.mark.parametrize("path", [*PATHS, "/api/etl/status"])
def test_every_route_refuses_unknown_parameters(client: TestClient, path: str) -> None:
    assert refused(client.get(path, params={"drop": "1"}), 422).startswith("no parameter 'drop'")


def test_a_period_and_days_are_not_both_taken(client: TestClient) -> None:
    reply = client.get("/api/cost-data/by-provider", params={"period": "week", "to": "2026-10-01"})
    assert "either period" in refused(reply, 422)


def test_the_longest_range_and_as_many_values_as_may_be_are_answered(client: TestClient) -> None:
    first = (date(2026, 10, 1) - timedelta(days=MAX_DAYS)).isoformat()
    query: dict[str, Any] = {"from": first, "to": "2026-10-01", "developer": ["user_002"] * 50, "limit": 1_000}
    assert client.get(VELOCITY, params=query).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("day", ["1990-01-01", "2199-12-31"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_the_last_day_are_answered_everywhere(client: TestClient, path: str, day: str, zone: str) -> None:
    assert client.get(path, params={"from": day, "to": day, "tz": zone}).status_code == 200


def test_blanks_around_a_value_and_empty_values_do_not_count(client: TestClient) -> None:
    query = {"repo": ["  acme-corp/service-01 ", "", "  "]}
    named = client.get(VELOCITY, params={"repo": "acme-corp/service-01"}).json()
    assert client.get(VELOCITY, params=query).json() == named
    assert client.get(VELOCITY, params={"repo": ["", "  "]}).json() == client.get(VELOCITY).json()
    assert 0 < named["total_count"] < client.get(VELOCITY).json()["total_count"]


@pytest.mark.parametrize("path", PATHS)
def test_beyond_the_end_is_an_empty_page_with_the_count_of_all(client: TestClient, path: str) -> None:
    answer = client.get(path, params={"offset": 10_000_000}).json()
    first = client.get(path).json()
    assert (answer["rows"], answer["has_more"], answer["total_count"]) == ([], False, first["total_count"])
    assert first["total_count"] > 0


# Other refusals


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "WAT"])
@pytest.mark.parametrize("path", [VELOCITY, "/api/etl/status", "/", "/page/app.js"])
def test_other_methods_get_405_with_allow_header(client: TestClient, method: str, path: str) -> None:
    reply = client.request(method, path)
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert method in refused(reply, 405)


@pytest.mark.parametrize(
    "path",
    [
        *("/nowhere", "/api/", "/api/velocity/", "/api/Velocity", "/docs/", "/redoc", "/page/", "/page/nothing.js"),
        *("/page/../app.py", "/page/..%2Fapp.py", "/page/%2e%2e/app.py", "/page//etc/passwd", "/page/__init__.py"),
        *("/.env", "//etc/passwd"),
    ],
)
def test_an_unknown_path_is_not_found(client: TestClient, path: str) -> None:
    assert refused(client.get(path, follow_redirects=False), 404)


@pytest.mark.parametrize("host", ["elsewhere", "testserver.elsewhere", "elsewhere:80", "", "xtestserver", "127.0.0.1"])
@pytest.mark.parametrize("path", [VELOCITY, "/", "/openapi.json", "/api/etl/status"])
def test_another_name_of_this_machine_is_refused(client: TestClient, host: str, path: str) -> None:
    """A page of another site, whose host name resolves to this machine, can read nothing."""
    assert refused(client.get(path, headers={"Host": host}), 400)


@pytest.mark.parametrize("host", ["testserver", "TestServer", "testserver:8080"])
def test_its_own_name_is_answered_at_any_port(client: TestClient, host: str) -> None:
    assert client.get(VELOCITY, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_without_publication_reply_is_503_with_next_step(
    api: Api, client: TestClient, tmp_path: Path, path: str
) -> None:
    api.reader = DuckDBReader(tmp_path / "published.duckdb")
    reply = client.get(path)
    assert "nothing was built" in refused(reply, 503)
    assert reply.json()["next_step"] == remedy(Step.BEGIN, DEPLOYMENT)
    assert reply.headers["retry-after"] == "5"


@pytest.mark.parametrize("size", [0, 5_000, 20_000, 1_000_000])
def test_a_broken_file_is_no_answer_and_the_next_one_is(
    api: Api, client: TestClient, place: DataDir, store: DataDir, size: int
) -> None:
    api.reader = DuckDBReader(place.published)
    content = store.published.read_bytes()
    (place.root / "broken").write_bytes(content[:size])
    (place.root / "broken").replace(place.published)
    refused(client.get(VELOCITY), 503)
    (place.root / "good").write_bytes(content)
    (place.root / "good").replace(place.published)
    assert client.get(VELOCITY).status_code == 200


def test_missing_mart_is_computed_or_refused_with_rebuild_step(api: Api, client: TestClient, place: DataDir) -> None:
    with duckdb.connect(place.published) as connection:
        connection.execute("DROP TABLE mart.velocity; DROP TABLE mart.usage_events")
    api.reader = DuckDBReader(place.published)
    assert client.get(VELOCITY).json()["source"] == "events"
    refused(client.get("/api/dashboard-data"), 503)
    assert client.get("/api/dashboard-data").json()["next_step"] == remedy(Step.REBUILD, DEPLOYMENT)


class Secret(Exception):
    """An error that no code expects."""


def test_unexpected_error_is_logged_without_leaking_details(
    api: Api, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    api.reader = Failing(Secret("/home/ada/data: SELECT prompt FROM raw.usage_events"))
    with caplog.at_level(logging.ERROR, "millrace"):
        reply = client.get(VELOCITY, params={"band": "high"})
    refused(reply, 500)
    assert not [word for word in ("/home", "SELECT", "Secret", ".py", __file__) if word in reply.text]
    (fields,) = (record.fields for record in caplog.records if record.name == "millrace")  # type: ignore[attr-defined]
    assert (fields["path"], fields["kind"]) == (VELOCITY, "Secret")
    assert "conftest.py" in fields["stack"]
    assert "prompt" not in str(fields)


# The text of a filter is a value, never SQL

INJECTIONS = [
    "' OR '1'='1",
    "x' OR 1=1 --",
    "'; DROP TABLE mart.velocity; --",
    "') UNION ALL SELECT * FROM mart.usage_events --",
    "x') OR TRUE OR repo_name IN ('x",
    "?",
    "%",
    "_%",
    "${repo_name}",
    "\\' OR 1=1 --",
    "*",
    "NULL",
    "repo_name",
    '" OR ""="',
    "/etc/passwd",
    "read_csv('/etc/passwd')",
]


@pytest.mark.parametrize(("path", "name"), TEXTS)
def test_sql_in_a_filter_is_a_name_that_the_data_does_not_have(
    client: TestClient, store: DataDir, path: str, name: str
) -> None:
    before = digest(store)
    texts = INJECTIONS[TEXTS.index((path, name)) % 3 :: 3]  # each of them on most routes
    for text in (*texts, "|".join(INJECTIONS)[:200]):
        assert refused(client.get(path, params={name: text}), 422).startswith("no ")
    assert client.get(path).json()["total_count"] > 0
    assert digest(store) == before


def digest(store: DataDir) -> list[tuple[object, ...]]:
    names = "SELECT table_name, estimated_size FROM duckdb_tables() WHERE schema_name = 'mart' ORDER BY ALL"
    found = ask(store.published, names)
    return [*found, (store.published.stat().st_mtime_ns, store.published.stat().st_size)]


# Time zones


def test_warehouse_supports_every_accepted_time_zone() -> None:
    values = ", ".join(f"timezone('{name}', timezone('UTC', TIMESTAMP '2026-07-01 12:00:00'))" for name in zones())
    with duckdb.connect() as connection:
        (clocks,) = connection.execute(f"SELECT {values}").fetchall()
    assert len(clocks) == len(zones()) > 500


def test_accepted_zones_exclude_machine_local_names() -> None:
    assert {"localtime", "posixrules", ""}.isdisjoint(zones())
    assert {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia"} <= zones()
