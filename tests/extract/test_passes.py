"""A list is read until it has as many distinct keys as the source reports, whatever the order of its pages."""

import itertools
import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from millrace.errors import Incomplete, UnexpectedResponse
from millrace.extract.completeness import MAX_PASSES, ListReading, NewPass, Page, Position, Row
from millrace.tables import TABLES

PULLS = TABLES["pull_requests"]
COMMITS = TABLES["commits"]


def pull(number: int) -> Row:
    return {"repo_name": "acme/web", "number": number}


def pulls(*numbers: int) -> list[Row]:
    return [pull(number) for number in numbers]


class Lists:
    """Returns one list of pages after the other, the last one from then on, and counts the passes."""

    def __init__(self, *passes: list[list[Row]], total: int | None) -> None:
        self.started = 0
        self._passes = passes
        self._total = total

    def __call__(self, position: Position | None) -> Iterator[Page]:
        pages = self._passes[min(self.started, len(self._passes) - 1)]
        self.started += 1
        return iter(in_a_row([Page(rows, self._total) for rows in pages]))


def in_a_row(pages: list[Page]) -> list[Page]:
    """Return the pages of a pass, each with the position of the next one."""
    last = len(pages) - 1
    return [replace(page, after=None if n == last else {"page": n + 1}) for n, page in enumerate(pages)]


def shuffled(rows: list[Row], page_size: int, seed: int = 1) -> NewPass:
    """A list in the source's form: every page is cut from a new shuffle."""
    dice = random.Random(seed)  # noqa: S311 dice of a test

    def new_pass(position: Position | None) -> Iterator[Page]:
        for start in range(position["row"] if position else 0, len(rows), page_size):
            end = start + page_size
            after = {"row": end} if end < len(rows) else None
            yield Page(dice.sample(rows, len(rows))[start:end], len(rows), after)

    return new_pass


@dataclass
class Completeness:
    """How many rows a list has, and how many of them repeat another row's key."""

    total: int = 0
    repeated: int = 0


def read(
    new_pass: NewPass, is_stable: bool = False, table_name: str = "pull_requests"
) -> tuple[list[Row], Completeness]:
    reading = ListReading(new_pass, TABLES[table_name], "/list", is_stable)
    rows = [row for batch in reading.rows() for row in batch]
    return rows, Completeness(reading.total, reading.repeated)


def numbers_of(rows: list[Row]) -> list[int]:
    return sorted(row["number"] for row in rows)


def test_a_list_with_as_many_keys_as_its_total_is_read_once() -> None:
    lists = Lists([pulls(1, 2), pulls(3)], total=3)
    assert read(lists) == (pulls(1, 2, 3), Completeness(total=3))
    assert lists.started == 1


def test_an_empty_list_is_complete() -> None:
    assert read(Lists([[]], total=0)) == ([], Completeness())
    assert read(Lists([[]], total=0), is_stable=True) == ([], Completeness())


@pytest.mark.parametrize("is_stable", [False, True])
def test_as_many_rows_as_the_total_are_not_complete_when_keys_are_missing(is_stable: bool) -> None:
    lists = Lists([pulls(1, 2), pulls(2, 1)], [pulls(1, 2), pulls(4, 3)], total=4)
    rows, state = read(lists, is_stable)
    assert set(numbers_of(rows)) == {1, 2, 3, 4}
    assert (state, lists.started) == (Completeness(total=4), 2)


@pytest.mark.parametrize("seed", range(20))
def test_a_list_that_is_shuffled_for_every_page_is_given_once_and_whole(seed: int) -> None:
    rows, state = read(shuffled(pulls(*range(292)), 100, seed))
    assert numbers_of(rows) == list(range(292))
    assert state == Completeness(total=292)


def test_a_list_that_should_be_stable_and_is_not_is_given_whole() -> None:
    rows, state = read(shuffled(pulls(*range(292)), 100), is_stable=True)
    assert set(numbers_of(rows)) == set(range(292))
    assert state == Completeness(total=292)


@pytest.mark.parametrize("is_stable", [False, True])
def test_key_repeated_in_stable_list_is_counted_and_every_row_returned(is_stable: bool) -> None:
    old, new = pull(2) | {"title": "old"}, pull(2) | {"title": "new"}
    rows, state = read(Lists([[pull(1), old], [pull(3), new]], total=4), is_stable)
    assert sorted(map(str, rows)) == sorted(map(str, [pull(1), old, pull(3), new]))
    assert state == Completeness(total=4, repeated=1)


def test_rows_that_appear_while_a_list_is_read_are_given() -> None:
    pages = [
        [Page(pulls(1, 2), 4), Page(pulls(4, 3), 5)],
        [Page(pulls(1, 2), 5), Page(pulls(4, 3), 5), Page(pulls(5), 5)],
    ]
    passes = iter(pages)
    rows, state = read(lambda position: iter(in_a_row(next(passes))))
    assert (numbers_of(rows), state) == ([1, 2, 3, 4, 5], Completeness(total=5))


def test_a_row_pushed_onto_the_next_page_hides_none() -> None:
    pages = [[Page(pulls(1, 2), 4), Page(pulls(2, 3), 5)], [Page(pulls(0, 1), 5), Page(pulls(2, 3, 4), 5)]]
    passes = iter(pages)
    rows, state = read(lambda position: iter(in_a_row(next(passes))), is_stable=True)
    assert (set(numbers_of(rows)), state) == ({0, 1, 2, 3, 4}, Completeness(total=5))


@pytest.mark.parametrize("is_stable", [False, True])
def test_unreached_total_of_steady_list_is_reported_with_rows_found(is_stable: bool) -> None:
    lists = Lists([pulls(1, 2), pulls(3)], total=7)
    with pytest.raises(
        Incomplete, match=r"^/list: the source says that it has 7 rows, but 3 readings gave 3 different"
    ):
        read(lists, is_stable)
    assert lists.started == 3


def test_moving_list_below_its_total_fails_after_maximum_passes() -> None:
    lists = Lists(*([pulls(*order)] for order in itertools.islice(itertools.permutations(range(6)), 99)), total=7)
    with pytest.raises(Incomplete, match=rf"it has 7 rows, but {MAX_PASSES} readings gave 6 different ones"):
        read(lists)
    assert lists.started == MAX_PASSES


def test_understated_total_loses_no_rows() -> None:
    rows, state = read(Lists([pulls(1, 2, 3)], total=2))
    assert (numbers_of(rows), state.total) == ([1, 2, 3], 3)


def test_without_a_total_two_equal_passes_are_complete() -> None:
    lists = Lists([pulls(1, 2), pulls(3)], total=None)
    assert read(lists) == (pulls(1, 2, 3), Completeness(total=3))
    assert lists.started == 2


def test_moving_list_without_total_completes_after_two_unchanged_passes() -> None:
    lists = Lists([pulls(1, 2)], [pulls(2, 3)], [pulls(3, 1)], [pulls(2, 1)], total=None)
    assert numbers_of(read(lists)[0]) == [1, 2, 3]
    assert lists.started == 4


def test_without_a_total_an_empty_list_is_complete() -> None:
    assert read(Lists([[]], total=None)) == ([], Completeness())


@pytest.mark.parametrize("row", [{"repo_name": "acme/web"}, {"repo_name": "acme/web", "number": None}])
@pytest.mark.parametrize("is_stable", [False, True])
def test_a_row_without_its_key_breaks_the_contract(row: Row, is_stable: bool) -> None:
    with pytest.raises(
        UnexpectedResponse, match=r"^/list: a row without number, which is part of the key of pull_request"
    ):
        read(Lists([[pull(1), row]], total=2), is_stable)


@pytest.mark.parametrize("number", [pytest.param([1], id="a list"), pytest.param({"value": 1}, id="an object")])
def test_a_key_that_is_no_plain_value_breaks_the_contract(number: object) -> None:
    with pytest.raises(UnexpectedResponse, match=r"^/list: a row whose repo_name or number is no plain value"):
        read(Lists([[{"repo_name": "acme/web", "number": number}]], total=1))


def test_a_commit_of_a_repository_that_is_kept_private_has_a_key() -> None:
    commits = [{"commitHash": "a", "userId": "user_1"}, {"commitHash": "a", "userId": "user_1", "repoName": "acme/web"}]
    assert read(Lists([commits], total=2), table_name="commits")[1] == Completeness(total=2)


@pytest.mark.slow
def test_stable_list_is_read_in_constant_memory() -> None:
    def new_pass(position: Position | None) -> Iterator[Page]:
        for start in range(0, 150_000, 1000):
            rows = [{"commitHash": f"{n:012x}", "userId": "user_1"} for n in range(start, start + 1000)]
            yield Page(rows, 150_000, {"row": start + 1000} if start < 149_000 else None)

    tracemalloc.start()
    try:
        reading = ListReading(new_pass, COMMITS, "/list", is_stable=True)
        given = sum(len(batch) for batch in reading.rows())
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (given, reading.total) == (150_000, 150_000)
    assert peak_bytes < 6 << 20  # 8 bytes a row, twice while the array grows; a set would take five times as much
