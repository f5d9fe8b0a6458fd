"""No behavior or fault of the source's filters loses a row."""

import json
import re
from collections.abc import Callable
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from tests.extract.answering import Said, answers_of, flat
from tests.extract.conftest import END
from tests.extract.reading import EXTRACTED_AT, distinct, given_by, listing_of, read_answers, read_world, truth
from tests.simulator.rows import commit, pull

import simulator
from millrace.errors import Incomplete
from millrace.extract.completeness import Row


def test_the_last_second_of_a_day_is_not_lost() -> None:
    days = [f"2026-09-{day:02d}" for day in range(1, 31)]
    pulls = [
        pull(n, f"{days[n % 30]}T{'23:59:59.5' if n % 7 == 0 else '10:00:00'}Z", author_email="") for n in range(400)
    ]
    commits = [commit(f"{n:012x}", f"{days[n % 30]}T23:59:59.{n:09d}Z") for n in range(60)]
    world = simulator.World.of(pull_requests=pulls, commits=commits, end=EXTRACTED_AT)
    reading = read_world(world)
    assert distinct(reading.rows["pull_requests"]) == distinct(pulls)
    assert distinct(reading.rows["commits"]) == distinct(commits)


def test_day_with_many_authorless_rows_is_read_completely() -> None:
    pulls = [pull(n, f"2026-09-{n % 2 + 1:02d}T10:00:{n % 60:02d}Z", author_email="") for n in range(700)]
    world = simulator.World.of(pull_requests=pulls, end=EXTRACTED_AT)
    assert distinct(read_world(world).rows["pull_requests"]) == distinct(pulls)


def without_parameter(name: str) -> Callable[[str], str]:
    return lambda target: re.sub(rf"[?&]{name}=[^&]*", "", target).replace("prs&", "prs?").replace("ws&", "ws?")


@pytest.mark.parametrize("name", ["author", "reviewer"])
def test_a_source_that_ignores_its_filter_is_still_read_whole(name: str) -> None:
    world = simulator.generate(developers=3, days=60, seed=7, end=END, clone_share=0.3)
    assert given_by(read_answers(answers_of(world, without_parameter(name)))) == truth(world)


def test_authors_that_differ_in_case_are_each_read() -> None:
    addresses = ["ann@example.com", "Ann@Example.com", "ANN@EXAMPLE.COM"]
    pulls = [pull(n, "2026-10-01T10:00:00Z", author_email=addresses[n % 3]) for n in range(330)]
    reading = read_world(simulator.World.of(pull_requests=pulls, end=EXTRACTED_AT))
    assert distinct(reading.rows["pull_requests"]) == distinct(pulls)
    assert len(reading.rows["pull_requests"]) == 330


class PullList:
    """`/analytics/github/prs` in a fixed order, newest first, whose author filter ignores case."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.asked = count(1)
        self.windows = 0

    def __call__(self, request: requests.PreparedRequest) -> Said:
        url = urlsplit(str(request.url))
        if url.path != "/analytics/github/prs":
            return Said(404, b"404 page not found\n")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.windows += "end_date" in query
        author = query.get("author", "").lower()
        rows = [row for row in self.rows if author in ("", row["author_email"].lower())]
        rows = [row for row in rows if row["created_at"][:10] >= query.get("start_date", "")]
        rows = [row for row in rows if row["created_at"][:10] <= query.get("end_date", "9")]
        first = (int(query["page"]) - 1) * int(query["page_size"])
        page = rows[first : first + int(query["page_size"])]
        return Said(body=json.dumps({"data": page, "pagination": {"total": len(rows)}}).encode())


def test_case_insensitive_filter_returns_no_duplicate_rows() -> None:
    addresses = ["ann@example.com", "Ann@Example.com", "bob@example.com"]
    source = PullList([pull(n, "2026-10-01T10:00:00Z", author_email=addresses[n % 3]) for n in range(330)])
    rows = flat(listing_of(source, "pull_requests").rows())
    assert (distinct(rows), len(rows)) == (distinct(source.rows), 330)


def test_new_author_appearing_during_reading_is_included() -> None:
    old = [pull(n, f"2026-09-{n % 28 + 1:02d}T10:00:00Z") for n in range(600)]
    source = PullList([*old, pull(600, "2026-08-01T10:00:00Z", author_email="xena@example.com")])
    appeared = pull(601, "2026-10-01T10:00:00Z", author_email="xena@example.com")

    def answer(request: requests.PreparedRequest) -> Said:
        said = source(request)
        if source.windows == 1 and len(source.rows) == 601 and b"xena" in said.body:
            source.rows.insert(0, appeared)
        return said

    listing = listing_of(answer, "pull_requests")
    assert distinct(flat(listing.rows())) == distinct(source.rows)
    assert (listing.source_total, len(source.rows)) == (602, 602)


def test_pull_request_in_two_versions_is_returned_in_both() -> None:
    rows = [pull(n, f"2026-09-{n % 28 + 1:02d}T10:00:00Z") for n in range(300)]
    newer = rows[7] | {"id": 9999, "title": "feat: made anew", "updated_at": "2026-10-01T10:00:00Z"}
    listing = listing_of(PullList([*rows, newer]), "pull_requests")
    assert distinct(flat(listing.rows())) == distinct([*rows, newer])
    assert (listing.source_total, listing.repeated, listing.counts.total()) == (301, 1, 301)


def test_a_count_that_no_list_reaches_is_named() -> None:
    source = PullList([pull(n, "2026-09-01T10:00:00Z") for n in range(150)])

    def answer(request: requests.PreparedRequest) -> Said:
        said = source(request)
        is_filtered = "author=" in str(request.url) or "end_date=" in str(request.url)
        return said if is_filtered else Said(said.status, said.body.replace(b'"total": 150', b'"total": 151'))

    with pytest.raises(Incomplete, match=r"the source says that it has 151 rows, .*150"):
        flat(listing_of(answer, "pull_requests").rows())
