"""The five marts of two or three pull requests, computed by hand from docs/metrics.md."""

from datetime import UTC, date, datetime

import pytest
from tests.simulator.rows import commit, review
from tests.simulator.truths import AS_OF, mart, merged, world_of

import simulator
from simulator.truth import marts, merged_pulls

TWO_COMMITS = [
    commit("a", "2026-10-19T08:00:00Z", tabLinesAdded=30, composerLinesAdded=10),
    commit("b", "2026-10-19T09:00:00Z"),
]
TWO_PULLS = [
    merged(1, additions=100, deletions=20, changed_files=4, commit_ids=["a"], was_reverted=True),
    merged(2, additions=900, deletions=None, changed_files=None, ai_ratio=0.1, author_id="", author_email=""),
]
TWO_REVIEWS = [
    review(1, 101, "2026-10-19T12:00:00Z", state="changes_requested", comments=[{}, {}, {}]),
    review(2, 101, "2026-10-19T13:00:00Z"),
]

OF_SOURCE = {"source": "cursor-sim", "account": ""}
NO_TIME_IS_NEGATIVE = {
    f"n_negative_{time}_hours": 0 for time in ("coding_lead_time", "pickup_time", "review_lead_time", "cycle_time")
}


def test_velocity() -> None:
    assert mart("velocity", *TWO_PULLS, commits=TWO_COMMITS, reviews=TWO_REVIEWS) == {
        "week": date(2026, 10, 19),
        "repo_name": "acme/web",
        "active_developers": 1,
        "total_prs": 2,
        "total_commits": 2,
        "total_loc": 120,
        "avg_pr_size": 120.0,
        "n_pr_size": 1,
        "avg_files_changed": 4.0,
        "n_files_changed": 1,
        "sum_files_changed": 4,
        "avg_coding_lead_time_hours": 2.0,
        "n_coding_lead_time_hours": 1,
        "sum_coding_lead_time_hours": 2.0,
        "avg_pickup_time_hours": 2.0,
        "n_pickup_time_hours": 1,
        "sum_pickup_time_hours": 2.0,
        "avg_review_lead_time_hours": 22.0,
        "n_review_lead_time_hours": 1,
        "sum_review_lead_time_hours": 22.0,
        "avg_cycle_time_hours": 26.0,
        "n_cycle_time_hours": 1,
        "sum_cycle_time_hours": 26.0,
        "p50_cycle_time_hours": 26.0,
        "p90_cycle_time_hours": 26.0,
        "avg_ai_ratio": 0.25,
        "n_ai_ratio": 2,
        "sum_ai_ratio": 0.5,
        "n_ai_lines_over_additions": 0,
        "lines_added": 1000,
        "ai_lines_added": 40,
        "ai_line_share": 0.04,
        **OF_SOURCE,
        **NO_TIME_IS_NEGATIVE,
        "bot_prs": 0,
        "agent_prs": 0,
        "ai_known_prs": 1,
        "lines_added_ai_known": 100,
        "ai_matched_commits": None,
        "ai_matchable_commits": None,
        "ai_coauthored_commits": None,
        "n_coauthors_known": 0,
    }


def test_developer_velocity_has_a_row_for_the_unknown_developer() -> None:
    world = world_of(*TWO_PULLS, commits=TWO_COMMITS, reviews=TWO_REVIEWS)
    unknown, known = marts(world, AS_OF)["developer_velocity"]
    assert (unknown["developer"], unknown["total_prs"], unknown["lines_added"]) == (None, 1, 900)
    assert (known["developer"], known["total_prs"], known["lines_added"]) == ("user_001", 1, 100)
    assert "active_developers" not in known


def test_sums_over_nothing_known_are_unknown() -> None:
    row = mart("velocity", merged(additions=None, changed_files=None, commit_count=None))
    assert [row[name] for name in ("total_loc", "sum_files_changed", "total_commits", "lines_added")] == [None] * 4
    assert (row["avg_pr_size"], row["n_pr_size"], row["ai_line_share"]) == (None, 0, None)


def test_review_costs() -> None:
    assert mart("review_costs", *TWO_PULLS, reviews=TWO_REVIEWS) == {
        **OF_SOURCE,
        "n_negative_review_lead_time_hours": 0,
        "week": date(2026, 10, 19),
        "repo_name": "acme/web",
        "total_prs": 2,
        "reviewed_prs": 1,
        "unreviewed_prs": 1,
        "review_count": 2,
        "reviewer_count": 1,
        "avg_reviewers_per_pr": 0.5,
        "sum_review_rounds": 2,
        "avg_review_rounds": 1.0,
        "comment_count": 3,
        "avg_comments_per_pr": 1.5,
        "total_loc": 120,
        "comments_per_100_loc": 2.5,
        "approval_count": 1,
        "approval_rate": 0.5,
        "avg_review_lead_time_hours": 22.0,
        "n_review_lead_time_hours": 1,
        "sum_review_lead_time_hours": 22.0,
        "large_prs": 0,
        "estimated_review_hours": pytest.approx(0.7),
        "estimated_review_hours_per_pr": pytest.approx(0.7),
    }


def test_quality() -> None:
    third = merged(3, additions=5, deletions=0, was_reverted=None, is_bug_fix=True, title="fix: x")
    assert mart("quality", *TWO_PULLS, third, commits=TWO_COMMITS, reviews=TWO_REVIEWS) == {
        **OF_SOURCE,
        "week": date(2026, 10, 19),
        "repo_name": "acme/web",
        "total_prs": 3,
        "reverted_prs": 1,
        "revert_rate": 0.5,
        "n_revert_known": 2,
        "bug_fix_prs": 1,
        "bug_fix_rate": pytest.approx(1 / 3),
        "n_bug_fix_known": 3,
        "likely_bug_fix_prs": 1,
        "unreviewed_prs": 2,
        "avg_reverted_pr_size": 120.0,
        "n_reverted_pr_size": 1,
        "sum_reverted_pr_size": 120,
        "avg_kept_pr_size": None,
        "n_kept_pr_size": 0,
        "sum_kept_pr_size": None,
        "high_ai_reverted_prs": 0,
        "low_ai_reverted_prs": 0,
    }


def test_rates_of_unknown_flags_are_unknown() -> None:
    row = mart("quality", merged(was_reverted=None, is_bug_fix=None))
    assert (row["reverted_prs"], row["revert_rate"], row["n_revert_known"]) == (0, None, 0)
    assert (row["bug_fix_prs"], row["bug_fix_rate"], row["n_bug_fix_known"]) == (0, None, 0)


def test_ai_impact() -> None:
    low, medium = marts(world_of(*TWO_PULLS, commits=TWO_COMMITS, reviews=TWO_REVIEWS), AS_OF)["ai_impact"]
    assert (low["ai_band"], low["pr_count"], low["avg_pr_size"], low["n_pr_size"]) == ("low", 1, None, 0)
    assert medium == {
        **OF_SOURCE,
        **NO_TIME_IS_NEGATIVE,
        "week": date(2026, 10, 19),
        "repo_name": "acme/web",
        "ai_band": "medium",
        "pr_count": 1,
        "avg_ai_ratio": 0.4,
        "n_ai_ratio": 1,
        "sum_ai_ratio": 0.4,
        "n_ai_lines_over_additions": 0,
        "avg_coding_lead_time_hours": 2.0,
        "n_coding_lead_time_hours": 1,
        "sum_coding_lead_time_hours": 2.0,
        "avg_pickup_time_hours": 2.0,
        "n_pickup_time_hours": 1,
        "sum_pickup_time_hours": 2.0,
        "avg_review_lead_time_hours": 22.0,
        "n_review_lead_time_hours": 1,
        "sum_review_lead_time_hours": 22.0,
        "avg_cycle_time_hours": 26.0,
        "n_cycle_time_hours": 1,
        "sum_cycle_time_hours": 26.0,
        "p50_cycle_time_hours": 26.0,
        "p90_cycle_time_hours": 26.0,
        "comment_count": 3,
        "total_loc": 120,
        "comments_per_100_loc": 2.5,
        "avg_review_rounds": 2.0,
        "sum_review_rounds": 2,
        "reverted_prs": 1,
        "revert_rate": 1.0,
        "n_revert_known": 1,
        "bug_fix_prs": 0,
        "bug_fix_rate": 0.0,
        "n_bug_fix_known": 1,
        "likely_bug_fix_prs": 0,
        "likely_bug_fix_rate": 0.0,
        "avg_pr_size": 120.0,
        "n_pr_size": 1,
        "avg_files_changed": 4.0,
        "n_files_changed": 1,
        "sum_files_changed": 4,
    }


def test_percentiles_lie_between_their_neighbours() -> None:
    pulls = [merged(n, first_commit_at=f"2026-10-20T0{n}:00:00Z") for n in (1, 2, 4, 8)]
    row = mart("velocity", *pulls)  # cycle times 9, 8, 6 and 2 hours
    assert (row["p50_cycle_time_hours"], row["p90_cycle_time_hours"]) == (7.0, pytest.approx(8.7))


def test_weeks_and_repositories_have_rows_of_their_own() -> None:
    world = world_of(merged(1), merged(2, repo_name="acme/api"), merged(3, merged_at="2026-10-12T00:00:00Z"), merged(4))
    grains = [(str(row["week"]), row["repo_name"], row["total_prs"]) for row in marts(world, AS_OF)["velocity"]]
    assert grains == [("2026-10-12", "acme/web", 1), ("2026-10-19", "acme/api", 1), ("2026-10-19", "acme/web", 2)]


def test_the_marts_of_a_generated_world_agree_on_how_many_were_merged(world: simulator.World) -> None:
    as_of = datetime(2026, 10, 28, tzinfo=UTC)
    rows = marts(world, as_of)
    counts = {name: sum(int(row["total_prs"]) for row in rows[name]) for name in rows if name != "ai_impact"}
    counts["ai_impact"] = sum(int(row["pr_count"]) for row in rows["ai_impact"])
    assert set(counts.values()) == {len(merged_pulls(world, as_of))}
    assert counts["velocity"] > 100
