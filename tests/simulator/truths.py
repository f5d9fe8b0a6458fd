"""Tiny worlds and their truth, for computing by hand from docs/metrics.md."""

from datetime import UTC, datetime
from typing import Any

from tests.simulator.rows import pull

import simulator
from simulator.truth import MeasuredPull, marts, merged_pulls

AS_OF = datetime(2026, 10, 25, tzinfo=UTC)  # a Sunday: all of it is in the week of Monday the 19th
CREATED, MERGED = "2026-10-19T10:00:00Z", "2026-10-20T10:00:00Z"
Row = dict[str, Any]


def merged(number: int = 1, **other: object) -> Row:
    return pull(number, CREATED) | {"state": "merged", "merged_at": MERGED} | other


def world_of(*pulls: Row, commits: list[Row] | None = None, reviews: list[Row] | None = None) -> simulator.World:
    return simulator.World.of(
        commits=commits or [], pull_requests=pulls, reviews=reviews or [], end="2026-10-25T00:00:00Z"
    )


def measured(*pulls: Row, commits: list[Row] | None = None, reviews: list[Row] | None = None) -> MeasuredPull:
    (only,) = merged_pulls(world_of(*pulls, commits=commits, reviews=reviews), AS_OF)
    return only


def mart(name: str, *pulls: Row, commits: list[Row] | None = None, reviews: list[Row] | None = None) -> Row:
    (only,) = marts(world_of(*pulls, commits=commits, reviews=reviews), AS_OF)[name]
    return only
