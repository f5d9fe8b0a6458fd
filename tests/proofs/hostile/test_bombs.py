"""Files that are small but expand to much more: refused once, in seconds, by a process that stays under 1 GB."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.functions.deployed import PROJECT
from tests.proofs.hostile import files

MOST_MB = 1000
MOST_S = 30


def load(folder: Path, name: str) -> dict[str, Any]:
    """Load in a child process; return the result, its peak memory and its time."""
    command = [sys.executable, "-m", "tests.proofs.hostile.child", str(folder), name]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT / "src"), str(PROJECT)])}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


REFUSED = {
    "50 GB behind one value of a dictionary": ("too_large", "when each value stands on its own"),
    "6 GB behind 60 dictionaries": ("too_large", "when each value stands"),
    "one list of 20 million numbers": ("too_large", "values of lists"),
    "10 GB in lists of one text": ("too_large", "column 'labels"),
    "16 GB within 2,000 rows": ("too_large", "within 2,048 rows"),
    "60,000 row groups": ("too_large", "60,000 row groups"),
    "10,000 columns": ("too_large", "10,001 columns"),
    "a text of 100 MB in Parquet": ("too_large", "104,857,604 bytes within 2,048 rows"),
    "a page of 200 MB under a footer of 100 bytes": ("too_large", "a page of 209,7"),
    "a million values under a footer of ten": ("unreadable", "Page was smaller (9) than expected (15)"),
    "a schema of 100,000 levels": ("unreadable", "too deeply nested"),
    "a footer of 40 MB": ("too_large", "bytes of footer"),
    "a line of 100 MB": ("too_large", "line 1: longer than"),
    "a cell of 100 MB": ("too_large", "line 2: longer than"),
    "a cell of 100 MB on a million lines": ("too_large", "line 2: a record of more than"),
    "100 million quotes": ("too_large", "longer than"),
    "a quote too many after 50,000 lines": ("unreadable", "line 50002: a quote is opened here and never closed"),
    "a header of 200,000 columns": ("too_large", "got 200001"),
    "900,000 brackets": ("too_large", "nested deeper"),
    "2.8 million empty lists on a line": ("too_large", "got up to 5,580,004"),
    "800,000 fields of one name": ("unreadable", "comes twice"),
}


# Those of NDJSON and CSV are proofs: tests/load/test_dropped.py holds each of their limits with a small file.
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=pytest.mark.slow if name.endswith(".parquet") else pytest.mark.proof)
        for what, (name, _) in files.BOMBS.items()
    ],
)
def test_a_bomb_is_refused_once_in_little_time_and_memory(tmp_path: Path, what: str) -> None:
    (name, make), (reason, words) = files.BOMBS[what], REFUSED[what]
    folder = tmp_path / "lake" / "drop" / name
    folder.parent.mkdir(parents=True)
    make(folder)
    done = load(tmp_path, f"drop/{name}")
    if target := os.environ.get("MILLRACE_HOSTILE_REPORT"):
        with open(target, "a") as report:
            report.write(f"{name} {done}\n")
    assert (done["reason"], words in done["message"]) == (reason, True), done
    assert done["peak_mb"] < MOST_MB
    assert done["seconds"] < MOST_S


@pytest.mark.slow
def test_a_bomb_as_a_part_of_a_run_is_refused_as_well(tmp_path: Path) -> None:
    name = "raw/repos/dt=2026-11-20/run=20261120T060000Z/repos-00000.parquet"
    (tmp_path / "lake" / name).parent.mkdir(parents=True)
    files.dictionary_bomb(tmp_path / "lake" / name)
    (tmp_path / "lake" / "runs/20261120T060000Z").mkdir(parents=True)
    plan = {"run_id": "20261120T060000Z", "scheduled_at": "2026-11-20T06:00:00Z", "since": None, "full_refresh": False}
    (tmp_path / "lake" / "runs/20261120T060000Z/plan.json").write_text(json.dumps(plan))
    done = load(tmp_path, name)
    assert (done["reason"], done["rows"]) == ("too_large", 50_000_000)
    assert done["peak_mb"] < MOST_MB
