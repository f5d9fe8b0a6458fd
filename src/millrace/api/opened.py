# ruff: noqa: S608 - the names are our own, and values are bound
"""Pull requests by who opened them: coding agents, other bots and people, in the weeks of their opening."""

from typing import Any

from millrace import inference
from millrace.api.answers import OpenedBy
from millrace.api.filters import OpenedFilters
from millrace.api.paging import page
from millrace.api.plans import QueryPlan, Sql, and_, in_

MART = "agent_pull_requests"
_KINDS = ("opened_by", "agent")
# What a sum over rows of the mart is divided by.
_QUOTIENTS = {
    "accepted_share": ("merged_prs", "n_accepted_known"),
    "avg_open_to_merge_hours": ("sum_open_to_merge_hours", "n_open_to_merge_hours"),
    "avg_cycle_time_hours": ("sum_cycle_time_hours", "n_cycle_time_hours"),
    "avg_human_review_rounds": ("sum_human_review_rounds", "opened_prs"),
    "avg_human_comments_per_pr": ("human_comment_count", "opened_prs"),
    "avg_pr_size": ("total_loc", "n_pr_size"),
    "revert_rate": ("reverted_prs", "n_revert_known"),
}


def agent_pull_requests(plan: QueryPlan, filters: OpenedFilters) -> dict[str, Any]:
    """Return what became of the pull requests that coding agents, other bots and people opened.

    `agents` are over the whole range, the accepted share first. The weeks are of the reporting time zone, whatever zone
    is requested, and `time_zone` says so.
    """
    where = and_(
        Sql("week BETWEEN ? AND ?", (filters.from_, filters.to)),
        in_("repo_name", filters.repo),
        in_("opened_by", filters.opened_by),
        in_("agent", filters.opened_by_agent),
    )
    table = plan.add("opened", Sql(f"SELECT * FROM {plan.stored(MART)} WHERE {where.text}", where.values))
    columns = tuple(plan.definitions.models[MART].columns)
    found = page(plan, table, columns, filters, ("week", "repo_name", *_KINDS, "source", "account"))
    of_weeks = {"time_zone": plan.definitions.reporting_time_zone}
    return found.answer(plan) | of_weeks | {"agents": _in_all(plan, table)}


def _in_all(plan: QueryPlan, table: str) -> list[dict[str, Any]]:
    """Return a row for each agent, for the other bots, and for people, over all of the range."""
    known = plan.definitions.models[MART].columns
    sums = [_sum(name, known[name].type) for name in OpenedBy.model_fields if name not in (*_KINDS, *_QUOTIENTS)]
    kinds = ", ".join(_KINDS)
    rows = plan.query(f"SELECT {kinds}, {', '.join(sums)} FROM {table} GROUP BY {kinds}")
    for row in rows:
        row |= {name: _ratio(row[part], row[whole]) for name, (part, whole) in _QUOTIENTS.items()}
        row |= _certainty(row["merged_prs"], row["n_accepted_known"])
    return sorted(rows, key=lambda row: (row["opened_by"], row["agent"] or ""))


def _certainty(merged: int, n: int) -> dict[str, Any]:
    """Return how far the accepted share could be chance."""
    interval = inference.wilson(merged, n)
    return {
        "accepted_share_low": interval.low if interval else None,
        "accepted_share_high": interval.high if interval else None,
        "has_too_few": n < inference.MIN_PULL_REQUESTS,
    }


def _sum(column: str, kind: str) -> str:
    # Doubles are added as decimals, so that the order of the rows plays no part.
    exact = f"CAST({column} AS DECIMAL(38, 18))" if kind == "double" else column
    return f"CAST(SUM({exact}) AS {kind}) AS {column}"


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
