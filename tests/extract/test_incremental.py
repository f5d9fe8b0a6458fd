"""An incremental reading leaves out the rows that the counts show to be unchanged, and no others."""

from datetime import UTC, date, datetime, timedelta

import pytest
from tests.extract.conftest import END
from tests.extract.reading import EXTRACTED_AT, Reading, distinct, keys_of, read_world, totals_of, truth
from tests.simulator.rows import pull, review

import simulator
from millrace.runs import Cursor
from millrace.tables import CURSOR_SIM
from simulator import InjectedFaults


def merged(before: Reading, after: Reading) -> dict[str, set[str]]:
    """Return the rows of a warehouse that loaded both readings in order."""
    tables = {}
    for name in CURSOR_SIM:
        held = {tuple([row.get(key) for key in CURSOR_SIM[name].key]): row for row in before.rows[name]}
        held |= {tuple([row.get(key) for key in CURSOR_SIM[name].key]): row for row in after.rows[name]}
        tables[name] = distinct(held.values())
    return tables


def test_when_nothing_is_new_a_few_requests_find_that(usual_world: simulator.World) -> None:
    before = read_world(usual_world)
    after = read_world(usual_world, before.cursors(EXTRACTED_AT))
    assert after.requests <= 20
    assert totals_of(after) == totals_of(before)
    assert {name: listing.counts for name, listing in after.listings.items()} == {
        name: listing.counts for name, listing in before.listings.items()
    }


def test_known_and_read_rows_add_up_to_the_source(usual_world: simulator.World) -> None:
    after = read_world(usual_world, read_world(usual_world).cursors(EXTRACTED_AT))
    old = {
        "commits": [row for row in usual_world.commits.rows if row["commitTs"] < "2026-10-25"],
        "pull_requests": [row for row in usual_world.pulls.rows if row["created_at"] < "2026-10-18"],
        "reviews": list(usual_world.reviews.rows),
    }
    assert {name: after.listings[name].known for name in old} == {name: len(rows) for name, rows in old.items()}
    assert {name: distinct(after.rows[name]) for name in old} == {
        name: truth(usual_world)[name] - distinct(rows) for name, rows in old.items()
    }


@pytest.mark.parametrize("days", [0.1, 1, 5, 30, 60])
@pytest.mark.parametrize("clone_share", [0.0, 0.3])
def test_a_later_reading_brings_all_that_is_new_and_all_that_has_changed(days: float, clone_share: float) -> None:
    later = END + timedelta(days=days)
    before_world = simulator.generate(developers=6, days=60, seed=9, end=END, clone_share=clone_share)
    more_days = (later.date() - END.date()).days
    world = simulator.generate(developers=6, days=60 + more_days, seed=9, end=later, clone_share=clone_share)
    before = read_world(before_world)
    after = read_world(world, before.cursors(EXTRACTED_AT))
    assert merged(before, after) == truth(world)
    assert totals_of(after) == {name: len(rows) for name, rows in truth(world).items()}


def test_ten_readings_one_after_the_other_end_where_a_single_one_does() -> None:
    held = Reading()
    cursors: dict[str, Cursor] = {}
    for day in range(10):
        end = END + timedelta(days=day)
        world = simulator.generate(developers=4, days=30 + day, seed=4, end=end, clone_share=0.3)
        after = read_world(world, cursors)
        held.rows = {name: held.rows.get(name, []) + rows for name, rows in after.rows.items()}
        cursors = after.cursors(end.isoformat())
    assert merged(held, Reading(rows={name: [] for name in CURSOR_SIM})) == truth(world)


def daily_pulls(changed_day: int | None = None, **change: object) -> simulator.World:
    """A pull request a day from May on, all open, except that one is changed."""
    first = datetime(2026, 5, 1, 9, tzinfo=UTC)
    pulls = [
        pull(n, (first + timedelta(days=n)).isoformat().replace("+00:00", "Z")) | (change if n == changed_day else {})
        for n in range(180)
    ]
    return simulator.World.of(pull_requests=pulls, end="2026-11-01T12:00:00Z")


def test_late_merge_widens_window_to_creation_day_of_pull_request() -> None:
    before = read_world(daily_pulls())
    world = daily_pulls(40, state="merged", merged_at="2026-10-31T10:00:00Z")
    after = read_world(world, before.cursors(EXTRACTED_AT))
    listing = after.listings["pull_requests"]
    assert listing.window_start == date(2026, 6, 10)
    assert (listing.known, len(keys_of(after, "pull_requests"))) == (40, 140)
    assert merged(before, after)["pull_requests"] == truth(world)["pull_requests"]


def test_the_oldest_pull_request_of_all_may_change() -> None:
    before = read_world(daily_pulls())
    world = daily_pulls(0, state="closed", closed_at="2026-10-31T10:00:00Z")
    after = read_world(world, before.cursors(EXTRACTED_AT))
    assert merged(before, after)["pull_requests"] == truth(world)["pull_requests"]


def test_an_old_row_that_appears_late_is_found() -> None:
    before = read_world(daily_pulls())
    late = pull(999, "2026-03-01T10:00:00Z", author_email="")
    world = simulator.World.of(pull_requests=[late, *daily_pulls().pulls.rows], end="2026-11-01T12:00:00Z")
    after = read_world(world, before.cursors(EXTRACTED_AT))
    assert merged(before, after)["pull_requests"] == truth(world)["pull_requests"]


def test_unchanged_source_is_read_from_overlap_window() -> None:
    after = read_world(daily_pulls(), read_world(daily_pulls()).cursors(EXTRACTED_AT))
    assert after.listings["pull_requests"].window_start == date(2026, 10, 18)
    assert after.listings["commits"].window_start == date(2026, 10, 25)


def test_only_reviewers_with_new_reviews_are_read_again() -> None:
    people = [f"dev{n}@example.com" for n in range(10)]
    reviews = [review(n, n // 3, "2026-10-01T10:00:00Z", reviewer=people[n % 10]) for n in range(300)]
    new = review(300, 7, "2026-11-01T10:00:00Z", reviewer=people[4])
    before = read_world(simulator.World.of(reviews=reviews, end=EXTRACTED_AT))
    after = read_world(simulator.World.of(reviews=[*reviews, new], end=EXTRACTED_AT), before.cursors(EXTRACTED_AT))
    assert {row["reviewer"] for row in after.rows["reviews"]} == {people[4]}
    assert distinct([new]) <= distinct(after.rows["reviews"])
    assert after.listings["reviews"].known == 270


def test_a_list_of_one_page_is_read_on_as_a_long_one_is() -> None:
    reviews = [review(n, n // 3, "2026-10-01T10:00:00Z", reviewer=["ann", "bob", "cyd"][n % 3]) for n in range(30)]
    new = review(30, 7, "2026-11-01T10:00:00Z", reviewer="bob")
    before = read_world(simulator.World.of(reviews=reviews, end=EXTRACTED_AT))
    after = read_world(simulator.World.of(reviews=[*reviews, new], end=EXTRACTED_AT), before.cursors(EXTRACTED_AT))
    listing = after.listings["reviews"]
    assert before.listings["reviews"].counts == {"ann": 10, "bob": 10, "cyd": 10}
    assert (listing.counts, listing.known, listing.source_total) == ({"ann": 10, "bob": 11, "cyd": 10}, 20, 31)
    assert {row["reviewer"] for row in after.rows["reviews"]} == {"bob"}


def test_reviews_without_a_reviewer_are_found_at_every_reading() -> None:
    reviews = [review(n, n // 3, "2026-10-01T10:00:00Z", reviewer=["ann", "bob", None][n % 3]) for n in range(240)]
    reviews[5].pop("reviewer")
    world = simulator.World.of(reviews=reviews, end=EXTRACTED_AT)
    before = read_world(world)
    after = read_world(world, before.cursors(EXTRACTED_AT))
    assert distinct(before.rows["reviews"]) == distinct(reviews)
    assert {row.get("reviewer") for row in after.rows["reviews"]} == {None}
    assert (len(after.rows["reviews"]), after.listings["reviews"].known) == (80, 160)


@pytest.mark.parametrize(
    "faults", [InjectedFaults(), InjectedFaults(error_rate=0.2, seed=2)], ids=["calm", "with errors"]
)
def test_since_leaves_out_what_is_older_than_a_day(usual_world: simulator.World, faults: InjectedFaults) -> None:
    reading = read_world(usual_world, since=date(2026, 10, 3), faults=faults)
    expected = {
        "commits": [row for row in usual_world.commits.rows if row["commitTs"] >= "2026-10-03"],
        "pull_requests": [row for row in usual_world.pulls.rows if row["created_at"] >= "2026-10-03"],
    }
    assert {name: distinct(reading.rows[name]) for name in expected} == {
        name: distinct(rows) for name, rows in expected.items()
    }
    assert {name: totals_of(reading)[name] for name in expected} == {name: len(rows) for name, rows in expected.items()}


def test_reading_on_since_a_day_keeps_to_that_day(usual_world: simulator.World) -> None:
    since = date(2026, 9, 20)
    before = read_world(usual_world, since=since)
    after = read_world(usual_world, before.cursors(EXTRACTED_AT), since)
    assert totals_of(after) == totals_of(before)
    assert after.listings["pull_requests"].window_start == date(2026, 10, 18)
