# ruff: noqa: S608 - the names are our own, and values are bound
"""The numbers of a range of days: what was spent and merged, how certain that is, and how it changed.

Sums and counts are facts. Rates, medians and ratios have an interval, and a verdict on their change that allows for the
number of such measures: see `millrace.inference`.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from millrace import inference
from millrace.api import beginnings, lists, usage
from millrace.api.filters import ListFilters
from millrace.api.paging import PageOfRows
from millrace.api.plans import QueryPlan, Sql
from millrace.inference import SHOWN_LEVEL, Interval

_UNITS = {
    "active_developers": "count",
    "ai_line_share": "share",
    "cost_per_merged_pr": "usd",
    "cost_usd": "usd",
    "median_cycle_time_hours": "hours",
    "merged_prs": "count",
    "revert_rate": "share",
    "session_count": "count",
    "total_tokens": "count",
    "user_count": "count",
}
# Sums and counts, with the number of what they are made of.
_FACTS = {
    "active_developers": "merged_prs",
    "cost_usd": "n_cost",
    "merged_prs": "merged_prs",
    "session_count": "session_count",
    "total_tokens": "assistant_message_count",
    "user_count": "assistant_message_count",
}
_OF_USAGE = ("cost_usd", "session_count", "total_tokens", "user_count")
_OF_AI_LINES = ("ai_known_prs", "ai_matched_commits", "ai_matchable_commits")
_CLAIM_LEVEL = inference.claim_level(len(_UNITS) - len(_FACTS))
# A cost is a lower bound by the responses without a price: two costs compare only if about as much is known of both.
_MOST_APART = 0.05


@dataclass(frozen=True, slots=True)
class Days:
    """A range of days, both included."""

    first: date
    last: date

    def before(self, period: str | None) -> "Days":
        """Return the range to compare with: the same days of the month before, or as many days right before."""
        if period in ("this_month", "last_month"):
            last_of_month = self.first - timedelta(days=1)
            is_whole = period == "last_month"
            last = last_of_month if is_whole else last_of_month.replace(day=min(self.last.day, last_of_month.day))
            return Days(last_of_month.replace(day=1), last)
        return Days(self.first - (self.last - self.first) - timedelta(days=1), self.first - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value over n things; `shown` and `claimed` are its intervals at 95 % and at the level of a claim."""

    value: float | None
    n: int | None
    shown: Interval | None = None
    claimed: Interval | None = None


_UNKNOWN = Estimate(None, None)


@dataclass(frozen=True, slots=True)
class Measured:
    """The usage and all measures of one range of days."""

    used: dict[str, Any]
    delivered: dict[str, Any]
    measures: dict[str, Estimate]
    is_from_marts: bool


def summary(plan: QueryPlan, filters: ListFilters) -> dict[str, Any]:
    """Return what was spent and merged, how certain that is, and how it changed."""
    zone = ZoneInfo(filters.tz or plan.definitions.reporting_time_zone)
    days = Days(filters.from_ or date.min, filters.to or date.max)
    previous = days.before(filters.period)
    now, before = _measured(plan.fork(), filters, days), _measured(plan.fork(), filters, previous)
    begun = beginnings.find(plan)
    is_used, is_merged = begun.is_used_since(previous.first, zone), begun.is_settled_since(previous.first, zone)
    has_usage, has_merges = begun.is_used_since(days.last, zone), begun.has_merges_until(days.last, zone)
    is_priced = is_used and _are_priced_alike(now.used, before.used)
    comparable = {
        "cost_usd": is_priced,
        "cost_per_merged_pr": is_priced and is_merged,
        **dict.fromkeys(_OF_USAGE[1:], is_used),
    }
    rows = [
        _compared(
            name,
            # Without any data until the end of the range, nothing is known: that is not zero.
            now.measures[name] if (has_usage if name in _OF_USAGE else has_merges) else Estimate(None, 0),
            before.measures[name] if comparable.get(name, is_merged) else _UNKNOWN,
        )
        for name in sorted(now.measures)
    ]
    is_running = days.first <= plan.today <= days.last
    is_this_month = is_running and filters.period == "this_month"
    return PageOfRows.cut(rows, filters).answer(plan) | {
        "source": "marts" if now.is_from_marts and before.is_from_marts else "events",
        "previous": {"from": previous.first, "to": previous.last},
        "is_running": is_running,
        "projected_cost_usd": _projected(now.used["cost_usd"], days) if is_this_month and has_usage else None,
        "coverage": _coverage(now.used) | {name: now.delivered[name] if has_merges else None for name in _OF_AI_LINES},
        "people": plan.people.mode,
    }


def _compared(name: str, now: Estimate, before: Estimate) -> dict[str, Any]:
    """Return the row of a measure with its change: the difference of shares, and of others the relative change."""
    change, interval, verdict = None, None, "not_known"
    if now.value is not None and before.value is not None:
        is_relative = _UNITS[name] != "share"
        change = now.value - before.value
        if is_relative:
            change = change / before.value if before.value else None
        interval = _changed(now.shown, before.shown, is_relative)
        if name in _FACTS:
            verdict = "higher" if now.value > before.value else "lower" if now.value < before.value else "same"
        else:
            verdict = _verdict(now, before, _changed(now.claimed, before.claimed, is_relative))
    return {
        "measure": name,
        "unit": _UNITS[name],
        "value": now.value,
        "n": now.n,
        "interval_low": now.shown.low if now.shown else None,
        "interval_high": now.shown.high if now.shown else None,
        "previous_value": before.value,
        "previous_n": before.n,
        "change": change,
        "change_low": interval.low if interval else None,
        "change_high": interval.high if interval else None,
        "verdict": verdict,
    }


def _verdict(now: Estimate, before: Estimate, claimed: Interval | None) -> str:
    """Return what can be said of a change: it is claimed if its interval, at the level of a claim, has no zero."""
    if min(now.n or 0, before.n or 0) < inference.MIN_PULL_REQUESTS:
        return "too_few"
    if claimed is None or not claimed.is_without(0):
        return "no_clear_change"
    return "higher" if claimed.low > 0 else "lower"


def _changed(now: Interval | None, before: Interval | None, is_relative: bool) -> Interval | None:
    if now is None or before is None:
        return None
    return inference.relative_change(now, before) if is_relative else inference.difference(now, before)


def _projected(cost: Any, days: Days) -> float | None:
    """Return the cost of the month if its other days cost as much as those until today."""
    if cost is None:
        return None
    return float(cost) / days.last.day * monthrange(days.last.year, days.last.month)[1]


def _are_priced_alike(now: dict[str, Any], before: dict[str, Any]) -> bool:
    shares = [_share(each["n_cost"], each["assistant_message_count"]) for each in (now, before)]
    known = [share for share in shares if share is not None]
    return max(known, default=0) - min(known, default=0) <= _MOST_APART


def _coverage(used: dict[str, Any]) -> dict[str, Any]:
    return {
        "cost_known_share": _share(used["n_cost"], used["assistant_message_count"]),
        "responses_without_cost": used["assistant_message_count"] - used["n_cost"],
        "cost_with_repository_share": _share(used["cost_with_repository"], used["cost_usd"]),
        "cost_with_developer_share": _share(used["cost_with_developer"], used["cost_usd"]),
    }


def _share(part: Any, whole: Any) -> float | None:
    return float(part or 0) / float(whole) if whole else None


def _measured(plan: QueryPlan, filters: ListFilters, days: Days) -> Measured:
    """Return the sums of a range of days, and what follows from them."""
    filters = filters.model_copy(update={"from_": days.first, "to": days.last})
    usage.apply_filters(plan, filters)
    plan.add("merged", lists.merged_on_days(plan, filters))
    used, delivered = _used(plan), _delivered(plan)
    ends = min(days.last, max(plan.today, days.first))
    sums = used | delivered
    facts = {name: Estimate(None if sums[name] is None else float(sums[name]), sums[n]) for name, n in _FACTS.items()}
    estimates = {
        "cost_per_merged_pr": _cost_per_merged_pr(plan, filters, (ends - days.first).days + 1),
        "median_cycle_time_hours": _median(plan, delivered["n_cycle_time_hours"]),
        "revert_rate": _rate(delivered["reverted_prs"], delivered["n_revert_known"]),
        "ai_line_share": _line_share(delivered),
    }
    return Measured(used, delivered, facts | estimates, plan.source == "marts")


def _used(plan: QueryPlan) -> dict[str, Any]:
    daily, events = plan.table("usage_daily"), plan.table("usage_events")
    repositories, developers = plan.stored("project_repositories"), plan.stored("user_developers")
    text = f"""SELECT {usage.SUMS}, COUNT(DISTINCT t.user_id) AS user_count,
        SUM(CASE WHEN r.repo_name IS NOT NULL THEN t.cost_usd END) AS cost_with_repository,
        SUM(CASE WHEN d.developer IS NOT NULL THEN t.cost_usd END) AS cost_with_developer
        FROM {daily} AS t LEFT JOIN {repositories} AS r ON {usage.SAME_PLACE}
        LEFT JOIN {developers} AS d ON t.user_id = d.user_id"""
    (added,) = plan.query(text)
    different = f"SELECT DISTINCT agent, session_id FROM {events}"
    (counted,) = plan.query(f"SELECT COUNT(*) AS session_count FROM ({different}) AS different")
    return added | counted


def _delivered(plan: QueryPlan) -> dict[str, Any]:
    known = "additions IS NOT NULL AND ai_lines_added IS NOT NULL"
    pairs = f"""SELECT *, CASE WHEN {known} THEN CAST(ai_lines_added AS DOUBLE) END AS x,
        CASE WHEN {known} THEN CAST(additions AS DOUBLE) END AS y FROM merged"""
    text = f"""SELECT COUNT(*) AS merged_prs,
        COUNT(DISTINCT CASE WHEN NOT COALESCE(is_bot, FALSE) THEN developer END) AS active_developers,
        COUNT(cycle_time_hours) AS n_cycle_time_hours, COUNT(is_reverted) AS n_revert_known,
        COUNT(CASE WHEN is_reverted THEN 1 END) AS reverted_prs, CAST(SUM(additions) AS BIGINT) AS lines_added,
        CAST(SUM(ai_lines_added) AS BIGINT) AS ai_lines_added,
        COUNT(ai_lines_added) AS ai_known_prs, CAST(SUM(ai_matched_commit_count) AS BIGINT) AS ai_matched_commits,
        CAST(SUM(ai_matchable_commits) AS BIGINT) AS ai_matchable_commits,
        COUNT(x) AS n, SUM(x) AS x, SUM(y) AS y, SUM(x * x) AS xx, SUM(y * y) AS yy, SUM(x * y) AS xy
        FROM ({pairs}) AS pairs"""
    (found,) = plan.query(text)
    return found


def _median(plan: QueryPlan, n: int) -> Estimate:
    """Return the median of the cycle time. The limits of its intervals are percentiles that depend on n."""
    wanted = [0.5]
    ranks = [inference.median_percentiles(n, level) for level in (SHOWN_LEVEL, _CLAIM_LEVEL)]
    wanted += [place for pair in ranks if pair for place in pair]
    columns = ", ".join(
        f"PERCENTILE_CONT({place:.15f}) WITHIN GROUP (ORDER BY cycle_time_hours) AS p{number}"
        for number, place in enumerate(wanted)
    )
    (row,) = plan.query(f"SELECT {columns} FROM merged")
    median, *limits = (row[f"p{number}"] for number in range(len(wanted)))
    intervals = [Interval(median, limits.pop(0), limits.pop(0)) if pair else None for pair in ranks]
    return Estimate(median, n, *intervals)


def _rate(events: int, n: int) -> Estimate:
    shown, claimed = (inference.wilson(events, n, level) for level in (SHOWN_LEVEL, _CLAIM_LEVEL))
    return Estimate(shown.value if shown else None, n, shown, claimed)


def _line_share(delivered: dict[str, Any]) -> Estimate:
    """Return the share of AI in the lines added, as docs/metrics.md has it; its pairs are pull requests."""
    n, added, by_ai = delivered["n"], delivered["lines_added"], delivered["ai_lines_added"]
    if not n or not added or by_ai is None:
        return Estimate(None, n)
    pairs = inference.Pairs(**{name: delivered[name] for name in ("n", "x", "y", "xx", "yy", "xy")})
    return _ratio(pairs, by_ai / added, n)


def _cost_per_merged_pr(plan: QueryPlan, filters: ListFilters, days: int) -> Estimate:
    """Return the cost of the repositories whose cost is known, per pull request merged there; its pairs are days."""
    attributed = f"""SELECT t.day, r.repo_name, CASE WHEN SUM(t.n_cost) > 0 THEN SUM(t.cost_usd) END AS cost_usd
        FROM {plan.table("usage_daily")} AS t
        JOIN {plan.stored("project_repositories")} AS r ON {usage.SAME_PLACE}
        WHERE r.repo_name IS NOT NULL GROUP BY t.day, r.repo_name"""
    spent = plan.add("spent", Sql(attributed))
    clock = plan.dialect.clock.format(instant="merged_at")
    zoned = f"""SELECT CAST({clock} AS DATE) AS day FROM merged
        WHERE repo_name IN (SELECT repo_name FROM {spent} WHERE cost_usd IS NOT NULL)"""
    plan.add("zoned", Sql(zoned, (filters.tz or plan.definitions.reporting_time_zone,)))
    merged = {
        row["day"]: row["merged_prs"]
        for row in plan.query("SELECT day, COUNT(*) AS merged_prs FROM zoned GROUP BY day ORDER BY day")
    }
    cost = {
        row["day"]: row["cost_usd"]
        for row in plan.query(f"SELECT day, SUM(cost_usd) AS cost_usd FROM {spent} GROUP BY day ORDER BY day")
        if row["cost_usd"] is not None
    }
    n = sum(merged.values())
    if not cost or not n:
        return Estimate(None, n)
    both = [(float(cost.get(day, 0)), merged.get(day, 0)) for day in sorted(cost.keys() | merged.keys())]
    sums = [sum(terms) for terms in zip(*((x, y, x * x, y * y, x * y) for x, y in both), strict=True)]
    return _ratio(inference.Pairs(days, *sums), float(sum(cost.values())) / n, n)


def _ratio(pairs: inference.Pairs, value: float, n: int) -> Estimate:
    return Estimate(value, n, *(inference.ratio(pairs, value, level) for level in (SHOWN_LEVEL, _CLAIM_LEVEL)))
