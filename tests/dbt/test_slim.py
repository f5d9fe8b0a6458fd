"""`make dbt-slim` builds what changed since the last run, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.dbt.conftest import MARTS, PROJECT, ROOT, Build


def test_only_a_changed_model_and_what_depends_on_it_are_built(built: Build, tmp_path: Path) -> None:
    project, data = tmp_path / "dbt", tmp_path / "data"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
    shutil.copytree(built.target, data / "dbt")
    shutil.copy(built.database, data / "millrace.duckdb")
    changed = project / "models" / "intermediate" / "int_pull_requests_measured.sql"
    changed.write_text(f"-- changed\n{changed.read_text()}")
    command = ["make", "-o", ".venv/.run-stamp", "dbt-slim", f"BIN={Path(sys.executable).parent}"]
    command += [f"DBT_DIR={project}", f"DATA_DIR={data}", "ARGS=--resource-type model"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    results = json.loads((data / "dbt-slim" / "run_results.json").read_text())["results"]
    assert {result["unique_id"].split(".")[2] for result in results} == {changed.stem, *MARTS}
