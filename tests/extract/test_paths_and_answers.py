"""The values in a path, and responses that are not from this API."""

import json
from itertools import count
from urllib.parse import quote

import pytest
from tests.extract.answering import Answers, Said, answers_of, client_of, flat, in_turn
from tests.extract.reading import EXTRACTED_AT, distinct, listing_of
from tests.simulator.rows import pull

import simulator
from millrace.errors import RouteNotFound, UnexpectedResponse
from millrace.extract.completeness import Row
from millrace.extract.sources.cursor_sim import pages
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.tables import TABLES, ChildListing
from simulator.api import DEFAULT_KEY

PLAIN = TABLES["pull_requests"].plain or ChildListing("", paged=True)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../admin", id="the folder above"),
        pytest.param("acme/../../admin", id="folders above in the middle"),
        pytest.param("acme/.", id="the folder itself"),
        pytest.param("..", id="only the folder above"),
        pytest.param("", id="nothing"),
        pytest.param("/acme/web", id="a slash before"),
        pytest.param("acme/web/", id="a slash after"),
        pytest.param("acme//web", id="two slashes"),
    ],
)
def test_a_parent_that_would_leave_its_place_in_the_path_is_refused(name: str) -> None:
    answers = in_turn(Said(404))
    asked = client_of(answers)
    parents = [{"full_name": name, "total_pull_requests_count": 1}]
    listing = Listing(asked.client, TABLES["pull_requests"], None, None, lambda columns: parents)
    with pytest.raises(UnexpectedResponse, match="cannot be part of a path"):
        flat(listing.rows())
    assert [target for target in asked.adapter.asked if not target.startswith("/analytics/")] == []


@pytest.mark.parametrize(
    ("name", "on_the_wire"),
    [
        ("acme/my repo", "acme/my%20repo"),
        ("acme%2f..%2fadmin", "acme%252f..%252fadmin"),
        ("%2e%2e/admin", "%252e%252e/admin"),
        ("acme/web?state=open", "acme/web%3Fstate%3Dopen"),
        ("acme/web#top", "acme/web%23top"),
        ("acme\\web", "acme%5Cweb"),
        ("acme/w\r\nHost: x", "acme/w%0D%0AHost%3A%20x"),
        ("acme/wéb", "acme/w%C3%A9b"),
        ("acme/web;v=1@x:y", "acme/web%3Bv%3D1%40x%3Ay"),
    ],
)
def test_a_strange_parent_is_quoted(name: str, on_the_wire: str) -> None:
    asked = client_of(lambda request: Said(404) if "/analytics/" in str(request.url) else Said())
    parents = [{"full_name": name, "total_pull_requests_count": 0}]
    listing = Listing(asked.client, TABLES["pull_requests"], None, None, lambda columns: parents)
    assert flat(listing.rows()) == []
    assert asked.adapter.asked[-1].partition("?")[0] == f"/repos/{on_the_wire}/pulls"


@pytest.mark.parametrize(
    "address", ["a+b@example.com", "a&author=b@example.com", "ann@exämple.com", "x y#@example.com"]
)
def test_author_with_special_characters_is_queried_unchanged(address: str) -> None:
    pulls = [pull(n, "2026-10-01T10:00:00Z", author_email=address) for n in range(120)]
    asked = client_of(answers_of(simulator.World.of(pull_requests=pulls, end=EXTRACTED_AT)), key=DEFAULT_KEY)
    rows = flat(Listing(asked.client, TABLES["pull_requests"], None, None, lambda columns: []).rows())
    assert distinct(rows) == distinct(pulls)
    assert any(f"author={quote(address)}" in target.replace("+", "%20") for target in asked.adapter.asked)


@pytest.mark.parametrize(
    ("table", "body", "message"),
    [
        pytest.param("repos", {"data": []}, "/repos: expected an array, got an object with data", id="a wrapper"),
        pytest.param("repos", [["acme/web"]], "/repos: expected a list of objects", id="rows that are lists"),
        pytest.param("commits", [], "expected an object with totalCount, got a list", id="an array of commits"),
        pytest.param("commits", {}, "totalCount, got an object with nothing in it", id="an empty object"),
        pytest.param("commits", {"items": []}, "totalCount, got an object with items", id="no total"),
        pytest.param("commits", {"items": [], "totalCount": -1}, "totalCount is no count", id="a negative total"),
        pytest.param("commits", {"items": [], "totalCount": "3"}, "totalCount is no count", id="a total as text"),
        pytest.param("commits", {"items": [], "totalCount": True}, "totalCount is no count", id="a total that is true"),
        pytest.param("commits", {"items": [], "totalCount": 2.0}, "totalCount is no count", id="a total with a point"),
        pytest.param("commits", {"items": [], "totalCount": None}, "totalCount is no count", id="a total that is null"),
        pytest.param("commits", {"items": {}, "totalCount": 0}, "expected a list of objects", id="rows no list"),
        pytest.param("commits", {"items": [1], "totalCount": 1}, "expected a list of objects", id="a number as row"),
        pytest.param("commits", {"totalCount": 1}, "expected an object with items", id="no rows"),
        pytest.param("pull_requests", {"data": []}, "expected an object with pagination.total", id="no pagination"),
        pytest.param("pull_requests", {"data": [], "pagination": 3}, "pagination.total, got", id="a number"),
        pytest.param("reviews", [], "expected an object with pagination.total, got a list", id="an array"),
    ],
)
def test_another_shape_breaks_the_contract_with_one_clear_line(table: str, body: object, message: str) -> None:
    listing = listing_of(in_turn(Said(body=json.dumps(body).encode())), table)
    with pytest.raises(UnexpectedResponse) as caught:
        flat(listing.rows())
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("body", [{"data": []}, "x", [1]])
def test_another_shape_of_a_plain_route_breaks_the_contract(body: object) -> None:
    answers = answers_of(
        simulator.World.of(end=EXTRACTED_AT),
        instead=lambda target: Said(404) if "/analytics/" in target else Said(body=json.dumps(body).encode()),
    )
    listing = listing_of(answers, "reviews", parents=[{"repo_name": "acme/web", "number": 1, "id": 2}])
    with pytest.raises(
        UnexpectedResponse, match=r"^/repos/acme/web/pulls/1/reviews: expected a(n array| list of objects)"
    ):
        flat(listing.rows())


@pytest.mark.parametrize("body", [b"[]", b'{"teamMembers": {}}', b'{"members": []}', b"3"])
def test_members_of_another_shape_break_the_contract(usual_world: simulator.World, body: bytes) -> None:
    answers = answers_of(usual_world, instead=lambda target: Said(body=body) if target == "/teams/members" else None)
    with pytest.raises(UnexpectedResponse, match=r"^/teams/members: expected an object with a list teamMembers"):
        flat(listing_of(answers, "pull_requests").rows())


def test_a_missing_route_without_another_plan_is_an_error() -> None:
    with pytest.raises(RouteNotFound, match="/analytics/ai-code/commits: 404, '404 page not found'"):
        flat(listing_of(in_turn(Said(404, b"404 page not found\n")), "commits").rows())


def test_route_lost_during_reading_fails_without_changing_plan(
    usual_world: simulator.World,
) -> None:
    left = count(6)
    answers = answers_of(usual_world, instead=lambda target: Said(404) if next(left) > 11 else None)
    listing = listing_of(answers, "pull_requests")
    with pytest.raises(RouteNotFound):
        flat(listing.rows())
    assert listing.plan == "bulk"


def pages_of(answers: Answers, expected: int | None) -> tuple[list[Row], list[str]]:
    asked = client_of(answers)
    new_pass = pages.array_passes(asked.client, PLAIN, "/repos/acme/web/pulls", expected)
    return [row for page in new_pass(None) for row in page.rows], asked.adapter.asked


def numbered(*numbers: int, link: str | None = None) -> Said:
    headers = {"Link": f'<{link}>; rel="next"'} if link else {}
    return Said(body=json.dumps([{"repo_name": "acme/web", "number": n} for n in numbers]).encode(), headers=headers)


def test_pages_end_with_an_empty_one_beyond_row_count_of_parent() -> None:
    rows, asked = pages_of(in_turn(numbered(*range(100)), numbered(*range(100, 130)), numbered(), Said(500)), 130)
    assert (len(rows), len(asked)) == (130, 3)


def test_later_passes_end_where_the_first_one_did() -> None:
    turns = [numbered(*range(100)), numbered(*range(100, 130)), numbered()]
    asked = client_of(in_turn(*turns, *turns[:2], Said(500)))
    new_pass = pages.array_passes(asked.client, PLAIN, "/repos/acme/web/pulls", 130)
    assert [sum(len(page.rows) for page in new_pass(None)) for _ in range(2)] == [130, 130]
    assert len(asked.adapter.asked) == 5


def test_list_ends_where_its_links_do() -> None:
    second = "/repos/acme/web/pulls?after=abc"
    rows, asked = pages_of(in_turn(numbered(1, 2, link=second), numbered(3), Said(500)), 5)
    assert (len(rows), len(asked)) == (3, 2)


def test_pages_without_a_known_number_end_at_an_empty_one() -> None:
    rows, asked = pages_of(in_turn(numbered(*range(100)), numbered(*range(100, 130)), numbered()), None)
    assert (len(rows), len(asked)) == (130, 3)


def test_short_page_is_not_taken_for_the_last() -> None:
    pages_of_30 = (numbered(*range(30)), numbered(*range(30, 60)), numbered(*range(60, 70)), numbered())
    rows, _ = pages_of(in_turn(*pages_of_30), 70)
    assert len(rows) == 70


def test_unpaged_server_list_is_returned_once() -> None:
    rows, asked = pages_of(in_turn(numbered(1, 2, 3)), None)
    assert (len(rows), len(asked)) == (3, 2)


def test_pages_follow_server_links_to_the_end() -> None:
    second = "/repos/acme/web/pulls?after=abc"
    rows, asked = pages_of(in_turn(numbered(1, 2, link=second), numbered(3), Said(500)), 3)
    assert ([row["number"] for row in rows], asked[1:]) == ([1, 2, 3], [second])


def test_links_that_lead_in_a_circle_break_the_contract() -> None:
    turns = [numbered(n, link=f"/repos/acme/web/pulls?page={n % 2}") for n in range(4)]
    with pytest.raises(UnexpectedResponse, match="the links from page to page lead in a circle"):
        pages_of(in_turn(*turns), None)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-10-01T23:59:59.999999999Z", "2026-10-01"),
        ("2026-10-01T23:30:00.123456789-04:00", "2026-10-02"),
        ("2026-10-01T00:30:00+05:45", "2026-09-30"),
        ("2026-10-01T23:30:00", "2026-10-01"),
        ("2026-10-01T10:00:00z", "2026-10-01"),
        ("0001-01-01T00:00:00+05:00", "unknown"),
        ("9999999999Z", "unknown"),
        ("2026-02-30T10:00:00Z", "unknown"),
        ("yesterday", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
        (1793534400, "unknown"),
    ],
)
def test_the_day_of_an_instant_is_that_of_utc(value: object, day: str) -> None:
    assert pages.utc_day(value) == day
