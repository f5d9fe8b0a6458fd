# ruff: noqa: S608 - the names are our own, and values are bound
"""Lists of people and of repositories: their usage, its cost, and beside it what they merged.

Usage is that of `usage_daily`, by the maps of users and projects. What was merged is computed by the definitions of the
marts `velocity` and `quality`, over the pull requests that were merged on the days of the range.
"""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from millrace.api import usage
from millrace.api.delivery import OF_ALL_SOURCES
from millrace.api.filters import ListFilters
from millrace.api.paging import PageOfRows
from millrace.api.plans import QueryPlan, Sql, and_, in_

Row = dict[str, Any]
_PERSON, _REPOSITORY = "COALESCE(u.developer, t.user_id)", "r.repo_name"
_MERGED = {
    "velocity": {
        "total_prs": "merged_prs",
        "lines_added": "lines_added",
        "ai_lines_added": "ai_lines_added",
        "ai_line_share": "ai_line_share",
        "ai_known_prs": "ai_known_prs",
        "ai_matched_commits": "ai_matched_commits",
        "ai_matchable_commits": "ai_matchable_commits",
        "p50_cycle_time_hours": "p50_cycle_time_hours",
        "p90_cycle_time_hours": "p90_cycle_time_hours",
        "n_cycle_time_hours": "n_cycle_time_hours",
    },
    "quality": {
        "reverted_prs": "reverted_prs",
        "revert_rate": "revert_rate",
        "n_revert_known": "n_revert_known",
    },
}
_COUNTED = (
    *("merged_prs", "lines_added", "ai_lines_added", "ai_known_prs"),
    *("n_cycle_time_hours", "reverted_prs", "n_revert_known"),
)
_NOTHING_MERGED: Row = dict.fromkeys(_COUNTED, 0)


def people(plan: QueryPlan, filters: ListFilters) -> Row:
    """List people with their usage, its cost, and what they merged."""
    merged, used = _merged(plan.fork(), filters, "developer"), _used(plan, filters, _PERSON)
    matched = _known(plan, "user_developers", "developer")
    developers = matched | merged.keys()
    rows = [
        {"person": name, "developer": name if name in developers else None}
        # No log of a developer without a matched user was read: the usage is unknown, not zero.
        | used.get(name, _nothing_used(plan) if name in matched else {})
        | (merged.get(name, _NOTHING_MERGED) if name is None or name in developers else {})
        for name in {**used, **merged}
    ]
    return PageOfRows.sort(rows, plan, filters, ("person",)).answer(plan) | {"totals": _in_all(plan, filters)}


def repositories(plan: QueryPlan, filters: ListFilters) -> Row:
    """List repositories with the usage of their projects, its cost, and what was merged."""
    merged, used = _merged(plan.fork(), filters, "repo_name"), _used(plan, filters, _REPOSITORY)
    matched = _known(plan, "project_repositories", "repo_name")
    rows: list[Row] = [
        {"repo_name": name}
        | used.get(name, _nothing_used(plan) if name in matched else {})
        | (merged.get(name, _NOTHING_MERGED) if name is not None else {})
        for name in {**used, **merged}
    ]
    for row in rows:
        row["cost_per_merged_pr"] = _cost_per_pull_request([row])
    totals = _in_all(plan, filters) | {"cost_per_merged_pr": _cost_per_pull_request(rows)}
    return PageOfRows.sort(rows, plan, filters, ("repo_name",)).answer(plan) | {"totals": totals}


def _cost_per_pull_request(rows: list[Row]) -> float | None:
    """Return the cost per merged pull request of the repositories whose cost is known."""
    known = [row for row in rows if row["repo_name"] is not None and row.get("cost_usd") is not None]
    merged = sum(row["merged_prs"] for row in known)
    return float(sum(row["cost_usd"] for row in known)) / merged if merged else None


def _in_all(plan: QueryPlan, filters: ListFilters) -> Row:
    return _used(plan, filters, None)[None] | _merged(plan.fork(), filters, None).get(None, _NOTHING_MERGED)


def _used(plan: QueryPlan, filters: ListFilters, name: str | None) -> dict[str | None, Row]:
    """Return the usage of each name, an expression over the maps; without one, that of all names in one row."""
    usage.apply_filters(plan, filters)
    named, by = (f"{name} AS name", f" GROUP BY {name}") if name else ("CAST(NULL AS VARCHAR) AS name", "")
    daily, events = plan.table("usage_daily"), plan.table("usage_events")
    maps = f"""LEFT JOIN {plan.stored("user_developers")} AS u ON t.user_id = u.user_id
        LEFT JOIN {plan.stored("project_repositories")} AS r ON {usage.SAME_PLACE}"""
    added = plan.query(
        f"SELECT {named}, COUNT(DISTINCT t.user_id) AS user_count, {usage.SUMS} FROM {daily} AS t {maps}{by}"
    )
    keys = f"{by or ' GROUP BY'}{',' if by else ''} t.agent, t.session_id"
    sessions = f"SELECT {named}, t.agent, t.session_id, MAX(t.occurred_at) AS last_at FROM {events} AS t {maps}{keys}"
    counted = plan.query(
        f"SELECT s.name, COUNT(*) AS session_count, MAX(s.last_at) AS last_at FROM ({sessions}) AS s GROUP BY s.name"
    )
    found = dict(_by_name(added))
    for key, row in _by_name(counted):
        found[key] |= row
    return {key: {"session_count": 0, "last_at": None} | row for key, row in found.items()}


def _nothing_used(plan: QueryPlan) -> Row:
    """Return the usage of a name that has none."""
    text = f"SELECT 0 AS user_count, 0 AS session_count, {usage.SUMS} FROM {plan.table('usage_daily')} AS t WHERE FALSE"
    (row,) = plan.query(text)
    return row


def _merged(plan: QueryPlan, filters: ListFilters, name: str | None) -> dict[str | None, Row]:
    """Return what was merged for each value of a column; without one, for all in one row, if there is any."""
    facts = merged_on_days(plan, filters)
    by_name = {"week": "CAST(NULL AS DATE) AS week", "repo_name": f"{name or 'CAST(NULL AS VARCHAR)'} AS repo_name"}
    replaced = OF_ALL_SOURCES | by_name
    columns = plan.definitions.models["merged_pull_requests"].columns
    named = ", ".join(replaced.get(column, column) for column in columns)
    plan.given["merged_pull_requests"] = Sql(f"SELECT {named} FROM ({facts.text}) AS facts", facts.values)
    found: dict[str | None, Row] = {}
    for mart, measures in _MERGED.items():
        asked = ", ".join(f"t.{column} AS {measure}" for column, measure in measures.items())
        text = f"SELECT t.repo_name AS name, {asked} FROM {plan.without_mart(mart).table(mart)} AS t"
        for key, row in _by_name(plan.query(text)):
            found.setdefault(key, {}).update(row)
    return found


def merged_on_days(plan: QueryPlan, filters: ListFilters) -> Sql:
    """Return the pull requests that were merged on the days of the range, in the zone of the request."""
    zone = ZoneInfo(filters.tz or plan.definitions.reporting_time_zone)
    first, end = usage.beginning(filters.from_, zone), usage.beginning(filters.to, zone, days=1)
    where = and_(
        Sql("merged_at >= ? AND merged_at < ?", (first, end)),
        in_("repo_name", filters.repo),
        in_("developer", filters.developer),
        in_("developer", filters.person),
    )
    return Sql(f"SELECT * FROM {plan.stored('merged_pull_requests')} WHERE {where.text}", where.values)


def _by_name(rows: list[Row]) -> Iterator[tuple[str | None, Row]]:
    for row in rows:
        yield row.pop("name"), row


def _known(plan: QueryPlan, mart: str, column: str) -> set[str | None]:
    """Return the values of a map."""
    rows = plan.query(f"SELECT DISTINCT {column} AS name FROM {plan.stored(mart)} WHERE {column} IS NOT NULL")
    return {row["name"] for row in rows}
