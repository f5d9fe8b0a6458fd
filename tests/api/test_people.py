"""Where a deployment hides people, no cell of any answer and no refusal has a name, an e-mail or a user id."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.api.conftest import NOW, ask, no_status

from millrace.api.app import Api, create
from millrace.api.names import Names
from millrace.api.people import People
from millrace.api.routes import ROUTES
from millrace.errors import ConfigError
from millrace.laptop.data_dir import DataDir
from millrace.status import remedies
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.wiring import api_of

KEY = "a key that is not guessed"
PEOPLE = People("pseudonyms", KEY)
Serve = Callable[[People], TestClient]
PATHS = [f"/api/{route.path}" for route in ROUTES]
SORTS = {
    f"/api/{route.path}": [name for name in ("person", "developer", "user_id") if name in route.row.model_fields]
    for route in ROUTES
}


@pytest.fixture(scope="module")
def names(store: DataDir) -> set[str]:
    """Every name of a person that the publication has."""
    columns = (
        ("user_developers", "user_id"),
        ("user_developers", "developer"),
        ("usage_events", "user_id"),
        *(("merged_pull_requests", name) for name in ("developer", "author_id", "author_email")),
    )
    parts = [f"SELECT {column} FROM mart.{table}" for table, column in columns]  # noqa: S608 our own names
    found = {str(name) for (name,) in ask(store.published, " UNION ".join(parts)) if name is not None}
    assert len(found) > 30
    assert all(map(str.isascii, found))  # JSON has them as they are
    return found


@pytest.fixture(scope="module")
def hiding(reader: DuckDBReader) -> Serve:
    """A function that returns the client of the API with a setting, the same for the same one."""

    @cache
    def serve(people: People) -> TestClient:
        api = Api(reader, no_status, lambda: NOW, names=Names(people))
        return TestClient(create(api, ("testserver",)), raise_server_exceptions=False)

    return serve


def cells(value: Any) -> Iterator[str]:
    """Yield every text of an answer, however deep."""
    if isinstance(value, dict):
        for each in value.values():
            yield from cells(each)
    elif isinstance(value, list):
        for each in value:
            yield from cells(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("people", [PEOPLE, People("off")], ids=str)
@pytest.mark.parametrize("path", PATHS)
def test_no_cell_of_any_route_has_a_name(hiding: Serve, names: set[str], people: People, path: str) -> None:
    client = hiding(people)
    name = re.compile("|".join(map(re.escape, names)))
    for query in ("limit=1000", "limit=1000&tz=Asia/Tokyo", "period=all&include_stats=true&limit=1000"):
        allowed = query if path == "/api/projects" else query.replace("&include_stats=true", "")
        reply = client.get(f"{path}?{allowed}")
        if (path, people.mode) == ("/api/people", "off"):
            assert (reply.status_code, reply.json()["title"]) == (403, "People are off")
        else:
            assert reply.status_code == 200
        text = client.get(f"{path}?{allowed}&format=csv").text
        assert name.findall(reply.text + text) == []


def test_status_has_no_name_and_says_how_people_are_shown(
    store: DataDir, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_PEOPLE", "pseudonyms")
    monkeypatch.setenv("MILLRACE_PEOPLE_KEY", KEY)
    with TestClient(api_of(store.api_config(), remedies.LAPTOP)) as client:
        status = client.get("/api/etl/status").json()
        assert status["people"] == client.get("/api/summary").json()["people"] == "pseudonyms"
    assert [name for name in names if any(name in cell for cell in cells(status))] == []


def test_a_pseudonym_is_stable_and_filters_like_its_name(client: TestClient, hiding: Serve) -> None:
    pseudonym = PEOPLE.shown("user_002")
    assert pseudonym == People("pseudonyms", KEY).shown("user_002") != People("pseudonyms", "b" * 16).shown("user_002")
    hidden = hiding(PEOPLE)
    for path in ("/api/people", "/api/sessions", "/api/pull-requests", "/api/dashboard-data", "/api/velocity"):
        shown = client.get(path, params={"person": "user_002"}).json()
        by_pseudonym = hidden.get(path, params={"person": str(pseudonym).upper()}).json()
        assert PEOPLE.hidden_in(shown) == by_pseudonym
        assert shown["rows"]


@pytest.mark.parametrize("typed", ["user_002", "USER_002", "dev002@example.com", "person-0"])
@pytest.mark.parametrize("filter_", ["person", "developer"])
def test_a_real_name_is_as_unknown_as_any_other(hiding: Serve, names: set[str], typed: str, filter_: str) -> None:
    client = hiding(PEOPLE)
    reply = client.get("/api/people", params={filter_: typed})
    other = client.get("/api/people", params={filter_: "zzz"})
    assert (reply.status_code, other.status_code) == (422, 422)
    said = reply.text.replace(typed, "")
    assert [name for name in names if name in said] == []
    assert "did you mean user" not in said


@pytest.mark.parametrize("filter_", ["person", "developer"])
def test_people_that_are_off_are_no_filter(hiding: Serve, filter_: str) -> None:
    reply = hiding(People("off")).get("/api/velocity", params={filter_: "user_002"})
    assert (reply.status_code, reply.json()["title"]) == (403, "People are off")


@pytest.mark.parametrize("people", [PEOPLE, People("off")], ids=str)
@pytest.mark.parametrize(("path", "sort"), [(path, sort) for path, sorts in SORTS.items() for sort in sorts])
def test_no_order_follows_hidden_names(hiding: Serve, people: People, path: str, sort: str) -> None:
    reply = hiding(people).get(path, params={"sort": sort})
    assert reply.status_code in (403, 422)


def test_people_with_the_same_numbers_are_in_the_order_of_their_pseudonyms(hiding: Serve) -> None:
    question = {"sort": "user_count", "limit": "1000", "order": "asc"}
    rows = hiding(PEOPLE).get("/api/people", params=question).json()["rows"]
    same = [row["person"] for row in rows if row["user_count"] == 1 and row["person"]]
    assert len(same) > 5
    assert same == sorted(same)


def test_names_pseudonyms_and_off_have_other_tags(client: TestClient, hiding: Serve) -> None:
    tags = [each.get("/api/sessions").headers["etag"] for each in (client, hiding(PEOPLE), hiding(People("off")))]
    assert len(set(tags)) == 3


@pytest.mark.parametrize(
    ("mode", "key", "said"),
    [
        ("anonymous", "", "expected names, pseudonyms or off, got 'anonymous'"),
        ("pseudonyms", "", "at least 16 characters, got 0"),
        ("pseudonyms", "short", "at least 16 characters, got 5"),
    ],
)
def test_a_setting_that_would_show_people_is_refused(
    store: DataDir, monkeypatch: pytest.MonkeyPatch, mode: str, key: str, said: str
) -> None:
    monkeypatch.setenv("MILLRACE_PEOPLE", mode)
    monkeypatch.setenv("MILLRACE_PEOPLE_KEY", key)
    with pytest.raises(ConfigError, match=said):
        api_of(store.api_config(), remedies.LAPTOP)


def test_the_key_is_in_no_text_of_the_setting() -> None:
    assert KEY not in repr(PEOPLE) + str(PEOPLE)
