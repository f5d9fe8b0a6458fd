"""A reading is complete when its different numbers are as many as the source reports, and otherwise says so."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.extract.github import shapes
from tests.extract.github.listings import REPO_ID, Written
from tests.extract.github.reading import Read, request_of

from millrace.extract.sources.github.pull_requests import PullRequestReading
from millrace.extract.sources.github.rows import Texts
from simulator.github import generate

NAMES = {REPO_ID: "acme/shop"}
COMPANY = generate(1, 0)


def read(listing: Written, **other: Any) -> Read:
    reading = PullRequestReading(
        request_of("github_pull_requests", COMPANY, names=NAMES, **other), listing, "acme", Texts()
    )
    result = Read()
    for batch in reading.rows():
        result.add(batch)
    result.outcome = reading.outcome()
    return result


def numbers(result: Read) -> list[int]:
    return [row["number"] for row in result.rows["github_pull_requests"]]


def found(result: Read) -> tuple[str, int, int]:
    return result.window["state"], result.window["row_count"], result.window["source_total"]


def test_a_repeated_pull_request_does_not_hide_a_missing_one() -> None:
    listing = Written([([1, 2], 4), ([2, 4], 4)], [([1, 2, 3, 4], 4)])
    result = read(listing)
    assert sorted(set(numbers(result))) == [1, 2, 3, 4]
    assert listing.chosen_numbers == ["3"]
    assert found(result) == ("known", 4, 4)
    assert result.outcome is not None
    assert result.outcome.repeated == 1


def test_what_cannot_be_read_is_unknown_and_leaves_no_mark() -> None:
    listing = Written([([1, 2], 3)], [([1, 2], 3)] * 3)
    result = read(listing)
    assert found(result) == ("unknown", 2, 3)
    assert "GitHub reports 3 pull requests, and 2 could be read" in result.window["reason"]
    assert "settled_at" not in result.window
    assert result.outcome is not None
    assert result.outcome.mark is None


def test_a_listed_pull_request_that_is_hidden_is_unknown() -> None:
    result = read(Written([([1, 2], 3)], [([1, 2, 3], 3)], {3: None}))  # type: ignore[dict-item]
    assert found(result) == ("unknown", 2, 3)


def test_equal_counts_are_no_proof_after_the_total_fell() -> None:
    # One that was read vanished, and one behind it was passed over: as many different ones as the source reports.
    listing = Written([([1, 2], 5), ([4, 5], 4)], [([1, 3, 4, 5], 4)])
    result = read(listing)
    assert sorted(numbers(result)) == [1, 2, 3, 4, 5]
    assert found(result) == ("known", 4, 4)
    assert "1 more were read" in result.window["reason"]


def test_everything_vanished_is_known_to_be_empty() -> None:
    result = read(Written([([1, 2], 3), ([], 0)], [([], 0)]))
    assert found(result) == ("known_empty", 0, 0)


@pytest.mark.parametrize("name", ["reviews", "commits", "timelineItems", "labels", "reviewRequests"])
def test_a_short_list_of_a_pull_request_is_unknown_and_named(name: str) -> None:
    short = {name: shapes.listed(total=9)}
    result = read(Written([([1, 2], 2)], pulls={2: short}))
    assert found(result) == ("unknown", 2, 2)
    assert "#2 (0 of 9" in result.window["reason"]
    assert result.outcome is not None
    assert result.outcome.mark is not None
    assert list(result.outcome.mark["short"]) == ["2"]


SHORT = {"updated_at": "2026-10-31T12:00:00+00:00", "count": 2, "greatest": 2, "short": {"2": "0 of 9 commits"}}


@pytest.mark.parametrize(
    ("pages", "state"),
    [pytest.param([([1], 2)], "unknown", id="not read again"), pytest.param([([2], 2)], "known", id="whole now")],
)
def test_a_short_list_stays_unknown_until_it_was_read_whole(pages: Sequence[Any], state: str) -> None:
    assert found(read(Written(pages), scope="changes", mark=SHORT)) == (state, 2, 2)


def test_the_reason_names_a_few_pull_requests_only() -> None:
    short = {number: {"commits": shapes.listed(total=9)} for number in range(1, 9)}
    result = read(Written([(range(1, 9), 8)], pulls=short))
    assert "#5 (0 of 9 commits) and 3 more" in result.window["reason"]
    assert "#6" not in result.window["reason"]


def test_another_repository_is_not_read_even_on_the_first_page() -> None:
    request = request_of("github_pull_requests", COMPANY, names={8: "acme/shop"})
    reading = PullRequestReading(request, Written([([1], 1)]), "acme", Texts())
    result = Read()
    for batch in reading.rows():
        result.add(batch)
    assert set(result.rows) == {"source_windows"}
    assert result.window["state"] == "refused"
