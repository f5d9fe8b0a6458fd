"""Every event five times, in any order: the same marts, and no more builds than are needed."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from tests.proofs.killing.killable import PROJECT
from tests.proofs.killing.killing import WORLD, End, run


def builds(data: Path) -> int:
    with duckdb.connect(str(data / "millrace.duckdb"), read_only=True) as connection:
        ((count,),) = connection.execute("select count(*) from meta.builds").fetchall()
    return int(count)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("clean")
    assert run(data).code == 0
    return data


@pytest.mark.parametrize("seed", [1, 2])
def test_every_event_delivered_five_times_produces_same_marts(clean: Path, tmp_path: Path, seed: int) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.proofs.killing.five_times",
        str(seed),
        "--data-dir",
        str(tmp_path),
        "--source=cursor-sim",
        *WORLD,
        "--no-usage",
        "--json",
    ]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert End.of(tmp_path).differs(End.of(clean)) == []
    assert builds(tmp_path) <= builds(clean) + 2
