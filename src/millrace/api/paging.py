# ruff: noqa: S608 - the names are our own, and values are bound
"""A page of sorted rows, with the total count."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Self

from millrace.api.filters import Filters
from millrace.api.plans import QueryPlan

_ASCENDING = (
    "day",
    "project",
    "provider",
    "model",
    "repo_name",
    "ai_band",
    "agent",
    "session_id",
    "person",
    "developer",
)


@dataclass(frozen=True, slots=True)
class PageOfRows:
    """One page of `total` rows."""

    rows: list[dict[str, Any]]
    total: int
    filters: Filters

    @classmethod
    def sort(cls, rows: list[dict[str, Any]], filters: Filters, keys: Sequence[str]) -> Self:
        """Return the page of all rows, in the order that `page` has."""
        column, order = _order(filters, keys)
        ordered = sorted(rows, key=lambda row: [(row[key] is not None, row[key]) for key in keys])
        known = [row for row in ordered if row.get(column) is not None]
        known.sort(key=itemgetter(column), reverse=order == "desc")
        unknown = [row for row in ordered if row.get(column) is None]
        return cls([*known, *unknown][filters.offset : filters.offset + filters.limit], len(rows), filters)

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


def _order(filters: Filters, keys: Sequence[str]) -> tuple[str, str]:
    """Return the column to sort by, and the order that suits it unless another one is requested."""
    sort: str = getattr(filters, "sort", keys[0])
    return sort, filters.order or ("asc" if sort in _ASCENDING else "desc")


def page(plan: QueryPlan, table: str, columns: Sequence[str], filters: Filters, keys: Sequence[str]) -> PageOfRows:
    """Read one page. Rows with the same value in the sort column are in the order of their keys."""
    sort, order = _order(filters, keys)
    others = "".join(f", {key} ASC NULLS FIRST" for key in keys if key != sort)
    named = ", ".join(columns)
    text = f"""SELECT {named}, (SELECT COUNT(*) FROM {table}) AS total_count FROM {table}
        ORDER BY {sort} {order.upper()} NULLS LAST{others} LIMIT {filters.limit:d} OFFSET {filters.offset:d}"""
    rows = plan.query(text)
    if rows or not filters.offset:
        return PageOfRows(rows, rows[0]["total_count"] if rows else 0, filters)
    (counted,) = plan.query(f"SELECT COUNT(*) AS total_count FROM {table}")
    return PageOfRows([], counted["total_count"], filters)
