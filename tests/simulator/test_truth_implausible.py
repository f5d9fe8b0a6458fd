"""What a source says and cannot be is unknown and counted, computed by hand from docs/metrics.md."""

import pytest
from tests.simulator.rows import commit, pull, review
from tests.simulator.test_truth_github import (
    AS_OF,
    LEE,
    commit as of_github,
    company,
    measured as measured_of_github,
    pushed_over,
    ready,
    review as review_of_github,
)
from tests.simulator.truths import CREATED, MERGED, Row, mart, measured, merged, world_of

from simulator.truth import implausible_values, merged_pulls
from simulator.truth.github import Account, AILines, implausible_values as of_accounts, pulls
from simulator.truth.opened import agent_pull_requests, opened_pulls

EPOCH, EIGHTIES, BEGINNING = "1970-01-01T00:00:00Z", "1985-06-01T00:00:00Z", "1990-01-01T00:00:00Z"
JUST_BEFORE = "1989-12-31T23:59:59.999999999Z"
LINES = {"tab_lines": 2, "composer_lines": 3}


@pytest.mark.parametrize(("at", "count"), [(JUST_BEFORE, 0), (BEGINNING, 1)])
def test_merge_counts_from_1990_on(at: str, count: int) -> None:
    assert len(merged_pulls(world_of(merged(merged_at=at)), AS_OF)) == count


def test_first_commit_before_1990_gives_way_to_commits_from_1990_on() -> None:
    commits = [commit("a", EPOCH), commit("b", "2026-10-19T08:00:00Z")]
    pr = measured(merged(first_commit_at=EIGHTIES, commit_ids=["a", "b"]), commits=commits)
    assert (pr.coding_lead_time, pr.cycle_time) == (2.0, 26.0)
    assert measured(merged(first_commit_at=EIGHTIES, commit_ids=["a"]), commits=commits).cycle_time is None


def test_review_before_1990_has_not_happened() -> None:
    reviews = [review(1, 101, EPOCH), review(2, 101, "2026-10-19T13:00:00Z")]
    pr = measured(merged(first_review_at=EPOCH), reviews=reviews)
    assert (pr.review_count, pr.pickup_time, pr.pickup_human) == (1, 3.0, 3.0)


def test_commit_before_1990_is_no_newest_one() -> None:
    commits = [commit("a", EPOCH, userEmail="a@x"), commit("b", EIGHTIES, userEmail="b@x")]
    assert measured(merged(author_email=""), commits=commits).author_email == "a@x"


def test_pull_request_opened_before_1990_is_merged_and_in_no_week_of_opening() -> None:
    world = world_of(merged(created_at=EPOCH))
    (pr,) = merged_pulls(world, AS_OF)
    assert (pr.coding_lead_time, pr.pickup_time) == (None, None)
    assert agent_pull_requests(opened_pulls(world, AS_OF)) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"ai_ratio": -0.1, **LINES}, (0.5, "medium", False), id="below 0"),
        pytest.param({"ai_ratio": 1.5, **LINES}, (0.5, "medium", False), id="above 1"),
        pytest.param({"ai_ratio": 1, **LINES}, (1, "high", False), id="1 is a ratio"),
        pytest.param({"ai_ratio": 1.5}, (None, "unknown", False), id="without lines"),
        pytest.param({"tab_lines": 9, "composer_lines": 2}, (1.0, "high", True), id="more lines than additions"),
        pytest.param({"tab_lines": 9, "composer_lines": 1}, (1.0, "high", False), id="as many"),
        pytest.param({"tab_lines": 9, "composer_lines": 2, "ai_ratio": 0.2}, (0.2, "low", False), id="its own"),
        pytest.param({"tab_lines": 9, "composer_lines": 2, "additions": 0}, (None, "unknown", False), id="none added"),
    ],
)
def test_ratio_outside_0_and_1_gives_way_to_lines(fields: Row, expected: tuple[float | None, str, bool]) -> None:
    pr = measured(merged(**fields))
    assert (pr.ai_ratio, pr.ai_band, pr.has_ai_lines_over_additions) == expected


@pytest.mark.parametrize("name", ["velocity", "developer_velocity", "ai_impact"])
def test_marts_count_pull_requests_with_more_lines_than_additions(name: str) -> None:
    over = [merged(number, tab_lines=9, composer_lines=number) for number in (1, 2, 3)]
    assert mart(name, *over)["n_ai_lines_over_additions"] == 2


def test_values_of_a_world_are_counted_by_table_and_reason() -> None:
    pulls_ = [
        merged(1, created_at=EPOCH, merged_at=EPOCH, closed_at=EPOCH, updated_at=EPOCH, ai_ratio=0.5),
        pull(2, CREATED, first_commit_at=EIGHTIES, last_commit_at=BEGINNING, first_review_at=EPOCH, ai_ratio=7),
        pull(3, CREATED, ai_ratio=-1),
    ]
    commits = [commit("a", EPOCH), commit("b", CREATED, createdAt=EPOCH)]
    reviews = [review(1, 101, EPOCH), review(2, 999, EPOCH, state="pending"), review(3, 101, MERGED)]
    found = implausible_values(world_of(*pulls_, commits=commits, reviews=reviews), "team")
    assert [tuple(row.values()) for row in found] == [
        ("cursor-sim", "team", "commits", "before_1990", 1, 1),
        ("cursor-sim", "team", "pull_requests", "before_1990", 2, 5),
        ("cursor-sim", "team", "pull_requests", "ai_ratio_outside_0_and_1", 2, 2),
        ("cursor-sim", "team", "reviews", "before_1990", 2, 2),
    ]


def test_world_without_such_values_has_no_row() -> None:
    assert implausible_values(world_of(merged(ai_ratio=0.5), commits=[commit("a", CREATED)])) == []


# --- of GitHub --------------------------------------------------------------------------------------------------------


def test_merge_of_github_before_1990_is_none_and_not_closed() -> None:
    account = Account(company({"merged_at": EPOCH, "closed_at": EPOCH}), AS_OF)
    assert [each.opened.outcome for each in pulls([account], AILines([]))] == ["open"]


def test_commit_of_github_before_1990_is_neither_the_first_nor_the_same_change() -> None:
    early, later = of_github(2, EPOCH), of_github(1, "2026-10-19T08:00:00Z")
    assert measured_of_github(commits=[early, later]).cycle_time == 26.0
    rows = [commit(of_github(12).sha, CREATED, repoName="acme/web")]
    pr = measured_of_github(*rows, commits=[early], events=[pushed_over(of_github(12, EPOCH))])
    assert (pr.ai_matched_role, pr.ai_matched_commit_count) == ("before_force_push", 1)


def test_review_and_event_of_github_before_1990_have_not_happened() -> None:
    reviews = [review_of_github(LEE, EPOCH), review_of_github(LEE, "2026-10-19T14:00:00Z")]
    pr = measured_of_github(reviews=reviews, events=[ready(EPOCH), ready("2026-10-19T12:00:00Z")])
    assert (pr.review_count, pr.pickup_time, pr.pickup_from_ready) == (1, 4.0, 2.0)
    assert measured_of_github(reviews=reviews, events=[ready(EPOCH)]).ready_at is None


def test_pull_request_of_github_opened_before_1990_is_in_no_week_of_opening() -> None:
    account = Account(company({"created_at": EPOCH}), AS_OF)
    (found,) = pulls([account], AILines([]))
    assert (found.opened.outcome, found.own["created_at"], found.opened.measured.ready_at) == ("merged", None, None)
    assert agent_pull_requests([found.opened]) == []


def test_revert_before_1990_reverts_nothing() -> None:
    revert = {"head_ref": "revert-1-work", "created_at": CREATED, "merged_at": EPOCH}
    assert measured_of_github(others=[revert]).revert_how is None
    titled = {"title": 'Revert "Add 1"', "created_at": EPOCH, "merged_at": MERGED}
    assert measured_of_github(others=[titled]).revert_how is None


def test_more_lines_than_additions_of_github_are_counted() -> None:
    row = commit(of_github(1).sha, CREATED, repoName="acme/web", composerLinesAdded=200, tabLinesAdded=0)
    pr = measured_of_github(row)
    assert (pr.ai_ratio, pr.has_ai_lines_over_additions) == (1.0, True)
    assert measured_of_github(row, additions=0).has_ai_lines_over_additions is False


def test_values_of_accounts_are_counted_by_table() -> None:
    values = {
        "created_at": EPOCH,
        "closed_at": EIGHTIES,
        "commits": [of_github(1, EPOCH), of_github(2, EPOCH, committed_at=MERGED)],
        "reviews": [review_of_github(LEE, EPOCH), review_of_github(LEE, None, state="PENDING")],
        "events": [ready(EPOCH), pushed_over(of_github(3, EPOCH))],
    }
    found = of_accounts([Account(company(values, history=[of_github(1, EPOCH)]), AS_OF)])
    assert [tuple(row.values()) for row in found] == [
        ("github", "acme", "github_pull_requests", "before_1990", 1, 2),
        ("github", "acme", "github_reviews", "before_1990", 1, 1),
        ("github", "acme", "github_pull_request_events", "before_1990", 1, 1),
        ("github", "acme", "github_commits", "before_1990", 3, 5),
    ]
