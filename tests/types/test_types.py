"""The types of the package, the tests and the tools agree."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_mypy_finds_nothing() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
