"""Rows of `source_windows`: what was read of an account, and how sure it is that it is everything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from millrace.extract.reading import Row
from millrace.extract.sources.github.rows import SYSTEM

State = Literal["known", "known_empty", "provisional", "unknown", "refused"]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of reading one window: `rows` different keys, of `total` that the source reports.

    `reason` is for people: why the state is not `known`, or what is unusual, and the next step.
    """

    state: State
    rows: int | None = None
    total: int | None = None
    reason: str | None = None

    @classmethod
    def of_counts(cls, rows: int, total: int, reason: str | None = None) -> "Found":
        """Return `known` or `known_empty` for equal counts."""
        return cls("known" if total else "known_empty", rows, total, reason)

    @property
    def is_settled(self) -> bool:
        """Whether the source's total shows that everything was read."""
        return self.state in ("known", "known_empty")


def window_row(account: str, what: str, window: str, name: str, found: Found, read_at: datetime) -> Row:
    """Return the row of a window of the object `what`, such as the pull requests of a repository."""
    at = read_at.isoformat()
    row: Row = {
        "source": SYSTEM,
        "account": account,
        "object": what,
        "window": window,
        "name": name,
        "state": found.state,
        "row_count": found.rows,
        "source_total": found.total,
        "reason": found.reason,
        "settled_at": at if found.is_settled else None,
        "read_at": at,
    }
    return {column: value for column, value in row.items() if value is not None}
