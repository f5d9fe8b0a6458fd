"""Usage finds the pull requests of its person on GitHub, however the login is spelled, and after it was changed."""

from datetime import timedelta
from typing import Any

import pytest
from tests.dbt.conftest import Build, Dbt
from tests.dbt.raw_tables import AS_OF, Rows, make_warehouse, usage_rows

SELECTED = ("+cost_per_merged_pr", "+velocity")


def _pull(number: int, login: str, account_number: int, *, days: int = 0) -> dict[str, Any]:
    return {
        **{
            "account": "acme",
            "repo_id": 7,
            "number": number,
            "id": number,
            "repo_name": "acme/shop",
            "state": "merged",
        },
        **{"author_id": login, "author_number": account_number, "author_kind": "user", "is_draft": False},
        **dict.fromkeys(("created_at", "updated_at", "merged_at"), AS_OF - timedelta(days=2)),
        "_extracted_at": AS_OF - timedelta(days=days),
    }


def _seen(login: str, email: str) -> dict[str, Any]:
    return {"system": "github", "account": "acme", "account_id": login, "email": email, "seen_in": "pr_commit"}


def rows() -> Rows:
    """Return three people: one has another login now, one hides the address, a file names one in small letters."""
    event = usage_rows()[2] | {"occurred_at": AS_OF - timedelta(days=2), "repository": "ACME/Shop"}
    users = ("bob@example.com", "12+ada-l@users.noreply.github.com", "cy@example.com")
    return {
        "github_repos": [{"account": "acme", "repo_id": 7, "full_name": "acme/shop"}],
        "github_pull_requests": [
            *(_pull(1, "bob", 5, days=1), _pull(2, "Bobby", 5)),
            *(_pull(3, "Ada-L", 6), _pull(4, "Cy", 7)),
        ],
        "identities": [_seen("bob", "bob@example.com"), _seen("Bobby", "bob@example.com")],
        "user_developers": [{"user_id": "cy@example.com", "developer": "cy"}],
        "usage_events": [event | {"user_id": user, "message_id": user} for user in users],
    }


@pytest.fixture(scope="module")
def build(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Build:
    database = make_warehouse(tmp_path_factory.mktemp("person") / "millrace.duckdb", rows())
    return dbt(database, "build", "--exclude-resource-type", "unit_test", "test", "--select", *SELECTED)


def test_cost_and_merges_of_a_person_are_in_one_row(build: Build) -> None:
    spent = build.query(
        "select developer, merged_prs, assistant_message_count from mart.cost_per_merged_pr order by developer"
    )
    assert spent == [("Ada-L", 1, 1), ("Bobby", 2, 1), ("Cy", 1, 1)]


def test_a_person_with_another_login_is_one_active_developer(build: Build) -> None:
    assert build.query("select active_developers, total_prs from mart.velocity") == [(3, 4)]
