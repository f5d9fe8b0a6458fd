"""Instants before 1990 and ratios outside 0 to 1 are unknown from staging on, and counted."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.dbt.conftest import PULL_REQUEST_MARTS, Build, Dbt
from tests.dbt.raw_tables import AS_OF, Rows, make_warehouse

SELECTED = ("staging", *(f"+{mart}" for mart in (*PULL_REQUEST_MARTS, "implausible_values")))
OPENED, MERGED = datetime.fromisoformat("2026-03-09 10:00:00"), datetime.fromisoformat("2026-03-09 20:00:00")
EPOCH = datetime.fromisoformat("1970-01-01 00:00:00")
EIGHTIES = datetime.fromisoformat("1985-06-01 00:00:00")
BEGINNING = datetime.fromisoformat("1990-01-01 00:00:00")
JUST_BEFORE = BEGINNING - timedelta(microseconds=1)


def pull(number: int, **values: object) -> dict[str, object]:
    """Return a pull request of cursor-sim, merged after ten hours, with 40 lines."""
    known = {"repo_name": "acme/web", "id": number, "number": number, "author_id": "u1", "state": "merged"}
    sizes = {"additions": 40, "deletions": 0, "created_at": OPENED, "merged_at": MERGED}
    return known | sizes | values


def of_cursor_sim() -> Rows:
    half, more = {"tab_lines": 10, "composer_lines": 10}, {"tab_lines": 50, "composer_lines": 10}
    commit = {"repoName": "acme/web", "userId": "u1", "userEmail": "u1@example.com"}
    review = {"pr_id": 4, "reviewer": "u2", "state": "approved"}
    return {
        "pull_requests": [
            pull(1, merged_at=EPOCH, closed_at=EPOCH, updated_at=EPOCH),
            pull(2, first_commit_at=EIGHTIES, last_commit_at=EIGHTIES, commit_ids=["c1", "c2"]),
            pull(3, created_at=JUST_BEFORE),
            pull(4, first_review_at=EPOCH, created_at=BEGINNING),
            pull(5, ai_ratio=-0.1, **half),
            pull(6, ai_ratio=1.5, **half),
            pull(7, ai_ratio=float("nan"), **half),
            pull(8, ai_ratio=float("inf"), **half),
            pull(9, ai_ratio=-float("inf")),
            pull(10, **more),
            pull(11, ai_ratio=0.25, **more),
            pull(12, additions=0, **more),
            pull(13, tab_lines=20, composer_lines=20),
        ],
        "commits": [
            commit | {"commitHash": "c1", "commitTs": EPOCH, "createdAt": EPOCH},
            commit | {"commitHash": "c2", "commitTs": OPENED - timedelta(hours=2), "createdAt": OPENED},
        ],
        "reviews": [
            review | {"id": 1, "submitted_at": EPOCH},
            review | {"id": 2, "submitted_at": OPENED + timedelta(hours=4)},
        ],
        "repos": [{"full_name": "acme/web"}],
    }


def of_github() -> Rows:
    one: dict[str, Any] = {"account": "acme", "repo_id": 7, "number": 1, "_extracted_at": AS_OF}
    of_pull = one | {"pr_updated_at": EPOCH}
    known = {"author_id": "ada", "author_kind": "user", "additions": 10, "deletions": 0, "is_draft": False}
    return {
        "github_repos": [{"account": "acme", "repo_id": 7, "full_name": "acme/api", "created_at": EPOCH}],
        "github_pull_requests": [
            one | known | {"id": 71, "created_at": EPOCH, "merged_at": MERGED, "state": "merged"},
            one | known | {"id": 72, "number": 2, "created_at": OPENED, "merged_at": EPOCH, "closed_at": EPOCH},
        ],
        "github_pull_request_commits": [of_pull | {"sha": sha, "role": "branch"} for sha in ("a1", "a2")],
        "github_commits": [
            one | {"sha": "a1", "authored_at": EIGHTIES, "committed_at": EPOCH},
            one | {"sha": "a2", "authored_at": OPENED, "committed_at": OPENED},
        ],
        "github_reviews": [of_pull | {"pr_id": 71, "id": 1, "reviewer": "bob", "submitted_at": EPOCH}],
        "github_pull_request_events": [of_pull | {"event_id": "e", "kind": "ready_for_review", "at": EPOCH}],
    }


@pytest.fixture(scope="module")
def build(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The marts of rows that a wrong clock and a wrong source made."""
    database = make_warehouse(tmp_path_factory.mktemp("odd") / "millrace.duckdb", of_cursor_sim() | of_github())
    done = dbt(database, "build", "--exclude-resource-type", "unit_test", "--select", *SELECTED)
    assert done.exit_code == 0, done.output
    return done


def merged(build: Build, columns: str, numbers: str, source: str = "cursor-sim") -> list[tuple[Any, ...]]:
    table = "mart.merged_pull_requests"
    which = f"source = '{source}' and number in ({numbers})"
    return build.query(f"select {columns} from {table} where {which} order by number")  # noqa: S608 our own names


def test_a_merge_of_1970_is_no_merge(build: Build) -> None:
    assert merged(build, "number", "1") == []
    assert merged(build, "number", "2", "github") == []


def test_a_first_commit_of_1985_and_a_commit_of_1970_are_unknown(build: Build) -> None:
    found = merged(build, "first_commit_at, coding_lead_time_hours, cycle_time_hours", "2")
    assert found == [(OPENED - timedelta(hours=2), 2.0, 12.0)]
    found = merged(build, "first_commit_at, cycle_time_hours", "1", "github")
    assert found == [(OPENED, 10.0)]


def test_a_review_of_1970_has_not_happened(build: Build) -> None:
    found = merged(build, "review_count, first_review_at, first_human_review_at, review_lead_time_hours", "4")
    assert found == [(1, OPENED + timedelta(hours=4), OPENED + timedelta(hours=4), 6.0)]
    assert merged(build, "review_count, first_review_at", "1", "github") == [(0, None)]


def test_a_creation_is_known_from_the_first_instant_of_1990_on(build: Build) -> None:
    assert merged(build, "number, created_at", "3, 4") == [(3, None), (4, BEGINNING)]
    assert merged(build, "created_at, ready_at", "1", "github") == [(None, None)]
    assert build.query("select count(*) from mart.agent_pull_requests where week < date '1989-12-01'") == [(0,)]


def test_stamps_that_order_the_versions_of_a_row_are_kept(build: Build) -> None:
    assert build.query("select updated_at from staging.stg_pull_requests where number = 1") == [(EPOCH,)]
    assert build.query("select min(created_at) from staging.stg_commits") == [(EPOCH,)]
    assert build.query("select distinct pull_request_updated_at from staging.stg_github_reviews") == [(EPOCH,)]


def test_a_ratio_outside_0_and_1_gives_way_to_the_lines(build: Build) -> None:
    found = merged(build, "number, ai_ratio, ai_band", "5, 6, 7, 8, 9")
    assert found == [*((number, 0.5, "medium") for number in (5, 6, 7, 8)), (9, None, "unknown")]


def test_a_ratio_of_more_lines_than_additions_is_1(build: Build) -> None:
    found = merged(build, "number, ai_ratio, has_ai_lines_over_additions", "10, 11, 12, 13")
    assert found == [(10, 1.0, True), (11, 0.25, False), (12, None, False), (13, 1.0, False)]


@pytest.mark.parametrize("mart", ["velocity", "developer_velocity", "ai_impact"])
def test_marts_count_the_pull_requests_with_more_lines_than_additions(build: Build, mart: str) -> None:
    names = "source, sum(n_ai_lines_over_additions)"
    found = build.query(f"select {names} from mart.{mart} group by source order by 1")  # noqa: S608 our own names
    assert found == [("cursor-sim", 1), ("github", 0)]


def test_every_value_that_is_unknown_for_that_is_counted(build: Build) -> None:
    assert build.query("from mart.implausible_values order by all") == [
        ("cursor-sim", "", "commits", "before_1990", 1, 1),
        ("cursor-sim", "", "pull_requests", "ai_ratio_outside_0_and_1", 5, 5),
        ("cursor-sim", "", "pull_requests", "before_1990", 4, 6),
        ("cursor-sim", "", "reviews", "before_1990", 1, 1),
        ("github", "acme", "github_commits", "before_1990", 1, 2),
        ("github", "acme", "github_pull_request_events", "before_1990", 1, 1),
        ("github", "acme", "github_pull_requests", "before_1990", 2, 3),
        ("github", "acme", "github_reviews", "before_1990", 1, 1),
    ]
