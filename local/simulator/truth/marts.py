"""The five marts of docs/metrics.md over measured pull requests."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from simulator.truth.measured import TIMES, MeasuredPull, merged_pulls
from simulator.world import Row, World

_REVIEW_HOURS = 0.25  # each review, before a line is read
_LOC_PER_REVIEW_HOUR = 100 * 12
_LARGE_LOC = 500
_Pulls = Sequence[MeasuredPull]


def marts(world: World, as_of: datetime, account: str = "") -> dict[str, list[Row]]:
    """Return every mart as of that instant: rows with the columns of docs/metrics.md, ordered by their grain."""
    return aggregated(merged_pulls(world, as_of, account))


def aggregated(pulls: _Pulls) -> dict[str, list[Row]]:
    """Return every mart over merged pull requests, of any source."""
    by_week = ("source", "account", "week", "repo_name")
    return {
        "velocity": _mart(pulls, by_week, _velocity_with_developers),
        "developer_velocity": _mart(pulls, (*by_week, "developer"), _velocity),
        "review_costs": _mart(pulls, by_week, _review_costs),
        "quality": _mart(pulls, by_week, _quality),
        "ai_impact": _mart(pulls, (*by_week, "ai_band"), _ai_impact),
    }


def _mart(pulls: _Pulls, grain: tuple[str, ...], measure: Callable[[_Pulls], Row]) -> list[Row]:
    groups: dict[tuple[object, ...], list[MeasuredPull]] = defaultdict(list)
    for pull in pulls:
        groups[tuple(getattr(pull, column) for column in grain)].append(pull)
    ordered = sorted(groups, key=lambda key: [str(part or "") for part in key])
    return [dict(zip(grain, key, strict=True)) | measure(groups[key]) for key in ordered]


def _velocity_with_developers(pulls: _Pulls) -> Row:
    return {"active_developers": len({p.developer for p in pulls if p.developer and not p.is_bot})} | _velocity(pulls)


def _velocity(pulls: _Pulls) -> Row:
    lines_added = sum_of(p.additions for p in pulls)
    ai_lines_added = sum_of(p.ai_lines_added for p in pulls)
    return {
        "total_prs": len(pulls),
        "total_commits": sum_of(p.commit_count for p in pulls),
        **_sizes(pulls),
        **average("files_changed", [p.files_changed for p in pulls]),
        **_times(pulls),
        **average("ai_ratio", [p.ai_ratio for p in pulls]),
        "n_ai_lines_over_additions": sum(p.has_ai_lines_over_additions for p in pulls),
        "lines_added": lines_added,
        "ai_lines_added": ai_lines_added,
        "ai_line_share": ratio(ai_lines_added, lines_added),
        **_coverage(pulls),
    }


def _coverage(pulls: _Pulls) -> Row:
    """Return who opened them, and of how much the AI lines are known."""
    known = [p for p in pulls if p.ai_lines_added is not None]
    return {
        "bot_prs": sum(p.is_bot is True for p in pulls),
        "agent_prs": sum(p.opened_by_agent is not None for p in pulls),
        "ai_known_prs": len(known),
        "lines_added_ai_known": sum_of(p.additions for p in known),
        "ai_matched_commits": sum_of(p.ai_matched_commit_count for p in pulls),
        "ai_matchable_commits": sum_of(p.ai_matchable_commits for p in pulls),
        "ai_coauthored_commits": sum_of(p.ai_coauthored_commits for p in pulls),
        "n_coauthors_known": sum_of(p.n_coauthors_known for p in pulls),
    }


def _review_costs(pulls: _Pulls) -> Row:
    total = len(pulls)
    reviewed = sum(p.review_count > 0 for p in pulls)
    reviews, approvals = sum(p.review_count for p in pulls), sum(p.approval_count for p in pulls)
    reviewers, rounds = sum(p.reviewer_count for p in pulls), sum(p.review_rounds for p in pulls)
    comments, total_loc = sum(p.comment_count for p in pulls), sum_of(p.total_loc for p in pulls)
    hours = [
        p.review_count * (_REVIEW_HOURS + p.total_loc / _LOC_PER_REVIEW_HOUR) for p in pulls if p.total_loc is not None
    ]
    return {
        "total_prs": total,
        "reviewed_prs": reviewed,
        "unreviewed_prs": total - reviewed,
        "review_count": reviews,
        "reviewer_count": reviewers,
        "avg_reviewers_per_pr": ratio(reviewers, total),
        "sum_review_rounds": rounds,
        "avg_review_rounds": ratio(rounds, total),
        "comment_count": comments,
        "avg_comments_per_pr": ratio(comments, total),
        "total_loc": total_loc,
        "comments_per_100_loc": ratio(100 * comments, total_loc),
        "approval_count": approvals,
        "approval_rate": ratio(approvals, reviews),
        **_time("review_lead_time", pulls),
        "large_prs": sum(p.total_loc is not None and p.total_loc > _LARGE_LOC for p in pulls),
        "estimated_review_hours": sum_of(hours),
        "estimated_review_hours_per_pr": ratio(sum_of(hours), len(hours)),
    }


def _quality(pulls: _Pulls) -> Row:
    reverted = [p for p in pulls if p.is_reverted]
    return {
        "total_prs": len(pulls),
        **_flags(pulls),
        "unreviewed_prs": sum(p.review_count == 0 for p in pulls),
        **average("reverted_pr_size", [p.total_loc for p in reverted]),
        **average("kept_pr_size", [p.total_loc for p in pulls if p.is_reverted is False]),
        "high_ai_reverted_prs": sum(p.ai_band == "high" for p in reverted),
        "low_ai_reverted_prs": sum(p.ai_band == "low" for p in reverted),
    }


def _ai_impact(pulls: _Pulls) -> Row:
    comments = sum(p.comment_count for p in pulls)
    rounds = sum(p.review_rounds for p in pulls)
    return {
        "pr_count": len(pulls),
        **average("ai_ratio", [p.ai_ratio for p in pulls]),
        "n_ai_lines_over_additions": sum(p.has_ai_lines_over_additions for p in pulls),
        **_times(pulls),
        "comment_count": comments,
        **_sizes(pulls),
        "comments_per_100_loc": ratio(100 * comments, sum_of(p.total_loc for p in pulls)),
        "avg_review_rounds": ratio(rounds, len(pulls)),
        "sum_review_rounds": rounds,
        **_flags(pulls),
        "likely_bug_fix_rate": ratio(sum(p.is_likely_bug_fix for p in pulls), len(pulls)),
        **average("files_changed", [p.files_changed for p in pulls]),
    }


def _sizes(pulls: _Pulls) -> Row:
    known = [p.total_loc for p in pulls if p.total_loc is not None]
    return {"total_loc": sum_of(known), "avg_pr_size": ratio(sum_of(known), len(known)), "n_pr_size": len(known)}


def _times(pulls: _Pulls) -> Row:
    row: Row = {}
    for time in TIMES:
        row |= _time(time, pulls)
    cycles = sorted(p.cycle_time for p in pulls if p.cycle_time is not None)
    return row | {f"p{rank}_cycle_time_hours": percentile(cycles, rank / 100) for rank in (50, 90)}


def _time(time: str, pulls: _Pulls) -> Row:
    """Return the mean of a time, with how often it is negative."""
    values = [getattr(p, time) for p in pulls]
    negative = sum(value is not None and value < 0 for value in values)
    return {**average(f"{time}_hours", values), f"n_negative_{time}_hours": negative}


def _flags(pulls: _Pulls) -> Row:
    """Return reverts and bug fixes: a rate is over the pull requests whose flag is known."""
    reverts = [p.is_reverted for p in pulls if p.is_reverted is not None]
    fixes = [p.is_bug_fix for p in pulls if p.is_bug_fix is not None]
    return {
        "reverted_prs": sum(reverts),
        "revert_rate": ratio(sum(reverts), len(reverts)),
        "n_revert_known": len(reverts),
        "bug_fix_prs": sum(fixes),
        "bug_fix_rate": ratio(sum(fixes), len(fixes)),
        "n_bug_fix_known": len(fixes),
        "likely_bug_fix_prs": sum(p.is_likely_bug_fix for p in pulls),
    }


def average(name: str, values: Sequence[float | None]) -> Row:
    """Return the mean of the known values, with their count and sum."""
    known = [value for value in values if value is not None]
    total = sum_of(known)
    return {f"avg_{name}": ratio(total, len(known)), f"n_{name}": len(known), f"sum_{name}": total}


def sum_of(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values, None without any: whole numbers exactly, fractions rounded once."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) if all(isinstance(value, int) for value in known) else math.fsum(known)


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return a part of a whole; None where either is unknown, or the whole is zero."""
    return None if part is None or not whole else part / whole


def percentile(ordered: Sequence[float], rank: float) -> float | None:
    """Return the continuous percentile, with linear interpolation between the two nearest values."""
    if not ordered:
        return None
    place = rank * (len(ordered) - 1)
    below = math.floor(place)
    above = math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
