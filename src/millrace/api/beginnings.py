# ruff: noqa: S608 - the names are our own
"""Since when the data can be compared.

A pull request that took long, and was begun before the data, is in no row. So the first weeks have only quick and few
merges: cycle time seems to rise, and so does the number of merges. They are settled when nine of ten pull requests
that began with the data are merged.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from millrace.api.plans import QueryPlan


@dataclass(frozen=True, slots=True)
class Beginnings:
    """The first merge, when merges are settled, and the first event of usage; None when there is nothing."""

    merged_at: datetime | None
    settled_at: datetime | None
    used_at: datetime | None

    def is_settled_since(self, day: date, zone: ZoneInfo) -> bool:
        """Return whether the merges from this day on can be compared."""
        return self.settled_at is not None and begins(day, zone) >= self.settled_at

    def is_used_since(self, day: date, zone: ZoneInfo) -> bool:
        """Return whether usage was collected on this day or before it."""
        return self.used_at is not None and day >= self.used_at.astimezone(zone).date()

    def has_merges_until(self, day: date, zone: ZoneInfo) -> bool:
        """Return whether any pull request was merged on this day or before it."""
        return self.merged_at is not None and day >= self.merged_at.astimezone(zone).date()


def find(plan: QueryPlan, is_usage_wanted: bool = True) -> Beginnings:
    """Return the beginnings of all data, whatever is selected."""
    plan = plan.fork()
    text = f"""SELECT MIN(merged_at) AS merged_at,
        PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY cycle_time_hours) AS p90
        FROM {plan.stored("merged_pull_requests")}"""
    (merged,) = plan.query(text)
    first, hours = merged["merged_at"], merged["p90"]
    settled = first and first + timedelta(hours=max(0.0, hours or 0.0))
    if not is_usage_wanted:
        return Beginnings(first, settled, None)
    (used,) = plan.fork().query(f"SELECT MIN(occurred_at) AS used_at FROM {plan.stored('usage_events')}")
    return Beginnings(first, settled, used["used_at"])


def weeks_note(plan: QueryPlan, first: date, last: date, tz: str | None) -> dict[str, Any]:
    """Return the weeks of a range that are not comparable: those before merges are settled, and unfinished ones.

    A week is unfinished while it contains today, or ends after the newest extraction.
    """
    zone = ZoneInfo(tz or plan.definitions.reporting_time_zone)
    begun = find(plan, is_usage_wanted=False)
    if begun.merged_at is None or begun.settled_at is None:
        return {"first_unsettled": [], "running": []}
    first = max(first, begun.merged_at.astimezone(zone).date() - timedelta(days=6))
    last = min(last, plan.today)
    monday = first + timedelta(days=-first.weekday() % 7)
    weeks = [monday + timedelta(weeks=n) for n in range(max(0, (last - monday).days // 7 + 1))]
    as_of = plan.snapshot.build.as_of
    today = begins(plan.today, zone)
    known = today if as_of is None else min(as_of, today)
    return {
        "first_unsettled": [week for week in weeks if begins(week, zone) < begun.settled_at],
        "running": [week for week in weeks if begins(week + timedelta(weeks=1), zone) > known],
    }


def is_elsewhere(plan: QueryPlan, zone: str | None) -> bool:
    """Return whether a zone is another one than that of the marts."""
    return zone not in (None, plan.definitions.reporting_time_zone)


def begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant when a day begins."""
    return datetime.combine(day, time(), zone)
