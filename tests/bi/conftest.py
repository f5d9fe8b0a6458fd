"""What the tools of a company read: a small data directory, built once for all tests of this folder."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.deploy.packages.packaging import UV
from tests.laptop.conftest import run_all

from millrace.laptop.data_dir import DataDir

WORLD = ("--developers", "4", "--days", "20", "--seed", "5", "--end", "2026-10-20T00:00:00Z", "--no-limiter")

OLDER = "1.2.0"
"""The first release of DuckDB that opens the published copy."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A data directory that is built and published. No test changes it."""
    place = DataDir(tmp_path_factory.mktemp("built") / "data")
    done = run_all(place.root, *WORLD, "--usage")
    assert done.code == 0, done.out + done.err
    return place


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an older DuckDB."""
    folder = tmp_path_factory.mktemp("older")
    line = [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", str(folder)]
    done = subprocess.run([*line, f"duckdb=={OLDER}"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"DuckDB {OLDER} cannot be installed here: {done.stderr.strip()[-200:]}")
    return folder
