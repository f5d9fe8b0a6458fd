"""The cost of the worst inputs: memory and time of `millrace`, beside a trivial input of the same kind."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any

from tests.extract.answering import served
from tests.proofs.hostile.files import Make, bytes_of

import simulator
from bench.measuring import stopwatch
from bench.worst_inputs import ANSWERS, DROPS, LOGS, PAGES, UNPACKED, Padded, Said
from millrace.laptop.project import PROJECT
from millrace.laptop.source import SIMULATOR_KEY
from simulator.server import RunningSimulator

_MOST_S = 600
_MOST_SHOWN = 120
_IN_PROPORTION, _AND_BYTES = 8, 300_000_000
_RUN = ("run", "--no-build")
_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
_TRIVIAL = "a trivial one, the floor"


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one input. `floor_bytes` is the peak with a trivial input of the same kind."""

    what: str
    size_bytes: int
    peak_bytes: int
    seconds: float
    verdict: str
    unpacked_bytes: int | None = None
    floor_bytes: int = 0

    def show(self) -> None:
        """Print it as one line."""
        more = max(0, self.peak_bytes - self.floor_bytes)
        sizes = [self.size_bytes] + [self.unpacked_bytes] * bool(self.unpacked_bytes)
        size = " = ".join(f"{each / 1e6:,.4g}" for each in sizes)
        ratio = ", ".join(f"{more / each:,.1f} x" for each in sizes if each >= 100_000 and self.floor_bytes)
        figures = f"{size:>16} MB {more / 1e6:7,.0f} MB {ratio:>16} {self.seconds:6.1f} s"
        aim = "" if self._is_in_proportion(more) else "   OUT OF PROPORTION"
        print(f"{self.what:<48} {figures}   {self.verdict[:_MOST_SHOWN]}{aim}", flush=True)  # noqa: T201 the command's answer

    def _is_in_proportion(self, more: int) -> bool:
        """Return whether the memory is within the aim: eight times its unpacked size, and 300 MB."""
        return more <= _IN_PROPORTION * (self.unpacked_bytes or self.size_bytes) + _AND_BYTES


def worst() -> Iterator[Cost]:
    """Yield the cost of each input, kind by kind; the first of a kind is its floor."""
    for door in (_answers(), _pages(), _drops(), _logs()):
        floor = next(door)
        yield floor
        yield from (replace(cost, floor_bytes=floor.peak_bytes) for cost in door)


def _answers() -> Iterator[Cost]:
    """Yield the cost of runs over a source whose every answer is the input."""
    yield _answered(f"source: {_TRIVIAL}", Said(lambda: iter([b"{}"])))
    for what, make in ANSWERS.items():
        yield _answered(f"source: {what}", make())


def _answered(what: str, said: Said) -> Cost:
    sent: list[int] = []

    def answer(to: socket) -> None:
        sent.append(0)
        to.sendall(_HEAD + said.head + b"\r\n")
        for piece in said.body():
            to.sendall(piece)
            sent[-1] += len(piece)
            if said.pause_s:
                threading.Event().wait(said.pause_s)

    with served(answer) as (url, _), tempfile.TemporaryDirectory() as folder:
        taken = _run(Path(folder), *_RUN, "--source-url", url, "--data-dir", folder)
    size_bytes = len(said.head) + max(sent)
    verdict = taken.problem.replace(f"{url}/", "/")
    return Cost(what, size_bytes, taken.peak_bytes, taken.seconds, verdict, said.unpacked)


def _pages() -> Iterator[Cost]:
    """Yield the cost of runs over an honest source with five pages of commits, whose rows are made long."""
    world = simulator.generate(developers=40, days=90, seed=1, end=datetime(2026, 11, 1, tzinfo=UTC))
    for what, padding in {_TRIVIAL: {}, **PAGES}.items():
        api = Padded(world, padding)
        with _listening(api) as url, tempfile.TemporaryDirectory() as folder:
            taken = _run(Path(folder), *_RUN, "--json", "--source-url", url, "--data-dir", folder)
        yield Cost(f"pages: {what}", api.sent_bytes, taken.peak_bytes, taken.seconds, taken.verdict(_of_run))


@contextmanager
def _listening(api: Any) -> Iterator[str]:
    running = RunningSimulator(api, "127.0.0.1", 0)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running.url
    running.stop()
    running.close()


def _drops() -> Iterator[Cost]:
    """Yield the cost of loads of one dropped file."""
    trivial = ("repos/a.csv", bytes_of(lambda: b"full_name\na\n"))
    for what, (name, make) in {_TRIVIAL: trivial, **DROPS}.items():
        with tempfile.TemporaryDirectory() as folder:
            size_bytes = _write(Path(folder, "lake", "drop", name), make)
            taken = _run(Path(folder), *_RUN, "--json", "--drops", "--data-dir", folder)
        verdict, unpacked = taken.verdict(_of_drop), UNPACKED.get(what)
        yield Cost(f"drop: {what}", size_bytes, taken.peak_bytes, taken.seconds, verdict, unpacked)


def _logs() -> Iterator[Cost]:
    """Yield the cost of collections from a home with one log."""
    trivial = (".claude/projects/-w/s.jsonl", bytes_of(lambda: b"{}\n"))
    for what, (name, make) in {_TRIVIAL: trivial, **LOGS}.items():
        with tempfile.TemporaryDirectory() as folder:
            size_bytes = _write(Path(folder, "home", name), make)
            lake = Path(folder, "lake").as_uri()
            taken = _run(Path(folder), "collect", "--json", "--lake", lake, "--home", f"{folder}/home")
        yield Cost(f"log: {what}", size_bytes, taken.peak_bytes, taken.seconds, taken.verdict(_of_collection))


def _write(path: Path, make: Make) -> int:
    path.parent.mkdir(parents=True)
    return make(path).stat().st_size


@dataclass(frozen=True, slots=True)
class _Taken:
    """The cost and the output of a process."""

    peak_bytes: int
    seconds: float
    out: str
    problem: str

    def verdict(self, of: Callable[[dict[str, Any]], str]) -> str:
        """Return what `of` reads from the JSON output; the problem when there is none."""
        return of(json.loads(self.out)) if self.out.strip() else self.problem


def _run(folder: Path, *arguments: str) -> _Taken:
    """Run the command in a process of its own, which waits 3 s for an answer and keeps all in `folder`."""
    noted = folder / "noted.json"
    settings = {
        "MILLRACE_SOURCE_KEY": SIMULATOR_KEY,
        "MILLRACE_ANSWER_S": "3",
        "MILLRACE_REQUESTS_PER_MINUTE": "0",
        "MILLRACE_COLLECT_STATE": str(folder / "state"),
        "MILLRACE_COLLECT_USER": "bench@example.com",
    }
    command = [sys.executable, "-m", "bench.child", str(noted), *arguments]
    with stopwatch() as watch:
        try:
            done = subprocess.run(  # noqa: S603 our own command
                command,
                cwd=PROJECT,
                env=os.environ | settings,
                capture_output=True,
                text=True,
                timeout=_MOST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return _Taken(0, _MOST_S, "", f"it did not end within {_MOST_S} s")
    if not noted.exists():
        return _Taken(0, watch.s, "", f"it broke with {done.returncode}: {done.stderr[-300:]!r}")
    problem = (done.stderr.strip().splitlines() or [""])[-1].removeprefix("error: ")
    return _Taken(json.loads(noted.read_text())["peak_bytes"], watch.s, done.stdout, problem)


def _of_run(report: dict[str, Any]) -> str:
    rows = sum(table["inserted"] for table in report["tables"])
    return f"{rows:,} rows loaded" if report["ok"] else "; ".join(report["problems"])


def _of_drop(report: dict[str, Any]) -> str:
    return "; ".join(f"{drop['outcome']}: {drop['detail']}" for drop in report["drops"] or [])


def _of_collection(report: dict[str, Any]) -> str:
    collected = report["collected"]
    skipped = [f"{kind} {lines:,}" for kind, lines in collected["skipped"].items()]
    unread = [str(reason) for reason in collected["bad_files"].values()]
    return ", ".join([f"{collected['new']:,} events", *skipped, *unread])
