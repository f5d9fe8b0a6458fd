"""The knob for a true effect of AI changes times of pull requests with much AI, and nothing else."""

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

import simulator
from simulator.instants import parse_instant

END = datetime(2026, 10, 20, 12, tzinfo=UTC)
LATER = datetime(2026, 12, 20, 12, tzinfo=UTC)
SETTLED = "2026-11-25"  # what was created before is merged and reverted at LATER, with and without the effect
make = partial(simulator.generate, developers=30, seed=3, days=100, end=LATER)
INSTANTS = (
    "created_at",
    "updated_at",
    "merged_at",
    "closed_at",
    "first_commit_at",
    "first_review_at",
    "last_commit_at",
)
Rows = dict[int, dict[str, Any]]


def rows_of(world: simulator.World) -> list[bytes]:
    return [table.rows.join(range(len(table.rows))) for table in (world.commits, world.pulls, world.reviews)]


@pytest.fixture(scope="module")
def plain() -> simulator.World:
    return make()


@pytest.fixture(scope="module")
def shorter() -> simulator.World:
    return make(ai_effect=-0.3)


def pulls(world: simulator.World) -> Rows:
    return {row["id"]: row for row in world.pulls.rows}


def settled(world: simulator.World) -> Rows:
    return {key: row for key, row in pulls(world).items() if row["created_at"] < SETTLED}


def first_commits(world: simulator.World) -> dict[str, int]:
    return {row["commitHash"]: parse_instant(row["commitTs"]) for row in world.commits.rows}


def test_rows_without_an_effect_are_those_of_before_the_knob() -> None:
    world = simulator.generate(developers=8, seed=3, days=20, end=END)
    assert (
        hashlib.sha256(b"".join(rows_of(world))).hexdigest()
        == "9cecc224b488d8ddd9b9da63e2341fee34a568844a6af37997265925e426131f"
    )


def test_cycle_time_with_much_ai_is_shorter_by_the_share(plain: simulator.World, shorter: simulator.World) -> None:
    before, after = settled(plain), pulls(shorter)
    at, shares = first_commits(plain), []
    for key, row in before.items():
        if (row.get("ai_ratio") or 0) >= 0.6 and row.get("merged_at") and row.get("commit_ids", [""])[0] in at:
            first = at[row["commit_ids"][0]]
            shares.append((parse_instant(after[key]["merged_at"]) - first) / (parse_instant(row["merged_at"]) - first))
    assert len(shares) > 50
    assert shares == pytest.approx([0.7] * len(shares), abs=1e-6)


def test_all_else_is_the_same(plain: simulator.World, shorter: simulator.World) -> None:
    before, after = settled(plain), pulls(shorter)

    def untimed(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in INSTANTS}

    assert [untimed(row) for row in before.values()] == [untimed(after[key]) for key in before]
    little = [key for key, row in before.items() if "ai_ratio" in row and row["ai_ratio"] < 0.6]
    assert len(little) > 1000
    assert [before[key] for key in little] == [after[key] for key in little]
    assert [row["id"] for row in plain.reviews.rows if row["pr_id"] in before] == [
        row["id"] for row in shorter.reviews.rows if row["pr_id"] in before
    ]


@pytest.mark.parametrize("effect", [-1.0, 0.5])
def test_impossible_effect_is_refused(effect: float) -> None:
    with pytest.raises(ValueError, match=f"ai_effect: {effect} is not in -0.9..0.3"):
        make(days=1, ai_effect=effect)
