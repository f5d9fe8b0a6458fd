"""The dbt project, built as the pipeline builds it: by the command, on a file of its own."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests import warm
from tests.dbt.raw_tables import make_warehouse, sample_rows

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "jobs" / "dbt-runner" / "dbt"
PULL_REQUEST_MARTS = (
    *("agent_pull_requests", "ai_impact", "developer_velocity", "merged_pull_requests", "quality", "review_costs"),
    "velocity",
)
USAGE_MARTS = (
    *("usage_daily", "usage_events", "usage_model_day", "usage_project", "usage_provider_day", "usage_session"),
)
MATCHED_MARTS = ("project_repositories", "usage_coverage", "user_developers")
JOINED_MARTS = ("ai_spend_by_repo_week", "cost_per_merged_pr")
SOURCE_MARTS = ("implausible_values", "source_completeness")
MARTS = tuple(sorted((*PULL_REQUEST_MARTS, *USAGE_MARTS, *MATCHED_MARTS, *JOINED_MARTS, *SOURCE_MARTS)))
# Except the findings of a data test of severity "warn": they are an outcome, and asserted as one.
WARNINGS_ARE_ERRORS = ("--warn-error-options", '{"error": "all", "warn": ["LogTestResult"]}')


@dataclass(frozen=True, slots=True)
class Build:
    """One run of dbt: its output and the files that it left."""

    database: Path
    target: Path
    exit_code: int
    output: str

    @property
    def manifest(self) -> dict[str, Any]:
        """dbt's manifest of the project."""
        manifest: dict[str, Any] = json.loads((self.target / "manifest.json").read_text())
        return manifest

    @property
    def outcomes(self) -> dict[str, str]:
        """The outcome of each model and each test, by its name."""
        results = json.loads((self.target / "run_results.json").read_text())["results"]
        return {result["unique_id"].split(".")[2]: result["status"] for result in results}

    @property
    def parsed(self) -> dict[str, str]:
        """The setting by which another run of dbt with the same variables starts from this one's parse."""
        return {"DBT_PARTIAL_PARSE_FILE_PATH": str(self.target / "partial_parse.msgpack")}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the built database."""
        with duckdb.connect(self.database, read_only=True) as connection:
            return connection.execute(sql).fetchall()


Dbt = Callable[..., Build]


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """Return a function that runs dbt on a warehouse file and leaves nothing in the checkout."""

    def run(database: Path, *arguments: str, project: Path = PROJECT, **environment: str) -> Build:
        target = tmp_path_factory.mktemp("target")
        settings = {
            "MILLRACE_DUCKDB_PATH": str(database),
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(target),
        }
        of_project = ("--project-dir", str(project), "--profiles-dir", str(project), "--target", "local")
        options = ("--no-use-colors", *WARNINGS_ARE_ERRORS)
        done = warm.run("dbt", *options, *arguments, *of_project, environment=os.environ | settings | environment)
        return Build(database, target, done.returncode, done.stdout + done.stderr)

    return run


@pytest.fixture(scope="session")
def built(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The whole project, with all its tests, on the sample rows."""
    return dbt(make_warehouse(tmp_path_factory.mktemp("built") / "millrace.duckdb", sample_rows()), "build")
