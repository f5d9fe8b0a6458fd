"""A reading that pauses after any page and continues elsewhere gives the same rows for the same requests."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.extract.answering import Answers, answers_of, client_of
from tests.extract.reading import EXTRACTED_AT, distinct, truth
from tests.extract.test_passes import Lists, pull, pulls

import simulator
from millrace.extract.budget import NO_DEADLINE
from millrace.extract.completeness import ListReading, NewPass, Page, Position, Row
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.runs import Cursor
from millrace.tables import CURSOR_SIM, TABLES
from simulator.api import DEFAULT_KEY

TABLE = TABLES["pull_requests"]


class Counted:
    """A list whose pages come from `order`, which may shuffle for each page; counts the pages."""

    def __init__(self, rows: list[Row], is_shuffled: bool, seed: int) -> None:
        self.pages = 0
        self._rows = rows
        self._dice = random.Random(seed) if is_shuffled else None  # noqa: S311 dice of a test

    def __call__(self, position: Position | None) -> Iterator[Page]:
        for start in range(position["row"] if position else 0, len(self._rows), 7):
            self.pages += 1
            rows = self._dice.sample(self._rows, len(self._rows)) if self._dice else self._rows
            after = {"row": start + 7} if start + 7 < len(self._rows) else None
            yield Page(rows[start : start + 7], len(self._rows), after)


def read_in_pieces(new_pass: NewPass, is_stable: bool, pages_each: int) -> tuple[list[Row], ListReading]:
    """Read with a pause after each so many pages; the state passes through JSON."""
    rows: list[Row] = []
    held = None
    while True:
        reading = ListReading(new_pass, TABLE, "/list", is_stable, held)
        for read, batch in enumerate(reading.rows(), 1):
            rows += batch
            if read == pages_each:
                break
        else:
            return rows, reading
        held = json.loads(json.dumps(reading.held()))


AMENDED = [row | {"title": "amended"} for row in pulls(*range(5))]
CASES = [
    pytest.param(pulls(*range(40)), False, True, id="stable"),
    pytest.param(pulls(*range(40)), False, False, id="not known to be stable"),
    pytest.param(pulls(*range(40)), True, False, id="shuffled"),
    pytest.param(pulls(*range(40)), True, True, id="shuffled, although said to be stable"),
    pytest.param([*pulls(*range(20)), *AMENDED], False, False, id="keys that repeat for good"),
    pytest.param([*pulls(*range(20)), *AMENDED], False, True, id="keys that repeat for good, stable"),
]


@pytest.mark.parametrize("pages_each", [1, 2, 5])
@pytest.mark.parametrize(("rows", "is_shuffled", "is_stable"), CASES)
def test_a_list_read_in_pieces_is_the_list_read_at_once(
    rows: list[Row], is_shuffled: bool, is_stable: bool, pages_each: int
) -> None:
    at_once, in_pieces = Counted(rows, is_shuffled, 3), Counted(rows, is_shuffled, 3)
    whole = ListReading(at_once, TABLE, "/list", is_stable)
    expected = [row for batch in whole.rows() for row in batch]
    given, reading = read_in_pieces(in_pieces, is_stable, pages_each)
    assert given == expected
    assert (reading.total, reading.repeated) == (whole.total, whole.repeated)
    assert in_pieces.pages == at_once.pages


def test_a_state_without_the_keys_would_take_a_shuffled_list_for_complete() -> None:
    """The reason for keeping them: as many rows as the total, and some are missing."""
    counted = Counted(pulls(*range(40)), True, 1)
    first = ListReading(counted, TABLE, "/list")
    rows = next(iter(first.rows()))
    given = rows + [row for page in counted(first.held()["position"]) for row in page.rows]
    assert len(given) == 40
    assert len({row["number"] for row in given}) < 40


def test_rows_that_moved_during_a_pause_are_read() -> None:
    lists = Lists([pulls(1, 2), pulls(2, 3)], [pulls(0, 1), pulls(2, 3)], total=4)
    first = ListReading(lists, TABLE, "/list", is_stable=True)
    rows = next(iter(first.rows()))
    held = first.held() | {"position": None}
    later = ListReading(Lists([pulls(2, 3)], [pulls(0, 1), pulls(2, 3)], total=4), TABLE, "/list", True, held)
    rows = rows + [row for batch in later.rows() for row in batch]
    assert {row["number"] for row in rows} == {0, 1, 2, 3}
    assert later.total == 4


class Portion:
    """A budget that ends the delivery after some requests."""

    def __init__(self, requests: int) -> None:
        self.left = requests

    def take(self, deadline: Deadline = NO_DEADLINE) -> float:
        if not self.left:
            raise OutOfTime(0)
        self.left -= 1
        return 0.0

    def refused(self, wait_s: float, deadline: Deadline = NO_DEADLINE) -> None:
        raise AssertionError("this source has no limit")


def listing_in_pieces(
    answers: Answers, table: str, cursor: Cursor | None, parents: list[Row], requests_each: int
) -> tuple[list[Row], Listing, int]:
    """Read with a pause after each so many requests; return the rows, the last piece, and the number of requests."""
    asked = client_of(answers, key=DEFAULT_KEY)
    rows: list[Row] = []
    paused: dict[str, Any] | None = None
    for _ in range(1000):
        client = replace(asked.client, budget=Portion(requests_each))
        listing = Listing(client, CURSOR_SIM[table], None, cursor, lambda columns: parents, paused)
        try:
            for batch in listing.rows():
                rows += batch
        except OutOfTime:
            paused = json.loads(json.dumps(listing.held()))
        else:
            return rows, listing, asked.client.stats.requests
    raise AssertionError("it does not end")


def parents_of(world: simulator.World, table: str) -> list[Row]:
    rows = {"pull_requests": [world.repo_object(name) for name in world.repos], "reviews": list(world.pulls.rows)}
    return rows.get(table, [])


@pytest.mark.parametrize("requests_each", [5, 8])
@pytest.mark.parametrize("is_plain", [False, True], ids=["bulk", "plain"])
@pytest.mark.parametrize("table", CURSOR_SIM)
def test_a_table_read_in_pieces_from_the_shuffling_source_is_whole(
    usual_world: simulator.World, table: str, is_plain: bool, requests_each: int
) -> None:
    if is_plain and CURSOR_SIM[table].plain is None:
        pytest.skip("it has no plain plan")
    answers = answers_of(usual_world, instead=_without_bulk if is_plain else lambda target: None)
    parents = parents_of(usual_world, table)
    at_once = client_of(answers, key=DEFAULT_KEY)
    whole = Listing(at_once.client, CURSOR_SIM[table], None, None, lambda columns: parents)
    assert distinct(row for batch in whole.rows() for row in batch) == truth(usual_world)[table]
    rows, listing, requests = listing_in_pieces(answers, table, None, parents, requests_each)
    assert distinct(rows) == truth(usual_world)[table]
    assert (listing.source_total, listing.counts, listing.plan) == (whole.source_total, whole.counts, whole.plan)
    if not is_plain:  # a plain list is shuffled for each page, so that two readings differ by chance
        assert requests <= at_once.client.stats.requests * 1.03 + 1


def _without_bulk(target: str) -> Any:
    from tests.extract.answering import Said

    return Said(404, b"404 page not found\n") if target.startswith("/analytics/github") else None


@pytest.mark.parametrize("table", ["commits", "pull_requests", "reviews"])
def test_an_incremental_reading_in_pieces_reads_and_knows_as_much(usual_world: simulator.World, table: str) -> None:
    answers = answers_of(usual_world)
    first = client_of(answers, key=DEFAULT_KEY)
    listing = Listing(first.client, CURSOR_SIM[table], None, None, lambda columns: [])
    [None for _ in listing.rows()]
    cursor = Cursor(None, EXTRACTED_AT, dict(listing.counts))
    again = Listing(first.client.for_task(), CURSOR_SIM[table], None, cursor, lambda columns: [])
    expected = [row for batch in again.rows() for row in batch]
    rows, in_pieces, _ = listing_in_pieces(answers, table, cursor, [], 5)
    assert distinct(rows) == distinct(expected)
    assert (in_pieces.known, in_pieces.source_total) == (again.known, again.source_total)
    assert in_pieces.counts == again.counts


def test_a_repeated_row_is_a_row_of_the_pieces() -> None:
    old, new = pull(2) | {"title": "old"}, pull(2) | {"title": "new"}

    def new_pass(position: Position | None) -> Iterator[Page]:
        pages = [[pull(1), old], [pull(3), new]]
        for n in range(position["page"] if position else 0, 2):
            yield Page(pages[n], 4, {"page": 1} if n == 0 else None)

    rows, reading = read_in_pieces(new_pass, is_stable=False, pages_each=1)
    assert sorted(map(str, rows)) == sorted(map(str, [pull(1), old, pull(3), new]))
    assert (reading.total, reading.repeated) == (4, 1)
