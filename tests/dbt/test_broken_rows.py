"""A row that breaks a guarantee of the raw tables stops the build at its table, with the name of the test."""

from pathlib import Path

from tests.dbt.conftest import Build, Dbt
from tests.dbt.raw_tables import Rows, make_warehouse, sample_rows


def build_with(dbt: Dbt, tmp_path: Path, extra: Rows) -> Build:
    rows = {name: [*given, *extra.get(name, [])] for name, given in sample_rows().items()}
    database = make_warehouse(tmp_path / "millrace.duckdb", rows)
    return dbt(database, "build", "--exclude-resource-type", "unit_test", "--select", "staging", "velocity")


def test_duplicate_key_unknown_key_and_missing_parent_fail_their_tests(dbt: Dbt, tmp_path: Path) -> None:
    twice, unknown = sample_rows()["pull_requests"][0], {"number": None, "repo_name": "acme/service-1"}
    orphan = {"id": 9999, "pr_id": 9999, "state": "approved"}
    build = build_with(
        dbt,
        tmp_path,
        {"pull_requests": [twice], "commits": [{"commitHash": None}], "repos": [unknown], "reviews": [orphan]},
    )
    assert build.exit_code == 1
    assert {name for name, status in build.outcomes.items() if status in ("fail", "warn")} == {
        "usage_rows_are_usable",  # of the sample rows
        "unique_grain_stg_pull_requests_repo_name__number",
        "unique_stg_pull_requests_pull_request_id",
        "unique_grain_stg_commits_commit_hash__repo_name__user_id__repo_name",
        "unique_grain_stg_repos_repo_name",
        "relationships_stg_reviews_pull_request_id__pull_request_id__ref_stg_pull_requests_",
    }
    assert build.outcomes["velocity"] == "skipped"
