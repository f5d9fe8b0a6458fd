# ruff: noqa: S608 - the names are our own, and values are bound
"""A page of sorted rows, with the total count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from millrace.api.filters import Filters
from millrace.api.plans import QueryPlan

_ASCENDING = ("day", "project", "provider", "model", "repo_name", "ai_band", "agent", "session_id")


@dataclass(frozen=True, slots=True)
class PageOfRows:
    """One page of `total` rows."""

    rows: list[dict[str, Any]]
    total: int
    filters: Filters

    @classmethod
    def cut(cls, rows: list[dict[str, Any]], filters: Filters) -> Self:
        """Return the page of all rows, which are sorted in ascending order."""
        ordered = rows[::-1] if filters.order == "desc" else rows
        return cls(ordered[filters.offset : filters.offset + filters.limit], len(rows), filters)

    def answer(self, plan: QueryPlan) -> dict[str, Any]:
        """Return the fields that the answers of all routes have."""
        return {
            "source": plan.source,
            "from": self.filters.from_,
            "to": self.filters.to,
            "time_zone": self.filters.tz or plan.definitions.reporting_time_zone,
            "total_count": self.total,
            "limit": self.filters.limit,
            "offset": self.filters.offset,
            "has_more": self.filters.offset + len(self.rows) < self.total,
            "rows": self.rows,
        }


def page(plan: QueryPlan, table: str, columns: Sequence[str], filters: Filters, keys: Sequence[str]) -> PageOfRows:
    """Read one page. Rows with the same value in the sort column are in the order of their keys."""
    sort: str = getattr(filters, "sort", keys[0])
    order = filters.order or ("asc" if sort in _ASCENDING else "desc")
    others = "".join(f", {key} ASC NULLS FIRST" for key in keys if key != sort)
    named = ", ".join(columns)
    text = f"""SELECT {named}, (SELECT COUNT(*) FROM {table}) AS total_count FROM {table}
        ORDER BY {sort} {order.upper()} NULLS LAST{others} LIMIT {filters.limit:d} OFFSET {filters.offset:d}"""
    rows = plan.query(text)
    if rows or not filters.offset:
        return PageOfRows(rows, rows[0]["total_count"] if rows else 0, filters)
    (counted,) = plan.query(f"SELECT COUNT(*) AS total_count FROM {table}")
    return PageOfRows([], counted["total_count"], filters)
