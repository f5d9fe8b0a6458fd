# ruff: noqa: S608 - the names are our own, and values are bound
"""A page of sorted rows, with the total count; without a limit, all rows, which are read in chunks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from millrace.api import people
from millrace.api.filters import Filters
from millrace.api.plans import QueryPlan

CHUNK = 5_000  # rows of one query
MAX_CSV_ROWS = 200_000  # in one file, which takes up to 100 MB where it is written, on Cloud Run in memory
_ASCENDING = (
    *("day", "project", "provider", "model", "repo_name", "ai_band", "agent", "session_id", "person", "developer"),
    *("opened_by", "measure", "name", "source", "account", "object", "window_id", "state"),
)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PageOfRows:
    """One page of `total` rows. Without a limit the rows may be an iterator, which reads while its snapshot is open."""

    rows: Iterable[Row]
    total: int
    filters: Filters

    @classmethod
    def sort(cls, rows: list[Row], plan: QueryPlan, filters: Filters, keys: Sequence[str]) -> Self:
        """Return the page of all rows, in the order that `page` has; rows with hidden names are in another one."""
        column, order = _order(filters, keys)

        def value(row: Row, key: str) -> Any:
            return plan.people.shown(row[key]) if key in people.COLUMNS else row.get(key)

        ordered = sorted(rows, key=lambda row: [(value(row, key) is not None, value(row, key)) for key in keys])
        known = [row for row in ordered if row.get(column) is not None]
        known.sort(key=lambda row: value(row, column), reverse=order == "desc")
        unknown = [row for row in ordered if row.get(column) is None]
        return cls(_cut([*known, *unknown], filters), len(rows), filters)

    @classmethod
    def cut(cls, rows: list[Row], filters: Filters) -> Self:
        """Return the page of all rows, which are sorted in ascending order."""
        ordered = rows[::-1] if filters.order == "desc" else rows
        return cls(_cut(ordered, filters), len(rows), filters)

    def answer(self, plan: QueryPlan) -> dict[str, Any]:
        """Return the fields that the answers of all routes have."""
        limit = self.filters.limit
        return {
            "source": plan.source,
            "from": self.filters.from_,
            "to": self.filters.to,
            "time_zone": self.filters.tz or plan.definitions.reporting_time_zone,
            "total_count": self.total,
            "limit": limit,
            "offset": self.filters.offset,
            "has_more": limit is not None and self.filters.offset + limit < self.total,
            "rows": self.rows,
        }


def _cut(rows: list[Row], filters: Filters) -> list[Row]:
    end = None if filters.limit is None else filters.offset + filters.limit
    return rows[filters.offset : end]


def _order(filters: Filters, keys: Sequence[str]) -> tuple[str, str]:
    """Return the column to sort by, and the order that suits it unless another one is requested."""
    sort: str = getattr(filters, "sort", keys[0])
    return sort, filters.order or ("asc" if sort in _ASCENDING else "desc")


def page(plan: QueryPlan, table: str, columns: Sequence[str], filters: Filters, keys: Sequence[str]) -> PageOfRows:
    """Read one page. Rows with the same value in the sort column are in the order of their keys."""
    sort, order = _order(filters, keys)
    others = "".join(f", {key} ASC NULLS FIRST" for key in keys if key != sort)
    ordered = f"ORDER BY {sort} {order.upper()} NULLS LAST{others}"
    named = ", ".join(columns)
    if filters.limit is None:
        (counted,) = plan.query(f"SELECT COUNT(*) AS total_count FROM {table}")
        total: int = counted["total_count"]
        chunks = range(filters.offset, total, CHUNK)
        text = f"SELECT {named} FROM {table} {ordered} LIMIT"
        return PageOfRows(_all_rows(plan, [f"{text} {CHUNK:d} OFFSET {offset:d}" for offset in chunks]), total, filters)
    text = f"""SELECT {named}, (SELECT COUNT(*) FROM {table}) AS total_count FROM {table}
        {ordered} LIMIT {filters.limit:d} OFFSET {filters.offset:d}"""
    rows = plan.query(text)
    if rows or not filters.offset:
        return PageOfRows(rows, rows[0]["total_count"] if rows else 0, filters)
    (counted,) = plan.query(f"SELECT COUNT(*) AS total_count FROM {table}")
    return PageOfRows([], counted["total_count"], filters)


def _all_rows(plan: QueryPlan, texts: list[str]) -> Iterator[Row]:
    for text in texts:
        yield from plan.query(text)
