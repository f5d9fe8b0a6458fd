"""The mart of docs/metrics.md about what a source says and cannot be: instants before 1990, ratios outside 0 to 1."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from simulator.truth.measured import (
    SOURCE,
    happened_us,
    is_ratio,
    newest_commits,
    newest_pulls,
    newest_reviews,
)
from simulator.world import Row, World

_OF_A_PULL = ("created_at", "merged_at", "closed_at", "first_commit_at", "last_commit_at", "first_review_at")
BEFORE_1990 = "before_1990"


def implausible_values(world: World, account: str = "") -> list[Row]:
    """Return the rows of the mart, of a world."""
    return counted(SOURCE, account, _found(world))


def counted(source: str, account: str, found: Iterable[tuple[str, str, int]]) -> list[Row]:
    """Return a row for each table and reason, of the number of values in each row of the table."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for table, reason, values in found:
        if values:
            groups[table, reason].append(values)
    return [
        {
            "source": source,
            "account": account,
            "table_name": table,
            "reason": reason,
            "row_count": len(values),
            "value_count": sum(values),
        }
        for (table, reason), values in groups.items()
    ]


def _found(world: World) -> Iterator[tuple[str, str, int]]:
    for commit in newest_commits(world):
        yield "commits", BEFORE_1990, _early(commit, ("commitTs",))
    for pull in newest_pulls(world):
        yield "pull_requests", BEFORE_1990, _early(pull, _OF_A_PULL)
        ratio = pull.get("ai_ratio")
        yield "pull_requests", "ai_ratio_outside_0_and_1", int(ratio is not None and not is_ratio(ratio))
    for review in newest_reviews(world):
        yield "reviews", BEFORE_1990, _early(review, ("submitted_at",))


def _early(row: Row, columns: Iterable[str]) -> int:
    given = [row[column] for column in columns if row.get(column) is not None]
    return sum(happened_us(text) is None for text in given)
