"""`local/run_all.py` as a user runs it: a process (see tests/warm.py), its exit code and its output."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import warm

from millrace.laptop.kinds import Note

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """The exit code and the terminal output of a run."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON of `--json`."""
        report: dict[str, Any] = json.loads(self.out)
        return report

    def table(self, name: str) -> dict[str, Any]:
        """The reconciliation of one table."""
        line: dict[str, Any] = next(line for line in self.report["tables"] if line["table"] == name)
        return line


def run_all(data_dir: Path, *arguments: str, key: str = "cursor-sim-dev-key") -> Outcome:
    """Run it to its end, with its warnings as errors. Usage is collected only if a test passes `--usage`.

    The source is a cursor-sim.
    """
    environment = os.environ | {"MILLRACE_SOURCE_KEY": key}
    is_run = not {*arguments} & {"status", "reconcile", "build", "rebuild", "quarantine"}
    given = ["--source", "cursor-sim"] if is_run else []
    done = warm.run("run_all", "--no-usage", "--data-dir", str(data_dir), *given, *arguments, environment=environment)
    return Outcome(done.returncode, done.stdout, done.stderr)


def as_own(place: Path) -> None:
    """Note that a directory has real rows, so that `collect` adds to what a simulated company left there."""
    (place / "source.json").write_bytes(Note("real").to_bytes())


Runner = Callable[..., Outcome]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that the tests of one module share."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def _reused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reused")


@pytest.fixture
def fresh(_reused: Path) -> Path:
    """An empty data directory, except for the dbt project parsed for an earlier test, reused at the same path."""
    parsed = _reused / "dbt" / "partial_parse.msgpack"
    content = parsed.read_bytes() if parsed.exists() else None
    shutil.rmtree(_reused)
    parsed.parent.mkdir(parents=True)
    if content is not None:
        parsed.write_bytes(content)
    return _reused
