"""`make dbt-slim` builds what changed since the last run, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.dbt.conftest import JOINED_MARTS, PROJECT, PULL_REQUEST_MARTS, ROOT, Dbt
from tests.dbt.raw_tables import make_warehouse, sample_rows


@pytest.mark.proof
def test_only_a_changed_model_and_what_depends_on_it_are_built(dbt: Dbt, tmp_path: Path) -> None:
    project, data = tmp_path / "dbt", tmp_path / "data"
    data.mkdir()
    last = dbt(make_warehouse(data / "millrace.duckdb", sample_rows()), "build", "--resource-types", "model seed")
    shutil.copytree(last.target, data / "dbt")
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
    changed = project / "models" / "intermediate" / "int_pull_requests_measured.sql"
    changed.write_text(f"-- changed\n{changed.read_text()}")
    command = ["make", "-o", ".venv/.run-stamp", "dbt-slim", f"BIN={Path(sys.executable).parent}"]
    command += [f"DBT_DIR={project}", f"DATA_DIR={data}", "ARGS=--resource-type model"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    results = json.loads((data / "dbt-slim" / "run_results.json").read_text())["results"]
    assert {result["unique_id"].split(".")[2] for result in results} == {
        *(changed.stem, *PULL_REQUEST_MARTS, *JOINED_MARTS)
    }
