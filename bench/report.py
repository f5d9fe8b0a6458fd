"""`millrace report`: seconds from the start of the process to the table, and from nothing to the first number."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.agent_logs import Bulk, write_bulk
from bench.measuring import Figure
from millrace.laptop.project import PROJECT

_SIZES = ((400, 6), (60_000, 790), (1_000_000, 13_000))  # lines, sessions
_TIMES = 5
_AIMS = {400: (0.6, 0.5), 60_000: (2.0, 1.0)}  # seconds, cold and again
_THEIRS = "ccusage"
_MOST_VERSIONS = 5


def report() -> Iterator[Figure]:
    """Measure a first report and the next one over three sizes of logs, beside ccusage, and the first number."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        theirs = _installed(work / "npm")
        for messages, sessions in _SIZES:
            home = work / f"home{messages}"
            bulk = write_bulk(home, messages=messages, sessions=sessions, projects=40, days=60, seed=1)
            yield from _reports(home, work / "state", bulk, theirs)
            if messages != _SIZES[0][0]:
                shutil.rmtree(home)
        yield from _from_nothing(work / f"home{_SIZES[0][0]}", work)


def _reports(home: Path, state: Path, bulk: Bulk, theirs: Path | None) -> Iterator[Figure]:
    command = [sys.executable, "-m", "millrace", "report", "--home", str(home)]
    more = {"MILLRACE_COLLECT_STATE": str(state), "PYTHONPATH": str(PROJECT / "src")}
    cold, warm, other = list[float](), list[float](), list[float]()
    for _ in range(_TIMES):
        shutil.rmtree(state, ignore_errors=True)
        cold.append(_run(command, more))
        warm.append(_run(command, more))
        if theirs is not None:
            places = {"HOME": str(home), "CODEX_HOME": str(home / ".codex"), "CLAUDE_CONFIG_DIR": str(home / ".claude")}
            other.append(_run([str(theirs), "daily", "--offline"], places))
    shutil.rmtree(state)
    peaks = [_peak_mb(home, state), _peak_mb(home, state)]
    aims = _AIMS.get(bulk.lines)
    for name, seconds, place in (("first", cold, 0), ("again", warm, 1)):
        what = f"report, {name}: {bulk.lines:,} lines, {bulk.size_bytes / 1e6:,.0f} MB"
        notes = {"peak": f"{peaks[place]:,.0f} MB"} | ({"aim": f"under {aims[place]} s"} if aims else {})
        floor = median(other) if other else None
        yield Figure(what, median(seconds), "s", floor, f"{_THEIRS} on the same logs", notes=notes)


def _peak_mb(home: Path, state: Path) -> float:
    """Return the peak memory of a report's main process."""
    with tempfile.NamedTemporaryFile() as told:
        command = [sys.executable, "-m", "bench.child", told.name, "report", "--home", str(home)]
        paths = os.pathsep.join([str(PROJECT / "src"), str(PROJECT / "local"), str(PROJECT)])
        _run(command, {"MILLRACE_COLLECT_STATE": str(state), "PYTHONPATH": paths})
        return float(json.loads(Path(told.name).read_text())["peak_bytes"]) / 1e6


def _from_nothing(home: Path, work: Path) -> Iterator[Figure]:
    """Measure from `git clone`, and from a wheel, to the first table."""
    clone = work / "clone"
    steps = [
        ["git", "clone", "--quiet", str(PROJECT), str(clone)],
        ["make", "--silent", "-C", str(clone), "report", f"ARGS=--home {home}"],
    ]
    yield Figure("from git clone, make report to the first number", _seconds(steps, work / "state-clone"), "s")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(work / "dist")]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603 our own command
    (wheel,) = (work / "dist").glob("*.whl")
    for name, install in (
        ("pip install of the wheel", ["install", "--quiet", str(wheel)]),
        ("pip install of the wheel without dependencies, and two", ["install", "--quiet", "--no-deps", str(wheel)]),
    ):
        environment = work / f"environment-{len(install)}"
        python = str(environment / "bin" / "python")
        steps = [[sys.executable, "-m", "venv", str(environment)], [python, "-m", "pip", *install]]
        if "--no-deps" in install:
            steps.append([python, "-m", "pip", "install", "--quiet", "click", "filelock"])
        steps.append([str(environment / "bin" / "millrace"), "report", "--home", str(home)])
        seconds = _seconds(steps, work / "state-wheel")
        size_mb = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file()) / 1e6
        yield Figure(f"{name} to the first number", seconds, "s", notes={"environment": f"{size_mb:,.0f} MB"})


def _seconds(steps: Sequence[Sequence[str]], state: Path) -> float:
    """Return the seconds of commands one after the other, from a collector's state that is empty."""
    shutil.rmtree(state, ignore_errors=True)
    return sum(_run(step, {"MILLRACE_COLLECT_STATE": str(state), "PYTHONPATH": ""}) for step in steps)


def _run(command: Sequence[str], more: Mapping[str, str]) -> float:
    """Return the seconds of a command."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(more)
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 our own command
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()}")
    return time.perf_counter() - started


def _installed(folder: Path) -> Path | None:
    """Install the newest ccusage that can be installed here; None when none can."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    listed = subprocess.run([npm, "view", _THEIRS, "versions", "--json"], capture_output=True, text=True, check=False)  # noqa: S603
    versions: list[str] = json.loads(listed.stdout) if not listed.returncode else []
    quiet = ("--silent", "--no-fund", "--no-audit")
    for version in versions[: -_MOST_VERSIONS - 1 : -1]:
        command = [npm, "install", *quiet, "--prefix", str(folder), f"{_THEIRS}@{version}"]
        program = folder / "node_modules" / ".bin" / _THEIRS
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        if done.returncode == 0 and _responds(program):
            print(f"{_THEIRS} {version}", flush=True)  # noqa: T201 the command's answer
            return program
    return None


def _responds(program: Path) -> bool:
    return program.exists() and not subprocess.run([program, "--version"], capture_output=True, check=False).returncode  # noqa: S603
