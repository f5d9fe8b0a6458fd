"""The mart of docs/metrics.md about what becomes of pull requests, over those of agents, other bots and people."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from simulator.instants import to_ns
from simulator.truth.marts import average, percentile, ratio, sum_of
from simulator.truth.measured import MeasuredPull, every_pull, happened_us, hours, is_merged, week
from simulator.world import Row, World

Outcome = Literal["merged", "closed", "open"]


@dataclass(frozen=True, slots=True)
class OpenedPull:
    """A pull request of any outcome, in the week of its creation; what counts of its reviews by people is `human_…`."""

    week: date | None  # unknown: in no row
    outcome: Outcome
    measured: MeasuredPull
    open_to_merge: float | None
    human_review_count: int
    human_review_rounds: int
    human_comment_count: int
    is_assisted: bool | None

    @property
    def opened_by(self) -> str:
        """Return who opened it: an agent, another bot, or a person."""
        return "agent" if self.measured.opened_by_agent else "bot" if self.measured.is_bot else "person"


def opened_pulls(world: World, as_of: datetime, account: str = "") -> Iterator[OpenedPull]:
    """Yield the pull requests of a world that were opened by that instant; all of its reviewers are people."""
    until_us = to_ns(as_of) // 1000
    for row, pull in every_pull(world, as_of, account):
        created_us = happened_us(row.get("created_at"))
        if created_us is not None and created_us <= until_us:
            merged = is_merged(row, as_of)
            merged_us = happened_us(row["merged_at"]) if merged else None
            is_closed = (row.get("state") or "").lower() == "closed"
            yield OpenedPull(
                week=week(created_us),
                outcome="merged" if merged else "closed" if is_closed else "open",
                measured=pull,
                open_to_merge=hours(created_us, merged_us),
                human_review_count=pull.review_count,
                human_review_rounds=pull.review_rounds,
                human_comment_count=pull.comment_count,
                is_assisted=None,
            )


def agent_pull_requests(pulls: Iterable[OpenedPull]) -> list[Row]:
    """Return the rows of the mart."""
    groups: dict[tuple[object, ...], list[OpenedPull]] = defaultdict(list)
    for pull in pulls:
        of = pull.measured
        if pull.week is not None:
            groups[of.source, of.account, pull.week, of.repo_name, pull.opened_by, of.opened_by_agent].append(pull)
    names = ("source", "account", "week", "repo_name", "opened_by", "agent")
    return [dict(zip(names, key, strict=True)) | _row(group) for key, group in groups.items()]


def _row(pulls: Sequence[OpenedPull]) -> Row:
    merged = [each.measured for each in pulls if each.outcome == "merged"]
    closed = sum(each.outcome == "closed" for each in pulls)
    waits = [each.open_to_merge for each in pulls if each.outcome == "merged"]
    cycles = [each.cycle_time for each in merged]
    rounds = sum(each.human_review_rounds for each in pulls)
    comments = sum(each.human_comment_count for each in pulls)
    sizes = [each.measured.total_loc for each in pulls if each.measured.total_loc is not None]
    reverts = [each.is_reverted for each in merged if each.is_reverted is not None]
    return {
        "opened_prs": len(pulls),
        "merged_prs": len(merged),
        "closed_without_merge_prs": closed,
        "still_open_prs": len(pulls) - len(merged) - closed,
        "accepted_share": ratio(len(merged), len(merged) + closed),
        "n_accepted_known": len(merged) + closed,
        **average("open_to_merge_hours", waits),
        "p50_open_to_merge_hours": _median(waits),
        **average("cycle_time_hours", cycles),
        "p50_cycle_time_hours": _median(cycles),
        "human_reviewed_prs": sum(each.human_review_count > 0 for each in pulls),
        "sum_human_review_rounds": rounds,
        "avg_human_review_rounds": ratio(rounds, len(pulls)),
        "human_comment_count": comments,
        "avg_human_comments_per_pr": ratio(comments, len(pulls)),
        "total_loc": sum_of(sizes),
        "avg_pr_size": ratio(sum_of(sizes), len(sizes)),
        "n_pr_size": len(sizes),
        "reverted_prs": sum(reverts),
        "n_revert_known": len(reverts),
        "revert_rate": ratio(sum(reverts), len(reverts)),
        "assisted_prs": sum(each.is_assisted is True for each in pulls),
        "n_assisted_known": sum(each.is_assisted is not None for each in pulls),
    }


def _median(values: Sequence[float | None]) -> float | None:
    return percentile(sorted(value for value in values if value is not None), 0.5)
