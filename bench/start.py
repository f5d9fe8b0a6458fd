"""The start time of the command, beside that of the interpreter alone."""

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measuring import Figure, best_of, stopwatch
from millrace.laptop.project import PROJECT

_TIMES = 9


def start() -> list[Figure]:
    """Measure `millrace --help`, and `millrace status` over a data directory of the demo company."""
    floor = _seconds([sys.executable, "-c", "pass"])
    floor_is = "python -c pass"
    millrace = [sys.executable, "-m", "millrace"]
    with tempfile.TemporaryDirectory() as folder:
        made = [*millrace, "run", "--data-dir", folder, "--developers", "2", "--days", "10"]
        subprocess.run(made, cwd=PROJECT, capture_output=True, check=True)  # noqa: S603 our own command
        status = _seconds([*millrace, "status", "--data-dir", folder])
    return [
        Figure("millrace --help", _seconds([*millrace, "--help"]), "s", floor, floor_is, notes={"aim": "under 0.3 s"}),
        Figure("millrace status", status, "s", floor, floor_is, notes={"aim": "under 0.6 s"}),
    ]


def _seconds(command: list[str]) -> float:
    def once() -> float:
        with stopwatch() as watch:
            subprocess.run(command, cwd=Path(PROJECT), capture_output=True, check=True)  # noqa: S603 our own command
        return watch.s

    return best_of(_TIMES, once)
