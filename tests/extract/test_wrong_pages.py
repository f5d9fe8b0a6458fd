"""Servers, or caches in front of them, whose pages or totals are wrong: never short without an error."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from tests.extract.answering import flat, real_client
from tests.extract.reading import EXTRACTED_AT, distinct, read_world, truth
from tests.extract.test_passes import Completeness, Lists, in_a_row, pull, pulls, read
from tests.simulator.rows import commit, pull as pull_request

import simulator
from millrace.errors import Incomplete, UnexpectedResponse
from millrace.extract.completeness import Page, Position, Row
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.tables import TABLES
from simulator import InjectedFaults
from simulator.api import DEFAULT_KEY

FIRST = datetime.fromisoformat("2026-08-01T00:00:00")


def commits_of(count: int) -> simulator.World:
    """So many commits, one an hour."""
    times = [(FIRST + timedelta(hours=n)).isoformat() + "Z" for n in range(count)]
    return simulator.World.of(commits=[commit(f"c{n}", at) for n, at in enumerate(times)], end=EXTRACTED_AT)


def pulls_of(count: int, authors: int = 2) -> simulator.World:
    """So many pull requests of one repository, one an hour, by each author in turn."""
    times = [(FIRST + timedelta(hours=n)).isoformat() + "Z" for n in range(count)]
    rows = [pull_request(n + 1, at, author_email=f"dev{n % authors}@example.com") for n, at in enumerate(times)]
    return simulator.World.of(pull_requests=rows, end=EXTRACTED_AT)


def read_table(
    world: simulator.World, table: str, faults: InjectedFaults, parents: list[Row] | None = None
) -> tuple[list[Row], Listing]:
    with simulator.serve(world, faults=faults) as running:
        client = real_client(running.url, DEFAULT_KEY)
        listing = Listing(client, TABLES[table], None, None, lambda columns: parents or [])
        return flat(listing.rows()), listing


@pytest.mark.parametrize("count", [142, 852])
def test_commits_of_a_server_that_ignores_the_page_are_incomplete(count: int) -> None:
    faults = InjectedFaults(ignores_page=True, most_rows=71)
    with pytest.raises(Incomplete, match=rf"it has {count} rows, but \d readings gave 71 different"):
        read_table(commits_of(count), "commits", faults)


@pytest.mark.parametrize("page", [2, 5, 9])
def test_commits_with_one_stale_page_are_incomplete(page: int) -> None:
    faults = InjectedFaults(stale_page=page, most_rows=100)
    with pytest.raises(Incomplete, match="/analytics/ai-code/commits: the source says that it has 852 rows"):
        read_table(commits_of(852), "commits", faults)


@pytest.mark.parametrize("faults", [InjectedFaults(ignores_page=True), InjectedFaults(stale_page=3)])
def test_pull_requests_of_an_author_with_repeated_pages_are_incomplete(faults: InjectedFaults) -> None:
    with pytest.raises(Incomplete, match=r"/analytics/github/prs: the source says that it has 300 rows"):
        read_table(pulls_of(600), "pull_requests", faults)


def test_a_repeated_page_counts_for_nothing() -> None:
    lists = Lists([pulls(1, 2), pulls(1, 2), pulls(3, 4)], total=6)
    with pytest.raises(Incomplete, match=r"it has 6 rows, but 3 readings gave 2 different"):
        read(lists, is_stable=True)


def test_a_page_that_was_stale_once_is_read_again() -> None:
    lists = Lists([pulls(1, 2), pulls(1, 2), pulls(5, 6)], [pulls(1, 2), pulls(3, 4), pulls(5, 6)], total=6)
    rows, state = read(lists, is_stable=True)
    assert (sorted({row["number"] for row in rows}), state) == ([1, 2, 3, 4, 5, 6], Completeness(total=6))


@pytest.mark.parametrize("is_stable", [False, True])
def test_a_page_of_known_rows_is_no_page(is_stable: bool) -> None:
    lists = Lists([pulls(*range(500)), pulls(*range(500, 1000)), pulls(7)], total=1001)
    with pytest.raises(Incomplete, match=r"it has 1001 rows, but 3 readings gave 1000 different"):
        read(lists, is_stable)


@pytest.mark.parametrize("is_stable", [False, True])
def test_a_page_of_newer_versions_is_a_page(is_stable: bool) -> None:
    newer = [row | {"title": "amended"} for row in pulls(7, 8)]
    rows, state = read(Lists([pulls(*range(500)), pulls(*range(500, 1000)), newer], total=1002), is_stable)
    assert (len(rows), state) == (1002, Completeness(total=1002, repeated=2))


@pytest.mark.parametrize("is_stable", [False, True])
def test_pages_that_overlap_are_incomplete(is_stable: bool) -> None:
    overlapping = [pulls(*range(start, start + 100)) for start in range(0, 1000, 90)]
    with pytest.raises(Incomplete, match=r"it has 1200 rows, but 3 readings gave 1090 different"):
        read(Lists(*[overlapping], total=1200), is_stable)


@pytest.mark.parametrize("is_stable", [False, True])
def test_few_rows_that_a_source_stored_twice_are_its_own(is_stable: bool) -> None:
    pages = [pulls(*range(100)), pulls(99, *range(100, 199)), pulls(*range(199, 299))]
    rows, state = read(Lists(pages, total=300), is_stable)
    assert (len(rows), state) == (300, Completeness(total=300, repeated=1))


def test_rows_repeated_within_one_page_are_the_sources_own() -> None:
    rows, state = read(Lists([pulls(*range(20), *range(10))], total=30))
    assert (len(rows), state) == (30, Completeness(total=30, repeated=10))


def test_many_pages_without_a_new_row_end() -> None:
    started = []

    def endless(position: Position | None) -> Iterator[Page]:
        started.append(0)
        orders = pairwise([*range(40)] * 1000)
        yield from in_a_row([Page([pull(a), pull(b), pull(n % 40)], None) for n, (a, b) in enumerate(orders)])

    read(endless)
    assert len(started) == 3


def test_commits_with_a_capped_total_are_incomplete() -> None:
    with pytest.raises(Incomplete) as caught:
        read_table(commits_of(852), "commits", InjectedFaults(most_total=300, most_rows=100))
    assert str(caught.value) == (
        "/analytics/ai-code/commits: the source says that it has 300 rows, but page 4, which is beyond them, has 100 "
        "more: its total is capped, or its pages repeat rows; ask for less at a time (--since), or for a true total"
    )


@pytest.mark.parametrize("authors", [1, 2])
def test_pull_requests_with_a_capped_total_are_incomplete(authors: int) -> None:
    with pytest.raises(Incomplete, match="it has 300 rows, "):
        read_table(pulls_of(700, authors), "pull_requests", InjectedFaults(most_total=300))


def test_the_page_beyond_is_asked_for_once() -> None:
    _, listing = read_table(commits_of(300), "commits", InjectedFaults(most_rows=100))
    assert listing.client.stats.requests == 4
    _, listing = read_table(pulls_of(700), "pull_requests", InjectedFaults())
    assert listing.client.stats.requests == 1 + 1 + 2 * 4 + 1 + 1  # all, members, two of 350, all again, beyond


@pytest.mark.parametrize("most_total", [100, 200])
def test_a_repository_with_more_rows_than_its_count_is_read_whole(most_total: int) -> None:
    world = pulls_of(most_total + 150)
    faults = InjectedFaults(plain_only=True, most_total=most_total, most_rows=50)
    with simulator.serve(world, faults=faults) as running:
        parents = real_client(running.url, DEFAULT_KEY).get("/repos").body
    try:
        rows, _ = read_table(world, "pull_requests", faults, parents)  # type: ignore[arg-type]  # it is a list of rows
    except (Incomplete, UnexpectedResponse):
        return
    assert distinct(rows) == truth(world)["pull_requests"]


def test_links_without_an_end_are_followed_a_few_pages_only() -> None:
    world = pulls_of(250)
    parents = [{"full_name": "acme/web", "total_pull_requests_count": 250}]
    faults = InjectedFaults(plain_only=True, endless_links=True)
    with simulator.serve(world, faults=faults) as running:
        client = real_client(running.url, DEFAULT_KEY)
        listing = Listing(client, TABLES["pull_requests"], None, None, lambda columns: parents)
        with pytest.raises(UnexpectedResponse, match=r"/repos/acme/web/pulls: 6 pages, and a link to another one, "):
            flat(listing.rows())
        assert client.stats.requests <= 8


@pytest.mark.parametrize("plain_only", [False, True])
def test_null_is_an_empty_list(plain_only: bool) -> None:
    faults = InjectedFaults(null_lists=True, plain_only=plain_only)
    empty = simulator.World.of(end=EXTRACTED_AT)
    assert read_world(empty, faults=faults).rows == {"repos": [], "commits": [], "pull_requests": [], "reviews": []}
    world = simulator.generate(developers=2, days=40, seed=5, end=datetime.fromisoformat(EXTRACTED_AT))
    assert distinct(read_world(world, faults=faults).rows["pull_requests"]) == truth(world)["pull_requests"]


def ancient_and_future() -> simulator.World:
    days = ("1970-01-01", "1998-05-01", "2004-12-31", "2026-10-01", "2031-01-01", "2199-12-31")
    at = [f"{day}T10:00:00Z" for day in days]
    return simulator.World.of(
        commits=[commit(f"c{n}", time) for n, time in enumerate(at)],
        pull_requests=[pull_request(n, time, author_email="") for n, time in enumerate([*at, *at[3:4] * 120], 1)],
        end=EXTRACTED_AT,
    )


def test_commits_of_wrong_clocks_and_imported_histories_are_read() -> None:
    world = ancient_and_future()
    reading = read_world(world)
    assert distinct(reading.rows["commits"]) == truth(world)["commits"]
    assert reading.listings["commits"].source_total == 6
    again = read_world(world, reading.cursors(EXTRACTED_AT))
    assert (again.listings["commits"].source_total, again.listings["commits"].known) == (6, 4)


def test_pull_requests_without_an_author_of_any_time_are_read() -> None:
    world = ancient_and_future()
    reading = read_world(world)
    assert distinct(reading.rows["pull_requests"]) == truth(world)["pull_requests"]
    assert reading.requests < 80


def test_since_asks_for_the_future_too() -> None:
    commits = read_world(ancient_and_future(), since=date(2004, 12, 31)).rows["commits"]
    assert sorted(row["commitHash"] for row in commits) == ["c2", "c3", "c4", "c5"]
