"""The truth about one merged pull request, computed by hand from docs/metrics.md."""

from datetime import date

import pytest
from tests.simulator.rows import commit, pull, review
from tests.simulator.truths import AS_OF, CREATED, MERGED, Row, measured, merged, world_of

from simulator.truth import marts, merged_pulls

# --- which pull requests, which week -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("merged_at", "count"),
    [
        pytest.param("2026-10-25T00:00:00Z", 1, id="at that very instant"),
        pytest.param("2026-10-25T00:00:00.000000999Z", 1, id="less than a microsecond later"),
        pytest.param("2026-10-25T00:00:00.000001Z", 0, id="a microsecond later"),
    ],
)
def test_merged_is_what_was_merged_by_then(merged_at: str, count: int) -> None:
    assert len(merged_pulls(world_of(merged(merged_at=merged_at)), AS_OF)) == count


def test_open_and_closed_pull_requests_are_in_no_mart() -> None:
    world = world_of(pull(1, CREATED), pull(2, CREATED, state="closed", closed_at=MERGED))
    assert not any(marts(world, AS_OF).values())


@pytest.mark.parametrize(
    ("merged_at", "week"),
    [
        pytest.param("2026-10-18T23:59:59.999999999Z", date(2026, 10, 12), id="last instant of a Sunday"),
        pytest.param("2026-10-19T00:00:00Z", date(2026, 10, 19), id="first instant of a Monday"),
        pytest.param("2026-10-18T20:00:00-04:00", date(2026, 10, 19), id="Monday in UTC, Sunday where it was"),
    ],
)
def test_the_week_is_the_monday_in_utc(merged_at: str, week: date) -> None:
    assert measured(merged(merged_at=merged_at)).week == week


def test_of_two_rows_with_one_key_the_newest_counts() -> None:
    old = merged(additions=1, updated_at="2026-10-20T10:00:00Z")
    new = merged(additions=2, updated_at="2026-10-21T10:00:00Z")
    assert measured(new, old).additions == 2


# --- people --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author_id", "author_email", "developer"),
    [("u", "e@x", "u"), ("", "e@x", "e@x"), ("u", "", "u"), ("", "", None)],
)
def test_the_developer_is_the_id_or_else_the_email(author_id: str, author_email: str, developer: str | None) -> None:
    assert measured(merged(author_id=author_id, author_email=author_email)).developer == developer


@pytest.mark.parametrize(
    ("author_email", "developer"),
    [
        pytest.param("Ada@X", "u1", id="an address of its commits, in another case"),
        pytest.param("opened@x", "u2", id="an address of its other pull requests"),
        pytest.param("team@x", "team@x", id="an address of two ids"),
        pytest.param("ada+work@x", "ada+work@x", id="a part after a plus belongs to the address"),
        pytest.param("", None, id="no address"),
    ],
)
def test_an_author_without_an_id_is_the_only_id_with_the_address(author_email: str, developer: str | None) -> None:
    of_u2 = merged(2, author_id="u2", author_email="Opened@x")
    addresses = (("u1", "ada@x"), ("u1", "team@x"), ("u2", "Team@x"), ("u1", ""), ("", "ada+work@x"))
    commits = [
        commit(str(number), CREATED, userId=user, userEmail=address) for number, (user, address) in enumerate(addresses)
    ]
    pulls = merged_pulls(world_of(merged(author_id="", author_email=author_email), of_u2, commits=commits), AS_OF)
    assert [each.developer for each in pulls if each.number == 1] == [developer]


def test_a_missing_email_is_that_of_the_newest_commit() -> None:
    commits = [
        commit("a", "2026-10-02T00:00:00Z", userEmail="new@x"),
        commit("b", "2026-10-01T00:00:00Z", userEmail="old@x"),
        commit("c", "2026-10-03T00:00:00Z", userEmail=""),
        commit("d", "2026-10-02T00:00:00Z", userEmail="newer@x"),
    ]
    assert measured(merged(author_email=""), commits=commits).author_email == "new@x"


def test_the_author_is_not_a_reviewer_under_any_name() -> None:
    at = "2026-10-19T12:00:00Z"
    reviews = [
        review(1, 101, at, reviewer="ann@example.com"),
        review(2, 101, at, reviewer="user_001"),
        review(3, 101, at, reviewer="Ann@example.com"),
        review(4, 101, at, reviewer=None),
    ]
    pr = measured(merged(), reviews=reviews)
    assert (pr.review_count, pr.reviewer_count) == (2, 1)


def test_a_clone_reviewing_itself_is_found_through_its_commits() -> None:
    commits = [commit("a", CREATED)]
    reviews = [review(1, 101, "2026-10-19T12:00:00Z", reviewer="ann@example.com")]
    assert measured(merged(author_email=""), commits=commits, reviews=reviews).review_count == 0


# --- times ---------------------------------------------------------------------------------------------------------


def test_the_four_times_are_elapsed_hours() -> None:
    commits = [commit("a", "2026-10-19T10:30:00Z"), commit("b", "2026-10-19T08:00:00Z")]
    reviews = [review(1, 101, "2026-10-19T16:00:00Z"), review(2, 101, "2026-10-19T13:00:00Z")]
    pr = measured(merged(commit_ids=["a", "b", "gone"]), commits=commits, reviews=reviews)
    assert (pr.coding_lead_time, pr.pickup_time, pr.review_lead_time, pr.cycle_time) == (2.0, 3.0, 21.0, 26.0)


def test_a_commit_after_the_creation_makes_the_lead_time_negative() -> None:
    pr = measured(merged(commit_ids=["a"]), commits=[commit("a", "2026-10-19T10:30:00Z")])
    assert pr.coding_lead_time == -0.5


def test_instants_are_cut_to_microseconds_before_they_are_subtracted() -> None:
    pr = measured(merged(created_at="2026-10-19T10:00:00.000000999Z", first_review_at="2026-10-19T11:00:00.000001Z"))
    assert pr.pickup_time == 1 + 1 / 3.6e9


def test_times_of_unknown_beginnings_are_unknown() -> None:
    pr = measured(merged(commit_ids=["gone"]))
    assert (pr.coding_lead_time, pr.pickup_time, pr.review_lead_time, pr.cycle_time) == (None, None, None, None)


def test_the_sources_own_instants_win() -> None:
    own = merged(first_commit_at="2026-10-19T09:00:00Z", first_review_at="2026-10-19T10:15:00Z", commit_ids=["a"])
    reviews = [review(1, 101, "2026-10-19T16:00:00Z")]
    pr = measured(own, commits=[commit("a", "2026-10-19T08:00:00Z")], reviews=reviews)
    assert (pr.coding_lead_time, pr.pickup_time) == (1.0, 0.25)


# --- reviews -------------------------------------------------------------------------------------------------------


def test_reviews_pending_or_to_come_do_not_exist() -> None:
    reviews = [
        review(1, 101, "2026-10-19T12:00:00Z", state="PENDING"),
        review(2, 101, "2026-10-25T00:00:01Z"),
        review(3, 101, "2026-10-19T14:00:00Z", state="Approved"),
    ]
    pr = measured(merged(), reviews=reviews)
    assert (pr.review_count, pr.approval_count, pr.pickup_time) == (1, 1, 4.0)


def test_rounds_are_the_requests_for_change_and_one() -> None:
    at = "2026-10-19T12:00:00Z"
    reviews = [review(1, 101, at, state="changes_requested"), review(2, 101, at, state="CHANGES_REQUESTED")]
    assert measured(merged(), reviews=reviews).review_rounds == 3
    assert measured(merged(), reviews=[review(1, 101, at)]).review_rounds == 1
    assert measured(merged()).review_rounds == 0


@pytest.mark.parametrize(
    ("reviewers", "reviews", "count"),
    [
        pytest.param(["a", "b"], [], 2, id="the list when there are no reviews"),
        pytest.param(None, [], 0, id="no list and no reviews"),
        pytest.param(["a", "b"], [review(1, 101, "2026-10-19T12:00:00Z")], 1, id="reviews win over the list"),
        pytest.param(
            ["a", "b"], [review(1, 101, "2026-10-19T12:00:00Z", state="pending")], 0, id="a pending one is a review too"
        ),
    ],
)
def test_reviewers_are_counted(reviewers: list[str] | None, reviews: list[Row], count: int) -> None:
    assert measured(merged(reviewers=reviewers), reviews=reviews).reviewer_count == count


# --- sizes and AI --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        pytest.param({"commit_ids": ["a", "b", "a"], "commit_count": 9}, 2, id="distinct ids"),
        pytest.param({"commit_ids": [], "commit_count": 9}, 0, id="an empty list is known"),
        pytest.param({"commit_ids": None, "commit_count": 9}, 9, id="else what the source says"),
    ],
)
def test_commits_are_counted(fields: Row, count: int) -> None:
    assert measured(merged(**fields)).commit_count == count


@pytest.mark.parametrize(
    ("fields", "lines", "ratio", "band"),
    [
        pytest.param({"tab_lines": 1, "composer_lines": 2, "ai_ratio": 0.9}, 3, 0.9, "high", id="the source's own"),
        pytest.param({"tab_lines": 1, "composer_lines": 2}, 3, 0.3, "medium", id="lines over additions"),
        pytest.param({"tab_lines": 1, "commit_ids": ["a", "b"]}, 6, 0.6, "high", id="lines of the commits"),
        pytest.param({"tab_lines": 9, "composer_lines": 9}, 18, 1.0, "high", id="at most one"),
        pytest.param({"tab_lines": 1, "composer_lines": 1}, 2, 0.2, "low", id="low"),
        pytest.param({"tab_lines": 1, "composer_lines": 1, "additions": 0}, 2, None, "unknown", id="no additions"),
        pytest.param({"tab_lines": 1, "composer_lines": 1, "additions": None}, 2, None, "unknown", id="unknown size"),
        pytest.param({"commit_ids": ["gone"]}, None, None, "unknown", id="nothing known"),
        pytest.param({"ai_ratio": 0}, None, 0, "low", id="zero is known"),
    ],
)
def test_ai_lines_ratio_and_band(fields: Row, lines: int | None, ratio: float | None, band: str) -> None:
    pr = measured(merged(**fields), commits=[commit("a", CREATED), commit("b", CREATED)])
    assert (pr.ai_lines_added, pr.ai_ratio, pr.ai_band) == (lines, ratio, band)


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        pytest.param({"createdAt": "2026-10-19T09:00:00Z", "tabLinesAdded": 90}, 5, id="an older report"),
        pytest.param({"createdAt": "2026-10-19T11:00:00Z", "tabLinesAdded": 1}, 4, id="a newer report"),
        pytest.param({"createdAt": "2026-10-19T10:00:00Z", "tabLinesAdded": 7}, 10, id="of one time: the most"),
        pytest.param({"createdAt": "2026-10-19T11:00:00Z", "tabLinesAdded": None}, 5, id="newer but unknown"),
    ],
)
def test_a_commit_that_two_people_report_counts_once(other: Row, lines: int) -> None:
    own = {"createdAt": "2026-10-19T10:00:00Z", "tabLinesAdded": 2, "composerLinesAdded": 3}
    commits = [commit("a", CREATED, **own), commit("a", CREATED, userId="user_002", **own | other)]
    assert measured(merged(commit_ids=["a"], tab_lines=None), commits=commits).ai_lines_added == lines


@pytest.mark.parametrize(
    ("fields", "is_likely"),
    [
        ({"head_branch": "fix/x"}, True),
        ({"head_branch": "bugfix/x"}, True),
        ({"head_branch": "hotfix/x"}, True),
        ({"head_branch": "fixtures/x"}, False),
        ({"title": "fix(api): x"}, True),
        ({"title": "hotfix! x"}, True),
        ({"title": "bugfix: x"}, True),
        ({"title": "fixture files"}, False),
        ({"title": "fix it"}, False),
    ],
)
def test_likely_bug_fix_is_detected_by_branch_or_title(fields: Row, is_likely: bool) -> None:
    assert measured(merged(**fields)).is_likely_bug_fix is is_likely


def test_commit_of_two_reports_has_the_lines_of_the_newest() -> None:
    older = commit("a", "2026-10-19T08:00:00Z", tabLinesAdded=50, composerLinesAdded=0)
    newer = commit("a", "2026-10-19T07:00:00Z", userId="user_002", tabLinesAdded=3, composerLinesAdded=4)
    commits = [older | {"createdAt": "2026-10-19T08:30:00Z"}, newer | {"createdAt": "2026-10-19T09:00:00Z"}]
    pull = measured(merged(commit_ids=["a"]), commits=commits)
    assert (pull.ai_lines_added, pull.coding_lead_time) == (7, 3.0)


@pytest.mark.parametrize(
    ("lines", "users", "expected"),
    [
        pytest.param((3, 9), ("user_001", "user_002"), 9, id="most lines"),
        pytest.param((9, 9), ("user_002", "user_001"), 9, id="equal lines count once"),
    ],
)
def test_equally_new_reports_of_a_commit_count_once(
    lines: tuple[int, int], users: tuple[str, str], expected: int
) -> None:
    commits = [
        commit("a", "2026-10-19T08:00:00Z", userId=user, tabLinesAdded=count, composerLinesAdded=0)
        for count, user in zip(lines, users, strict=True)
    ]
    assert measured(merged(commit_ids=["a"]), commits=commits).ai_lines_added == expected
