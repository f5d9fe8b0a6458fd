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


def marts(world: World, as_of: datetime) -> dict[str, list[Row]]:
    """Return every mart as of that instant: rows with the columns of docs/metrics.md, ordered by their grain."""
    pulls = merged_pulls(world, as_of)
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
    return {"active_developers": len({p.developer for p in pulls if p.developer})} | _velocity(pulls)


def _velocity(pulls: _Pulls) -> Row:
    lines_added = _sum(p.additions for p in pulls)
    ai_lines_added = _sum(p.ai_lines_added for p in pulls)
    return {
        "total_prs": len(pulls),
        "bot_prs": sum(p.is_bot for p in pulls),
        "total_commits": _sum(p.commit_count for p in pulls),
        **_sizes(pulls),
        **_average("files_changed", [p.files_changed for p in pulls]),
        **_times(pulls),
        **_average("ai_ratio", [p.ai_ratio for p in pulls]),
        "lines_added": lines_added,
        "ai_lines_added": ai_lines_added,
        "ai_line_share": _ratio(ai_lines_added, lines_added),
        "ai_known_prs": sum(p.ai_lines_added is not None for p in pulls),
        "lines_added_ai_known": _sum(p.additions for p in pulls if p.ai_lines_added is not None),
        "ai_matched_commits": None,  # of GitHub only
        "ai_matchable_commits": None,
    }


def _review_costs(pulls: _Pulls) -> Row:
    total = len(pulls)
    reviewed = sum(p.review_count > 0 for p in pulls)
    reviews, approvals = sum(p.review_count for p in pulls), sum(p.approval_count for p in pulls)
    reviewers, rounds = sum(p.reviewer_count for p in pulls), sum(p.review_rounds for p in pulls)
    comments, total_loc = sum(p.comment_count for p in pulls), _sum(p.total_loc for p in pulls)
    hours = [
        p.review_count * (_REVIEW_HOURS + p.total_loc / _LOC_PER_REVIEW_HOUR) for p in pulls if p.total_loc is not None
    ]
    return {
        "total_prs": total,
        "reviewed_prs": reviewed,
        "unreviewed_prs": total - reviewed,
        "review_count": reviews,
        "reviewer_count": reviewers,
        "avg_reviewers_per_pr": _ratio(reviewers, total),
        "sum_review_rounds": rounds,
        "avg_review_rounds": _ratio(rounds, total),
        "comment_count": comments,
        "avg_comments_per_pr": _ratio(comments, total),
        "total_loc": total_loc,
        "comments_per_100_loc": _ratio(100 * comments, total_loc),
        "approval_count": approvals,
        "approval_rate": _ratio(approvals, reviews),
        **_time("review_lead_time", pulls),
        "large_prs": sum(p.total_loc is not None and p.total_loc > _LARGE_LOC for p in pulls),
        "estimated_review_hours": _sum(hours),
        "estimated_review_hours_per_pr": _ratio(_sum(hours), len(hours)),
    }


def _quality(pulls: _Pulls) -> Row:
    reverted = [p for p in pulls if p.is_reverted]
    return {
        "total_prs": len(pulls),
        **_flags(pulls),
        "unreviewed_prs": sum(p.review_count == 0 for p in pulls),
        **_average("reverted_pr_size", [p.total_loc for p in reverted]),
        **_average("kept_pr_size", [p.total_loc for p in pulls if p.is_reverted is False]),
        "high_ai_reverted_prs": sum(p.ai_band == "high" for p in reverted),
        "low_ai_reverted_prs": sum(p.ai_band == "low" for p in reverted),
    }


def _ai_impact(pulls: _Pulls) -> Row:
    comments = sum(p.comment_count for p in pulls)
    rounds = sum(p.review_rounds for p in pulls)
    return {
        "pr_count": len(pulls),
        **_average("ai_ratio", [p.ai_ratio for p in pulls]),
        **_times(pulls),
        "comment_count": comments,
        **_sizes(pulls),
        "comments_per_100_loc": _ratio(100 * comments, _sum(p.total_loc for p in pulls)),
        "avg_review_rounds": _ratio(rounds, len(pulls)),
        "sum_review_rounds": rounds,
        **_flags(pulls),
        "likely_bug_fix_rate": _ratio(sum(p.is_likely_bug_fix for p in pulls), len(pulls)),
        **_average("files_changed", [p.files_changed for p in pulls]),
    }


def _sizes(pulls: _Pulls) -> Row:
    known = [p.total_loc for p in pulls if p.total_loc is not None]
    return {"total_loc": _sum(known), "avg_pr_size": _ratio(_sum(known), len(known)), "n_pr_size": len(known)}


def _times(pulls: _Pulls) -> Row:
    row: Row = {}
    for time in TIMES:
        row |= _time(time, pulls)
    cycles = sorted(p.cycle_time for p in pulls if p.cycle_time is not None)
    return row | {f"p{rank}_cycle_time_hours": _percentile(cycles, rank / 100) for rank in (50, 90)}


def _time(time: str, pulls: _Pulls) -> Row:
    """Return the mean of a time, and how often it is below 0."""
    values = [getattr(p, time) for p in pulls]
    negative = sum(value is not None and value < 0 for value in values)
    return _average(f"{time}_hours", values) | {f"n_negative_{time}_hours": negative}


def _flags(pulls: _Pulls) -> Row:
    """Return reverts and bug fixes: a rate is over the pull requests whose flag is known."""
    reverts = [p.is_reverted for p in pulls if p.is_reverted is not None]
    fixes = [p.is_bug_fix for p in pulls if p.is_bug_fix is not None]
    return {
        "reverted_prs": sum(reverts),
        "revert_rate": _ratio(sum(reverts), len(reverts)),
        "n_revert_known": len(reverts),
        "bug_fix_prs": sum(fixes),
        "bug_fix_rate": _ratio(sum(fixes), len(fixes)),
        "n_bug_fix_known": len(fixes),
        "likely_bug_fix_prs": sum(p.is_likely_bug_fix for p in pulls),
    }


def _average(name: str, values: Sequence[float | None]) -> Row:
    """Return the mean of the known values, with their count and sum."""
    known = [value for value in values if value is not None]
    total = _sum(known)
    return {f"avg_{name}": _ratio(total, len(known)), f"n_{name}": len(known), f"sum_{name}": total}


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum of the known values, None without any: whole numbers exactly, fractions rounded once."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return sum(known) if all(isinstance(value, int) for value in known) else math.fsum(known)


def _ratio(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _percentile(ordered: Sequence[float], rank: float) -> float | None:
    """Return the continuous percentile, with linear interpolation between the two nearest values."""
    if not ordered:
        return None
    place = rank * (len(ordered) - 1)
    below = math.floor(place)
    above = math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
