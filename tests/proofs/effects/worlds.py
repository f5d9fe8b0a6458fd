"""The pull requests of a generated world as the strata of /api/ai-impact, without serving, loading and dbt.

Rows are made from the simulator's facts by the definitions of docs/metrics.md, which is ten times as fast as parsing
what it serves; `test_effects.py` compares them with the truth, which parses it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log
from typing import Any

from millrace.api.effects import FLOOR_HOURS
from simulator.generating import DEFAULT_CLONE_SHARE
from simulator.happening import PullFact, pulls_of_day
from simulator.instants import DAY_NS, HOUR_NS, to_ns
from simulator.people import organisation
from simulator.truth import MeasuredPull

END = datetime(2026, 11, 29, tzinfo=UTC)
_BANDS = ((0.3, "low"), (0.6, "medium"), (2.0, "high"))


@dataclass(frozen=True, slots=True)
class Merged:
    """What the panel reads of one merged pull request. None is unknown."""

    developer: str | None
    repo_name: str
    ai_band: str
    cycle_time_hours: float | None
    review_rounds: int
    is_reverted: bool | None
    total_loc: int


def merged(developers: int, days: int, seed: int, ai_effect: float = 0.0) -> list[Merged]:
    """Return the pull requests that are merged at END."""
    end_ns = to_ns(END)
    people = organisation(developers, seed, DEFAULT_CLONE_SHARE, ai_effect)
    last_day = (end_ns - 1) // DAY_NS
    return [
        _measured(pull, end_ns)
        for day in range(last_day - days + 1, last_day + 1)
        for pull in pulls_of_day(people, seed, "medium", day)
        if pull.outcome == "merged" and pull.outcome_ns <= end_ns and pull.appears_ns <= end_ns
    ]


def _measured(pull: PullFact, end_ns: int) -> Merged:
    author, quirk = pull.author, pull.quirk
    added = sum(commit.added for commit in pull.commits)
    by_ai = sum(commit.tab + commit.composer for commit in pull.commits)
    is_ratio_known = quirk not in ("ratio_omitted", "ai_omitted") or added
    is_first_known = quirk not in ("commits_omitted", "commits_unknown")
    reviews = [
        review.state.lower()
        for review in pull.reviews
        if review.at_ns <= end_ns and review.state.lower() != "pending" and review.reviewer != author.email
    ]
    is_reverted = pull.reverted_ns is not None and pull.reverted_ns <= end_ns
    return Merged(
        developer=author.user_id if quirk != "author_unknown" or author.pr_email else None,
        repo_name=pull.repo,
        ai_band=band(by_ai / added if added else 0.0) if is_ratio_known else "unknown",
        cycle_time_hours=(pull.outcome_ns // 1000 - pull.commits[0].at_ns // 1000) / (HOUR_NS // 1000)
        if is_first_known
        else None,
        review_rounds=reviews.count("changes_requested") + 1 if reviews else 0,
        is_reverted=None if quirk == "flags_omitted" else is_reverted,
        total_loc=added + sum(commit.deleted for commit in pull.commits),
    )


def band(ratio: float) -> str:
    """Return the AI band of a ratio."""
    return next(name for end, name in _BANDS if ratio < end)


def of_truth(pulls: Iterable[MeasuredPull]) -> list[Merged]:
    """Return the same of the truth's rows; a developer who is an e-mail address is the id of the other rows with it."""
    pulls = list(pulls)
    ids = {pull.author_email: pull.developer for pull in pulls if pull.developer and "@" not in pull.developer}
    return [
        Merged(
            ids.get(pull.author_email, pull.developer),
            pull.repo_name,
            pull.ai_band,
            pull.cycle_time,
            pull.review_rounds,
            pull.is_reverted,
            pull.total_loc or 0,
        )
        for pull in pulls
    ]


def strata(pulls: Iterable[Merged]) -> list[dict[str, Any]]:
    """Return the sums for each developer, repository and band, as the API's SQL does."""
    groups: dict[tuple[str | None, str, str], list[Merged]] = defaultdict(list)
    for pull in pulls:
        if pull.ai_band in ("low", "high"):
            groups[pull.developer, pull.repo_name, pull.ai_band].append(pull)
    return [_row(key, groups[key]) for key in sorted(groups, key=str)]


def _row(key: tuple[str | None, str, str], pulls: list[Merged]) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(("developer", "repo_name", "ai_band"), key, strict=True))
    row["pull_requests"] = len(pulls)
    values = {
        "cycle_time_hours": [
            log(max(FLOOR_HOURS, each.cycle_time_hours)) for each in pulls if each.cycle_time_hours is not None
        ],
        "review_rounds": [float(each.review_rounds) for each in pulls],
        "revert_rate": [float(each.is_reverted) for each in pulls if each.is_reverted is not None],
    }
    for name, known in values.items():
        row |= {f"n_{name}": len(known), f"sum_{name}": sum(known), f"squares_{name}": sum(x * x for x in known)}
    return row
