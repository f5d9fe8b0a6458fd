"""A world of cursor-sim in which clocks were wrong, and whose source says ratios that are none."""

from collections.abc import Callable
from itertools import cycle

from simulator.world import Row, StoredRows, World

_EPOCH, _EIGHTIES = "1970-01-01T00:00:00Z", "1985-06-01T00:00:00Z"


def world_with_wrong_clocks(world: World, end: str) -> World:
    """Return the world with instants of 1970 and 1985, ratios outside 0 to 1, and more lines of AI than additions."""
    return World.of(
        repos=world.repos,
        commits=_every_tenth(world.commits.rows, commitTs=_EPOCH),
        pull_requests=[row | odd(row) for odd, row in zip(cycle(_OF_CURSOR_SIM), world.pulls.rows, strict=False)],
        reviews=_every_tenth(world.reviews.rows, submitted_at=_EPOCH),
        members=world.members,
        end=end,
    )


def _every_tenth(rows: StoredRows, **values: str) -> list[Row]:
    return [row | values if number % 10 == 0 else row for number, row in enumerate(rows)]


_OF_CURSOR_SIM: tuple[Callable[[Row], Row], ...] = (
    lambda row: {"first_commit_at": _EIGHTIES, "last_commit_at": _EIGHTIES},
    lambda row: {"merged_at": _EPOCH, "closed_at": _EPOCH} if row.get("merged_at") else {},
    lambda row: {"created_at": _EPOCH},
    lambda row: {"first_review_at": _EPOCH},
    lambda row: {"ai_ratio": -0.1},
    lambda row: {"ai_ratio": 1.5, "tab_lines": row["additions"] // 2, "composer_lines": 0},
    lambda row: {"ai_ratio": None, "tab_lines": row["additions"], "composer_lines": 5},
    lambda row: {},
)
