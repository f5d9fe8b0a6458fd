# ruff: noqa: S608 - the names are our own, and values are bound
"""Delivery by week and repository: merges, reviews, reverts, the effect of AI, and the cost of agents beside them.

The rows are those of a mart. Averages and percentiles of a range cannot be computed from them. `totals` therefore
apply the mart's definition to the merged pull requests of the range, as if all were of one source, week and repository.
"""

from datetime import date, timedelta
from typing import Any

from millrace.api import beginnings, effects, usage
from millrace.api.filters import SpendFilters, UsageFilters, WeeklyFilters
from millrace.api.paging import page
from millrace.api.plans import QueryPlan, Sql, and_, in_

OF_ALL_SOURCES = {name: f"CAST(NULL AS VARCHAR) AS {name}" for name in ("source", "account")}
_ALL = OF_ALL_SOURCES | {"week": "CAST(NULL AS DATE) AS week", "repo_name": "CAST(NULL AS VARCHAR) AS repo_name"}
_SPEND = "ai_spend_by_repo_week"
_SPENT = ("assistant_message_count", "total_tokens", "n_cost", "merged_prs", "lines_added", "ai_lines_added")


def velocity(plan: QueryPlan, filters: WeeklyFilters) -> dict[str, Any]:
    """Return how much is merged, and how fast."""
    return _with_totals(plan, filters, "velocity")


def review_costs(plan: QueryPlan, filters: WeeklyFilters) -> dict[str, Any]:
    """Return how much effort reviews take."""
    return _with_totals(plan, filters, "review_costs")


def quality(plan: QueryPlan, filters: WeeklyFilters) -> dict[str, Any]:
    """Return how many pull requests are reverted or fix bugs."""
    return _with_totals(plan, filters, "quality")


def ai_impact(plan: QueryPlan, filters: WeeklyFilters) -> dict[str, Any]:
    """Return the metrics of pull requests by their share of AI; `bands` are over the whole range.

    `effects` compare the bands `high` and `low` within the same developers and repositories, whatever bands are asked.
    """
    bands = sorted(_over_all(plan, filters, "ai_impact"), key=lambda row: row["ai_band"])
    both = filters.model_copy(update={"band": []})
    compared = effects.of_pull_requests(plan, _facts(plan, both, _where(both)))
    return _weekly(plan, filters, "ai_impact", "ai_band") | {"bands": bands} | compared


def _with_totals(plan: QueryPlan, filters: WeeklyFilters, mart: str) -> dict[str, Any]:
    """Return the rows of a mart, its definition over each week of all that the filters select, and over all of it."""
    weeks = sorted(_over_all(plan, filters, mart, is_by_week=True), key=lambda row: row["week"])
    totals = next(iter(_over_all(plan, filters, mart)), None)
    return _weekly(plan, filters, mart) | {"weeks": weeks, "totals": totals}


def _weekly(plan: QueryPlan, filters: WeeklyFilters, mart: str, *others: str) -> dict[str, Any]:
    """Return the rows of a mart, whose grain is source, account, week, repository and `others`."""
    columns = tuple(plan.definitions.models[mart].columns)
    asked = {"developer": filters.developer or filters.person, "ai_band": filters.band}
    has_all = all(name in columns for name, values in asked.items() if values)
    if has_all and plan.is_there(mart) and not _is_elsewhere(plan, filters.tz):
        where = _where(filters)
        plan.given[mart] = Sql(f"SELECT * FROM {plan.stored(mart)} WHERE {where.text}", where.values)
    else:
        plan.without_mart(mart).given["merged_pull_requests"] = _facts(plan, filters, _where(filters))
    note = beginnings.weeks_note(plan, filters.from_ or date.min, filters.to or date.max, filters.tz)
    found = page(plan, plan.table(mart), columns, filters, ("week", "repo_name", *others, *OF_ALL_SOURCES))
    return found.answer(plan) | {"weeks_note": note}


def _over_all(plan: QueryPlan, filters: WeeklyFilters, mart: str, is_by_week: bool = False) -> list[dict[str, Any]]:
    """Apply the mart's definition to all pull requests that the filters select: one row, or one for each band.

    With `is_by_week` the same for each week.
    """
    alike = {name: null for name, null in _ALL.items() if not (is_by_week and name == "week")}
    whole = plan.fork().without_mart(mart)
    facts = _facts(plan, filters, _where(filters))
    named = ", ".join(alike.get(name, name) for name in plan.definitions.models["merged_pull_requests"].columns)
    whole.given["merged_pull_requests"] = Sql(f"SELECT {named} FROM ({facts.text}) AS facts", facts.values)
    measures = ", ".join(name for name in plan.definitions.models[mart].columns if name not in alike)
    return whole.query(f"SELECT {measures} FROM {whole.table(mart)}")


def _where(filters: WeeklyFilters) -> Sql:
    return and_(
        Sql("week BETWEEN ? AND ?", (filters.from_, filters.to)),
        in_("repo_name", filters.repo),
        in_("ai_band", filters.band),
        in_("developer", filters.developer),
        in_("developer", filters.person),
    )


def _facts(plan: QueryPlan, filters: WeeklyFilters | SpendFilters, where: Sql) -> Sql:
    """Return the merged pull requests that meet a condition, with the weeks of the requested zone."""
    merged, zones = plan.stored("merged_pull_requests"), 0
    if _is_elsewhere(plan, filters.tz):
        week = plan.dialect.week.format(instant=plan.dialect.clock.format(instant="merged_at"))
        columns = plan.definitions.models["merged_pull_requests"].columns
        named = ", ".join(f"{week} AS week" if name == "week" else name for name in columns)
        merged, zones = f"(SELECT {named} FROM {merged}) AS zoned", week.count("?")
    return Sql(f"SELECT * FROM {merged} WHERE {where.text}", (filters.tz,) * zones + where.values)


def _is_elsewhere(plan: QueryPlan, zone: str | None) -> bool:
    return zone not in (None, plan.definitions.reporting_time_zone)


def ai_spend(plan: QueryPlan, filters: SpendFilters) -> dict[str, Any]:
    """Return the cost of agents beside what was merged. The shares of a range are computed over it, not over weeks."""
    first, last = _weeks(filters)
    weeks = Sql("week BETWEEN ? AND ?", (first, last))
    is_whole = not (
        filters.developer or filters.person or filters.provider or filters.model or _is_elsewhere(plan, filters.tz)
    )
    if is_whole and plan.is_there(_SPEND):
        plan.given[_SPEND] = Sql(f"SELECT * FROM {plan.stored(_SPEND)} WHERE {weeks.text}", weeks.values)
    else:
        plan.without_mart(_SPEND)
        merged = and_(weeks, in_("developer", filters.developer), in_("developer", filters.person))
        if filters.developer or filters.person or _is_elsewhere(plan, filters.tz) or not plan.is_there("velocity"):
            plan.without_mart("velocity").given["merged_pull_requests"] = _facts(plan, filters, merged)
        else:
            plan.given["velocity"] = Sql(f"SELECT * FROM {plan.stored('velocity')} WHERE {weeks.text}", weeks.values)
    asked_usage = _usage_of(filters, first, last + timedelta(days=6))
    usage.apply_filters(plan, asked_usage)
    spend, asked = plan.table(_SPEND), and_(in_("repo_name", filters.repo))
    spending = plan.add("spending", Sql(f"SELECT * FROM {spend} WHERE {asked.text}", asked.values))
    found = page(
        plan, spending, tuple(plan.definitions.models[_SPEND].columns), filters, ("week", "repo_name", *OF_ALL_SOURCES)
    )
    note = beginnings.weeks_note(plan, first, last, filters.tz)
    return (
        found.answer(plan)
        | {"weeks_note": note, "totals": _spent_in_all(plan, spend, spending)}
        | {"matches": _matches(plan.fork(), asked_usage)}
    )


def _matches(plan: QueryPlan, filters: UsageFilters) -> list[dict[str, Any]]:
    """Return how the usage of these days found its repository and its developer, and why the rest did not.

    It is of all repositories: what has none belongs to no filter of repositories.
    """
    usage.apply_filters(plan, filters)
    how = "t.matched_by, t.repository_gap, t.developer_gap"
    return plan.query(f"""SELECT {how}, CAST(SUM(t.assistant_message_count) AS BIGINT) AS assistant_message_count,
        CAST(SUM(t.n_cost) AS BIGINT) AS n_cost, CAST(SUM(t.cost_usd) AS DECIMAL(38, 12)) AS cost_usd
        FROM {plan.table("int_usage_matched")} AS t GROUP BY {how} HAVING SUM(t.assistant_message_count) > 0
        ORDER BY cost_usd DESC NULLS LAST, {how}""")


def _weeks(filters: SpendFilters) -> tuple[date, date]:
    """Return the first and the last Monday of the range."""
    first, last = filters.from_ or date.min, filters.to or date.max
    return first + timedelta(days=-first.weekday() % 7), last - timedelta(days=last.weekday())


def _usage_of(filters: SpendFilters, first: date, last: date) -> UsageFilters:
    same = {name: getattr(filters, name) for name in ("developer", "person", "provider", "model", "tz")}
    return UsageFilters.model_construct(from_=first, to=last, project=[], repo=[], agent=[], **same)


def _spent_in_all(plan: QueryPlan, spend: str, spending: str) -> dict[str, Any]:
    """Add up the requested rows. The attributed shares are of all repositories, as in each of the rows.

    Repositories without a known cost are left out of the cost per pull request and per line: unknown is not zero.
    """
    sums = ", ".join(f"CAST(SUM(t.{name}) AS BIGINT) AS {name}" for name in _SPENT)
    same = ", ".join(OF_ALL_SOURCES)
    with_cost = plan.add(
        "with_cost", Sql(f"SELECT DISTINCT {same}, repo_name FROM {spending} WHERE cost_usd IS NOT NULL")
    )
    text = f"""SELECT {sums}, SUM(t.cost_usd) AS cost_usd,
        SUM(CASE WHEN c.repo_name IS NOT NULL THEN t.merged_prs END) AS merged_at_cost,
        SUM(CASE WHEN c.repo_name IS NOT NULL THEN t.ai_lines_added END) AS added_at_cost,
        (SELECT SUM(cost_usd) FROM {spend}) AS attributed,
        (SELECT SUM(cost_usd) FROM {plan.table("usage_daily")}) AS spent,
        (SELECT SUM(merged_prs) FROM {spend} WHERE assistant_message_count IS NOT NULL) AS beside,
        (SELECT SUM(merged_prs) FROM {spend}) AS merged
        FROM {spending} AS t LEFT JOIN {with_cost} AS c
            ON t.repo_name = c.repo_name AND COALESCE(t.source, '') = COALESCE(c.source, '')
            AND COALESCE(t.account, '') = COALESCE(c.account, '')"""
    (row,) = plan.query(text)
    helping = ("attributed", "spent", "beside", "merged", "merged_at_cost", "added_at_cost")
    attributed, spent, beside, merged, merged_at_cost, added_at_cost = (row.pop(name) for name in helping)
    return row | {
        "cost_per_merged_pr": _ratio(row["cost_usd"], merged_at_cost),
        "cost_per_ai_line": _ratio(row["cost_usd"], added_at_cost),
        "cost_known_share": _ratio(row["n_cost"], row["assistant_message_count"]),
        "cost_attributed_share": _ratio(attributed or 0, spent),
        "pr_attributed_share": _ratio(beside or 0, merged),
    }


def _ratio(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if part is not None and whole else None
