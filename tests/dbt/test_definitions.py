"""The read API's copy of the dbt project's definitions equals the dbt project."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_the_definitions_of_the_read_api_are_those_of_the_marts() -> None:
    command = [sys.executable, "jobs/dbt-runner/write_definitions.py", "--check"]
    checked = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)
    assert checked.returncode == 0, checked.stderr[-2000:]
