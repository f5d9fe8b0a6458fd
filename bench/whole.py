"""The whole pipeline as a person runs it: wall time, requests, and the peak memory of each process."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.measuring import Figure, best_of, stopwatch
from millrace.laptop.project import PROJECT

_DBT = PROJECT / "jobs" / "dbt-runner" / "dbt"


@dataclass
class _Peaks:
    """Peak resident memory by process, watched until `done`."""

    by_name: dict[str, float] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self, pid: int) -> None:
        while not self.done.is_set():
            for each in (pid, *_children(pid)):
                status = Path(f"/proc/{each}/status")
                try:
                    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
                    command = Path(f"/proc/{each}/cmdline").read_text()
                except (OSError, ValueError):
                    continue
                name = "simulator" if "simulator" in command else "run_all"
                self.by_name[name] = max(self.by_name.get(name, 0.0), int(lines.get("VmHWM", "0 kB").split()[0]) / 1024)
            time.sleep(0.05)


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


def _run(data: Path, *arguments: str) -> tuple[float, dict[str, Any], dict[str, float]]:
    command = [sys.executable, "local/run_all.py", "--data-dir", str(data), "--json", *arguments]
    peaks = _Peaks()
    with (
        stopwatch() as watch,
        subprocess.Popen(  # noqa: S603 our own command
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process,
    ):
        watcher = threading.Thread(target=peaks.watch, args=(process.pid,))
        watcher.start()
        out, _ = process.communicate()
        peaks.done.set()
        watcher.join()
    return watch.s, json.loads(out), peaks.by_name


def default_run() -> list[Figure]:
    """Run with the defaults on a fresh data directory, then once more."""
    with tempfile.TemporaryDirectory() as data:
        first, _, _ = _run(Path(data))
        again, report, _ = _run(Path(data))
    changed = sum(line["inserted"] + line["updated"] for line in report["tables"])
    return [
        Figure("run_all, fresh data directory", first, "s", notes={"aim": "under 25 s"}),
        Figure("run_all, nothing new", again, "s", notes={"aim": "under 12 s", "rows changed": str(changed)}),
    ]


def large_run() -> list[Figure]:
    """Run 200 developers x 90 days at high velocity without the limiter."""
    with tempfile.TemporaryDirectory() as data:
        arguments = ("--developers=200", "--velocity=high", "--no-limiter", "--clone-share=0")
        wall, report, peaks = _run(Path(data), *arguments)
    tables = {line["table"]: line for line in report["tables"]}
    rows = ", ".join(f"{line['source_total']:,} {name}" for name, line in tables.items())
    requests = sum(line["requests"] for line in tables.values())
    memory = ", ".join(f"{name} {peak:.0f} MB" for name, peak in peaks.items())
    notes = {"aim": "under 60 s", "ok": str(report["ok"]), "requests": f"{requests:,}", "peak": memory, "rows": rows}
    return [Figure("run_all, 200 developers x 90 days, high velocity", wall, "s", notes=notes)]


def build() -> Figure:
    """Build the marts of a default run, and an empty dbt project."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(folder / "data")
        full = best_of(2, lambda: _dbt(_DBT, folder, folder / "data" / "millrace.duckdb"))
        empty = folder / "empty"
        empty.mkdir()
        (empty / "dbt_project.yml").write_text("name: empty\nversion: 1.0.0\nprofile: millrace\n")
        (empty / "profiles.yml").write_text((_DBT / "profiles.yml").read_text())
        floor = best_of(2, lambda: _dbt(empty, folder, folder / "empty.duckdb"))
    return Figure("dbt build with all tests, as its own process", full, "s", floor, "an empty dbt build")


def _dbt(project: Path, folder: Path, warehouse: Path) -> float:
    command = [str(Path(sys.executable).parent / "dbt"), "--quiet", "build", "--project-dir", str(project)]
    command += [
        "--profiles-dir",
        str(project),
        "--target-path",
        str(folder / f"{project.name}-target"),
        "--log-path",
        str(folder / "logs"),
    ]
    environment = {"MILLRACE_DUCKDB_PATH": str(warehouse), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    with stopwatch() as watch:
        subprocess.run(command, check=True, env=environment, cwd=folder)  # noqa: S603 our own command
    return watch.s
