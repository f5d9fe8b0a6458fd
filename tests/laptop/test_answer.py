"""The answer of a run whose dbt tests fail: JSON and nothing else."""

from pathlib import Path

import duckdb
from tests.laptop.conftest import run_all

SMALL = ("--developers", "2", "--days", "10", "--no-limiter", "--json")


def test_the_answer_is_json_also_when_a_dbt_test_fails(tmp_path: Path) -> None:
    assert run_all(tmp_path, *SMALL).code == 0
    with duckdb.connect(str(tmp_path / "millrace.duckdb")) as connection:
        connection.execute("insert into raw.repos from raw.repos limit 1")
    outcome = run_all(tmp_path, *SMALL, "--force")
    assert outcome.code == 1
    assert "unique_grain_stg_repos_repo_name" in {node["name"] for node in outcome.report["build"]["not_good"]}
