"""The periods that a word names: the days of each, for any today."""

from datetime import date, timedelta
from typing import Literal

MAX_DAYS = 3660
Period = Literal[
    "today",
    "yesterday",
    "week",
    "month",
    "all",
    "this_month",
    "last_month",
    "last_7_days",
    "last_30_days",
    "last_90_days",
    "this_year",
]
_ENDING_TODAY = {
    "today": 1,
    "week": 7,
    "last_7_days": 7,
    "month": 30,
    "last_30_days": 30,
    "last_90_days": 90,
    "all": MAX_DAYS,
}


def days_of(period: Period, today: date) -> tuple[date, date]:
    """Return the first and the last day of a period. One that is not over ends today."""
    one, first_of_month = timedelta(days=1), today.replace(day=1)
    match period:
        case "yesterday":
            return today - one, today - one
        case "this_month":
            return first_of_month, today
        case "last_month":
            last = first_of_month - one
            return last.replace(day=1), last
        case "this_year":
            return today.replace(month=1, day=1), today
    return today - timedelta(days=_ENDING_TODAY[period] - 1), today
