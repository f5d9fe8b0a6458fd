"""A world is determined by its seed, and a later end adds to it without changing earlier rows."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

import simulator
from simulator.instants import parse_instant, to_ns

END = datetime(2026, 10, 20, 12, tzinfo=UTC)
make = partial(simulator.generate, developers=6, seed=3)
StoredRows = dict[object, dict[str, object]]


def commits(world: simulator.World) -> StoredRows:
    return {row["commitHash"]: row for row in world.commits.rows}


def pulls(world: simulator.World) -> StoredRows:
    return {row["id"]: row for row in world.pulls.rows}


def reviews(world: simulator.World) -> StoredRows:
    return {row["id"]: row for row in world.reviews.rows}


def test_same_seed_produces_same_bytes() -> None:
    one, other = (make(days=10, end=END) for _ in range(2))
    everything = range(len(one.pulls.rows))
    assert one.pulls.rows.join(everything) == other.pulls.rows.join(everything)


def test_other_seed_produces_other_rows() -> None:
    assert not commits(make(days=5, end=END)).keys() & commits(make(seed=4, days=5, end=END)).keys()


def test_a_later_end_keeps_every_commit_and_review_as_it_was() -> None:
    before, after = make(days=20, end=END), make(days=25, end=END + timedelta(days=5))
    assert commits(before).items() <= commits(after).items()
    assert reviews(before).items() <= reviews(after).items()
    assert len(commits(after)) > len(commits(before))


def test_a_later_end_changes_only_open_pull_requests_flags_and_first_reviews() -> None:
    many = partial(make, developers=40)
    before, after = pulls(many(days=20, end=END)), pulls(many(days=25, end=END + timedelta(days=5)))
    changed = {
        (before[key]["state"], after[key]["state"], name)
        for key in before
        for name in before[key].keys() | after[key].keys()
        if before[key].get(name) != after[key].get(name)
    }
    without_move = {name for old, new, name in changed if old == new}
    assert {"was_reverted"} <= without_move <= {"was_reverted", "first_review_at"}
    assert {(old, new) for old, new, _ in changed if old != new} == {("open", "merged"), ("open", "closed")}


def test_other_start_produces_same_rows_for_shared_days() -> None:
    short, long = make(days=3, end=END), make(days=12, end=END)
    assert pulls(short).items() <= pulls(long).items()
    assert commits(short).items() <= commits(long).items()


def test_a_revert_is_flagged_within_two_weeks_of_the_creation() -> None:
    many = partial(make, developers=40)
    before, after = pulls(many(days=30, end=END)), pulls(many(days=60, end=END + timedelta(days=30)))
    late = [
        row["created_at"]
        for key, row in before.items()
        if row["state"] == "merged" and row.get("was_reverted") != after[key].get("was_reverted")
    ]
    assert late
    assert all(to_ns(END) - parse_instant(str(at)) < 14 * 86_400 * 10**9 for at in late)


def test_no_row_is_dated_before_the_first_day() -> None:
    world = make(days=10, end=END)
    assert min(world.pulls.created_ns) >= to_ns(datetime(2026, 10, 11, tzinfo=UTC))
    assert min(world.commits.at_ns) >= to_ns(datetime(2026, 10, 11, tzinfo=UTC))


def test_nothing_is_dated_after_the_end_but_early_merges_and_reviews() -> None:
    world = make(days=30, end=END)
    assert max(world.commits.at_ns) <= to_ns(END)
    assert max(world.pulls.created_ns) <= to_ns(END)
    assert any(parse_instant(row["merged_at"]) > to_ns(END) for row in world.pulls.rows if "merged_at" in row)
    assert any(parse_instant(row["submitted_at"]) > to_ns(END) for row in world.reviews.rows)


def test_a_medium_month_has_the_size_of_a_recorded_one() -> None:
    world = make(developers=30, days=30, end=END)
    assert 1200 < len(world.pulls.rows) < 1700
    assert 1.7 < len(world.reviews.rows) / len(world.pulls.rows) < 2.3
    shares = {state: len(rows) / len(world.pulls.rows) for state, rows in world.pulls.by_state.items()}
    assert shares["merged"] > 0.7
    assert 0.03 < shares["closed"] < 0.15
    assert 0.03 < shares["open"] < 0.2


def test_high_velocity_makes_over_five_pull_requests_per_developer_day() -> None:
    world = make(developers=20, days=28, end=END, velocity="high")
    assert len(world.pulls.rows) > 20 * 28 * 5.5
    assert len(world.commits.rows) > len(world.pulls.rows)
    assert len(world.reviews.rows) > 2 * len(world.pulls.rows)


def test_every_oddity_occurs() -> None:
    world = make(developers=30, days=40, end=END)
    rows = list(world.pulls.rows)
    assert any("commit_ids" not in row for row in rows)
    assert any("ai_ratio" not in row and "tab_lines" in row for row in rows)
    assert any("tab_lines" not in row for row in rows)
    assert any(row.get("ai_ratio") == 0.3 for row in rows)
    assert any(row.get("ai_ratio") == 0.6 for row in rows)
    assert any(row["additions"] == 0 for row in rows)
    assert any(row["author_id"] == "" for row in rows)
    assert any(row["author_email"] == "" for row in rows)
    assert any("first_commit_at" in row for row in rows)
    assert any(row["head_branch"] == "main" for row in rows)
    assert any(row["reviewers"] for row in rows)
    assert any(len(row.get("commit_ids", [])) > 1 for row in rows)
    assert any(row.get("was_reverted") for row in rows)
    assert any(row["author_id"] == "user_bot" for row in rows)
    assert any(row["created_at"] < row["updated_at"] for row in rows)
    assert any(row["created_at"] > row["updated_at"] for row in rows)
    states = {row["state"] for row in world.reviews.rows}
    assert {"approved", "changes_requested", "pending", "APPROVED", "Approved"} <= states


def test_additions_are_the_sum_over_the_commits() -> None:
    world = make(days=10, end=END)
    known = commits(world)
    for row in world.pulls.rows:
        own = [known[name] for name in row.get("commit_ids", []) if name in known]
        assert not own or row["additions"] == sum(int(str(commit["totalLinesAdded"])) for commit in own)


def test_ids_of_pull_requests_are_not_their_numbers_and_neither_repeats() -> None:
    rows = list(make(developers=20, days=30, end=END).pulls.rows)
    assert len({row["id"] for row in rows}) == len({row["number"] for row in rows}) == len(rows)
    assert not {row["id"] for row in rows} & {row["number"] for row in rows}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"developers": 1}, "developers: 1 is not in 2..2000", id="one developer"),
        pytest.param({"days": 0}, "days: 0 is not in 1..3650", id="no day"),
        pytest.param({"velocity": "warp"}, "velocity: 'warp' is none of low, medium, high", id="velocity"),
        pytest.param({"clone_share": 2}, "clone_share: 2 is not in 0..1", id="share"),
    ],
)
def test_a_world_that_cannot_be_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        simulator.generate(**options)  # type: ignore[arg-type]  # options vary by case


def test_clones_have_no_name_on_their_pull_requests_but_on_their_commits() -> None:
    world = make(developers=10, days=10, end=END, clone_share=0.3)
    clones = {row["author_id"] for row in world.pulls.rows if not row["author_email"]}
    assert clones == {"user_008", "user_009", "user_010", ""} or clones == {"user_008", "user_009", "user_010"}
    assert all(row["userEmail"] for row in world.commits.rows)
