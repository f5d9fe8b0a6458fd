"""Responses of three real servers, replayed: every recorded body by itself, and two whole servers."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.extract.answering import Asked, Said, client_of, in_turn
from tests.extract.reading import distinct, read_world

import simulator
from millrace.arrow import to_batch
from millrace.errors import MillraceError, RequestRejected, RouteNotFound, SourceUnavailable
from millrace.extract.completeness import Row
from millrace.extract.sources.cursor_sim import pages
from millrace.tables import CURSOR_SIM, EXTRA, INSTANT, PageNumberListing, is_json

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"
ONE, TWO, THIRTY = "one-developer-90d-medium", "seed-2dev-90d-medium", "org-30dev-90d-medium"


@dataclass(frozen=True)
class Recorded:
    """One line of a manifest, with the response that it describes."""

    name: str
    status: int
    size_bytes: int
    sha256: str
    target: str
    said: Said

    def replayed(self) -> Asked:
        return client_of(in_turn(self.said))


def recorded(server: str) -> Iterator[Recorded]:
    with (CAPTURES / server / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines, delimiter="\t"):
            name = line["name"]
            head = (CAPTURES / server / f"{name}.headers").read_bytes().decode("latin-1").split("\r\n")
            body = gzip.decompress((CAPTURES / server / f"{name}.body.gz").read_bytes())
            headers = dict(field.split(": ", 1) for field in head[1:] if field)
            said = Said(int(head[0].split()[1]), body, headers)
            target = line["request"].removeprefix("GET ")
            yield Recorded(name, int(line["status"]), int(line["bytes"]), line["sha256"], target, said)


EVERY = {(server, each.name): each for server in (ONE, TWO, THIRTY) for each in recorded(server)}

# The rows of each list, for the servers of one, two and thirty developers; and the total where the response has one.
NUMBERED: dict[str, tuple[str, tuple[tuple[int, int], ...]]] = {
    "commits-p1": ("commits", ((100, 201), (100, 284), (100, 4330))),  # page_size is ignored there: 100 rows, not 500
    "commits-p2": ("commits", ((100, 201), (100, 284), (100, 4330))),
    "commits-last": ("commits", ((1, 201), (84, 284), (30, 4330))),
    "commits-out-of-range": ("commits", ((0, 201), (0, 284), (0, 4330))),
    "commits-pageSize1000-p1": ("commits", ((201, 201), (284, 284), (1000, 4330))),
    "commits-default-range": ("commits", ((10, 76), (10, 106), (10, 1413))),  # thirty days, not all
    "commits-by-repo": ("commits", ((100, 201), (100, 178), (100, 784))),
    "analytics-prs-day": ("pull_requests", ((4, 4), (6, 6), (39, 39))),
    "analytics-prs-by-author": ("pull_requests", ((100, 198), (100, 178), (100, 177))),
    "analytics-reviews-by-reviewer": ("reviews", ((0, 0), (100, 178), (100, 273))),
    "analytics-reviews-by-pr": ("reviews", ((0, 0), (1, 1), (3, 3))),
}
ARRAYS = {
    "repos": ("repos", (1, 2, 6)),
    "repo-commits-p1": ("commits", (100, 100, 100)),
    "repo-commits-bad-since": ("commits", (5, 5, 5)),  # a wrong date is ignored, not refused
    "pulls-p1": ("pull_requests", (100, 100, 100)),
    "pulls-p1-again": ("pull_requests", (100, 100, 100)),
    "pulls-last": ("pull_requests", (98, 78, 79)),
    "pulls-out-of-range": ("pull_requests", (0, 0, 0)),
    "pulls-open": ("pull_requests", (9, 8, 34)),
    "reviews-pr-a": ("reviews", (0, 1, 3)),
    "reviews-pr-b": ("reviews", (0, 1, 2)),
    "reviews-open-pr": ("reviews", (0, 1, 3)),
    "reviews-none": ("reviews", (0, 0, 0)),  # a pull request that does not exist looks like one without reviews
    "unknown-repo-pulls": ("pull_requests", (0, 0, 0)),
    "unknown-repo-commits": ("commits", (0, 0, 0)),
}
SINGLE = {"repo-one": "repos", "pull-one": "pull_requests"}
OBJECTS = {
    "team-members": {"teamMembers"},
    "admin-stats": {"generation", "developers", "quality", "variance", "performance", "organization"},
    "health": {"status"},
}
ERRORS: dict[str, tuple[type[MillraceError], str]] = {
    "commits-pageSize1001-error": (RequestRejected, "400, 'invalid pageSize: must be <= 1000'"),
    "commits-page0-error": (RequestRejected, "400, 'invalid page: must be >= 1'"),
    "commits-bad-date": (RequestRejected, "400, 'invalid startDate: must be YYYY-MM-DD, ISO 8601, or relative format"),
    "commits-csv": (SourceUnavailable, "bytes that are no complete JSON, 5 times"),
    "pull-unknown": (RouteNotFound, "404, 'pull request not found'"),
    "pull-not-a-number": (RequestRejected, "400, 'invalid pull request number'"),
    "unknown-repo": (RouteNotFound, "404, 'repository not found'"),
    "unknown-route": (RouteNotFound, "404, '404 page not found'"),
    "unauthenticated": (RequestRejected, "401, the key was refused; set MILLRACE_SOURCE_KEY"),
    "wrong-key": (RequestRejected, "401, the key was refused; set MILLRACE_SOURCE_KEY"),
    "analytics-prs-bad-date": (RequestRejected, "400, 'invalid start_date format (use YYYY-MM-DD)'"),
    "analytics-reviews-bad-page": (RequestRejected, "400, 'invalid page parameter'"),
    "rate-limited": (SourceUnavailable, "over its rate limit 51 times in a row"),
}


def those_of(names: Iterable[str]) -> pytest.MarkDecorator:
    wanted = [pytest.param(*key, id="-".join(key)) for key in EVERY if key[1] in set(names)]
    return pytest.mark.parametrize(("server", "name"), wanted)


def at_server(server: str, of_servers: tuple[object, ...]) -> object:
    return of_servers[(ONE, TWO, THIRTY).index(server)]


def test_every_recorded_answer_has_its_case() -> None:
    assert {name for _, name in EVERY} == {*NUMBERED, *ARRAYS, *SINGLE, *OBJECTS, *ERRORS}
    assert [len(list(recorded(server))) for server in (ONE, TWO, THIRTY)] == [42, 42, 43]


@pytest.mark.parametrize(("server", "name"), EVERY, ids="-".join)
def test_recorded_answer_matches_its_manifest(server: str, name: str) -> None:
    each = EVERY[server, name]
    assert (each.said.status, len(each.said.body)) == (each.status, each.size_bytes)
    assert hashlib.sha256(each.said.body).hexdigest() == each.sha256


@those_of(NUMBERED)
def test_recorded_page_parses_to_rows_and_total(server: str, name: str) -> None:
    each, (table, counts) = EVERY[server, name], NUMBERED[name]
    listing = CURSOR_SIM[table].bulk
    assert isinstance(listing, PageNumberListing)
    page = pages.numbered_page(each.replayed().client, listing, {})
    assert (len(page.rows), page.total) == at_server(server, counts)
    assert [values_in_batch(row, table) for row in page.rows] == [values_of(row, table) for row in page.rows]


@those_of(ARRAYS)
def test_recorded_array_parses_to_rows(server: str, name: str) -> None:
    each, (table, counts) = EVERY[server, name], ARRAYS[name]
    path, _, query = each.target.partition("?")
    rows = pages.array(path, each.replayed().client.get(path, dict(urlsplit_query(query))).body)
    assert len(rows) == at_server(server, counts)
    assert [values_in_batch(row, table) for row in rows] == [values_of(row, table) for row in rows]


def urlsplit_query(query: str) -> list[tuple[str, str]]:
    return [(part.partition("=")[0], part.partition("=")[2]) for part in query.split("&") if part]


@those_of(SINGLE)
def test_a_recorded_object_is_a_row_of_its_table(server: str, name: str) -> None:
    body = EVERY[server, name].replayed().client.get(EVERY[server, name].target).body
    assert isinstance(body, dict)
    assert values_in_batch(body, SINGLE[name]) == values_of(body, SINGLE[name])


@those_of(OBJECTS)
def test_another_recorded_object_comes_as_it_is(server: str, name: str) -> None:
    each = EVERY[server, name]
    body = each.replayed().client.get(each.target).body
    assert isinstance(body, dict)
    assert body.keys() == OBJECTS[name]
    assert body == json.loads(each.said.body)


@those_of(ERRORS)
def test_recorded_error_raises_contract_error(server: str, name: str) -> None:
    each, (error, words) = EVERY[server, name], ERRORS[name]
    asked = each.replayed()
    with pytest.raises(MillraceError) as caught:
        asked.client.get(each.target)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert len(asked.adapter.asked) == {"commits-csv": 5, "rate-limited": 51}.get(name, 1)


def test_the_recorded_refusal_asks_for_a_second() -> None:
    asked = client_of(in_turn(EVERY[THIRTY, "rate-limited"].said, EVERY[THIRTY, "repos"].said))
    assert asked.client.get("/repos").body == json.loads(EVERY[THIRTY, "repos"].said.body)
    assert (asked.clock.slept, asked.client.stats.rate_limited) == ([1.0], 1)


@pytest.mark.parametrize("server", [ONE, TWO, THIRTY])
def test_recorded_page_differs_on_second_request(server: str) -> None:
    first, again = (json.loads(EVERY[server, name].said.body) for name in ("pulls-p1", "pulls-p1-again"))
    assert {row["number"] for row in first} != {row["number"] for row in again}


# Two whole servers


def rows_recorded(server: str, file: str = "full-exact") -> dict[str, list[Row]]:
    """Return the rows of a recording, grouped by their route; each as often as it was recorded."""
    tables: dict[str, list[Row]] = {name: [] for name in CURSOR_SIM}
    with gzip.open(CAPTURES / server / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            path = urlsplit(answer["path"]).path
            if answer["status"] == 200 and path != "/teams/members":
                body = json.loads(answer["body"])
                rows = body if isinstance(body, list) else body.get("items", body.get("data", [body]))
                tables[table_of(path)] += rows
    return tables


def table_of(path: str) -> str:
    if path == "/repos":
        return "repos"
    if path.endswith("/reviews"):
        return "reviews"
    return "commits" if path.endswith("/commits") else "pull_requests"


DISTINCT = {
    TWO: {"repos": 2, "commits": 284, "pull_requests": 284, "reviews": 284},
    THIRTY: {"repos": 6, "commits": 4330, "pull_requests": 4310, "reviews": 8618},
}


@pytest.fixture(scope="module", params=[TWO, THIRTY], ids=["two developers", "thirty developers"])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["bulk", "plain"])
def test_each_plan_returns_exactly_the_recorded_rows(server: str, plan: str) -> None:
    world = simulator.world_from_recording(CAPTURES / server / "full-exact.jsonl.gz")
    reading = read_world(world, faults=simulator.InjectedFaults(plain_only=plan == "plain"))
    assert (reading.plans["pull_requests"], reading.plans["reviews"]) == (plan, plan)
    given = {name: distinct(rows) for name, rows in reading.rows.items()}
    assert given == {name: distinct(rows) for name, rows in rows_recorded(server).items()}
    assert {name: len(rows) for name, rows in given.items()} == DISTINCT[server]


def test_the_recorded_server_counted_its_rows_so_too(server: str) -> None:
    said = json.loads(EVERY[server, "admin-stats"].said.body)["generation"]
    counted = {"commits": said["total_commits"], "pull_requests": said["total_prs"], "reviews": said["total_reviews"]}
    assert counted == {name: DISTINCT[server][name] for name in counted}


def test_a_recorded_server_repeats_no_key(server: str) -> None:
    rows = rows_recorded(server)
    keys = {name: {tuple(row.get(key) for key in CURSOR_SIM[name].key) for row in rows[name]} for name in rows}
    assert {name: len(different) for name, different in keys.items()} == DISTINCT[server]


def test_the_plain_routes_of_a_server_hold_the_same_rows_as_the_others() -> None:
    plain, exact = rows_recorded(TWO, "full-peer-routes"), rows_recorded(TWO)
    assert {name: distinct(rows) for name, rows in plain.items()} == {
        name: distinct(rows) for name, rows in exact.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("table", CURSOR_SIM)
def test_every_recorded_row_comes_back_from_its_batch_as_it_was(server: str, table: str) -> None:
    rows = rows_recorded(server)[table]
    batch = to_batch(rows, CURSOR_SIM[table], None, None).to_pylist()
    assert [from_batch(row, table) for row in batch] == [values_of(row, table) for row in rows]


def values_in_batch(row: Row, table: str) -> Row:
    return from_batch(to_batch([row], CURSOR_SIM[table], None, None).to_pylist()[0], table)


def from_batch(held: Row, table: str) -> Row:
    """Return a row of a batch in the source's form: NULL values are omitted, except those in `_extra`."""
    columns = CURSOR_SIM[table].columns
    row = {
        field.name: json.loads(held[field.name]) if is_json(field) else held[field.name]
        for field in columns
        if held[field.name] is not None
    }
    return row | (json.loads(held[EXTRA]) if held[EXTRA] else {})


def values_of(row: Row, table: str) -> Row:
    """Return a row of the source with its timestamps as instants, cut to the microsecond."""
    instants = {field.name for field in CURSOR_SIM[table].columns if field.type == INSTANT}
    return {name: instant_of(value) if name in instants and value else value for name, value in row.items()}


def instant_of(text: str) -> datetime:
    assert text.endswith("Z")
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    at = datetime.strptime(seconds, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    return at.replace(microsecond=int(fraction.ljust(9, "0")[:6]))
