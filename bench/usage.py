"""Usage: the time from logs of 228,000 messages to marts, for a hundred events more, and until a mart has one."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from bench.agent_logs import write_bulk
from bench.measuring import Figure, stopwatch
from millrace.build.refresh import MartScripts
from millrace.collect.machine import Machine
from millrace.collect.parsers.agents import AGENTS
from millrace.config import CollectConfig
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT
from millrace.laptop.usage_pipeline import LocalPipeline, local_pipeline
from simulator.agent_logs import append_response

_MESSAGES = 228_000
_APPENDS = 200
_TURNS = 11
_THEIRS_MS = 155.0
_NO_SETTINGS = CollectConfig(
    is_off=False, lake=None, user="bench@example.com", hash_key=None, state=None, environment={}
)


def history() -> list[Figure]:
    """Measure from nothing, then a hundred events more, then a rebuild; after 120 days, and after ten times as many."""
    figures = []
    for times in (1, 10):
        with tempfile.TemporaryDirectory() as folder:
            figures += _history(Path(folder), times)
    return figures


def _history(folder: Path, times: int) -> list[Figure]:
    home, data = folder / "home", folder / "data"
    bulk = write_bulk(home, messages=_MESSAGES * times, sessions=3000 * times, projects=150, days=120 * times, seed=1)
    with stopwatch() as plain:
        logs = f"{home}/**/*.jsonl"
        duckdb.execute("SET memory_limit = '1GB'")
        duckdb.execute("SELECT count(*), sum(length(content)) FROM read_text(?)", [logs]).fetchall()
    command = [sys.executable, "-m", "millrace", "collect", "--data-dir", str(data), "--home", str(home)]
    with stopwatch() as whole:
        subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 our own command
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    what = f"{bulk.lines:,} lines, {bulk.events:,} events"
    figures = [
        Figure(
            f"usage from nothing: {what}",
            whole.s,
            "s",
            plain.s,
            "the logs' bytes read by DuckDB",
            notes={"peak": f"{peak_mb:,.0f} MB"},
        )
    ]
    with _pipeline(home, data) as pipeline:
        log = home / ".claude" / "projects" / "-bench" / "0e8b7c1c-2222-4222-8222-000000000001.jsonl"
        log.parent.mkdir(parents=True, exist_ok=True)
        pipeline.usage.scripts = MartScripts.of_last_build(pipeline.data_dir.dbt)
        pipeline.usage.run_once(set())  # the connection is warm, as in a watcher
        turns = sorted(_one_hundred_more(pipeline, log, turn) for turn in range(_TURNS))
        with stopwatch() as anew:
            pipeline.build(full_refresh=True)
    seconds, steps = turns[_TURNS // 2]
    notes = {"ms:": steps, f"of {_TURNS}:": f"{turns[0][0]:.2f} to {turns[-1][0]:.2f} s"}
    figures.append(Figure(f"100 events more after {bulk.events:,}", seconds, "s", anew.s, "a rebuild", notes=notes))
    return figures


def _one_hundred_more(pipeline: LocalPipeline, log: Path, turn: int) -> tuple[float, str]:
    """Append a hundred responses; return the seconds from the log to the marts, and the steps in milliseconds."""
    for number in range(100):
        append_response(log, cwd="/home/x/bench", at=datetime.now(UTC), seed=turn * 100 + number)
    with stopwatch() as more:
        result = pipeline.usage.run_once({log})
    assert result.inserted >= 100, result  # noqa: S101 the figure would be of something else
    return more.s, ", ".join(f"{step} {s * 1000:.0f}" for step, s in result.seconds.items())


def watching() -> list[Figure]:
    """Measure from the append to a log until a mart has it: the median and the 95th percentile of 200 appends."""
    with tempfile.TemporaryDirectory() as folder:
        home, data = Path(folder, "home"), Path(folder, "data")
        write_bulk(home, messages=17_000, sessions=300, projects=150, days=60, seed=2)
        command = [sys.executable, "-m", "millrace", "collect", "--data-dir", str(data), "--home", str(home), "--watch"]
        log = home / ".claude" / "projects" / "-bench" / "0e8b7c1c-3333-4333-8333-000000000001.jsonl"
        log.parent.mkdir(parents=True)
        with subprocess.Popen(  # noqa: S603 our own command
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as watcher:
            told = watcher.stdout
            assert told is not None  # noqa: S101 it is a pipe
            for line in told:
                if line.startswith("watching"):
                    break
            time.sleep(2)
            seconds = [_until_told(log, number, told) for number in range(_APPENDS)]
            watcher.send_signal(2)
            told.read()
        seconds.sort()
    return [
        Figure(
            f"append to mart.usage_daily, {name} of {_APPENDS}",
            1000 * seconds[place],
            "ms",
            _THEIRS_MS,
            "of the existing tool",
        )
        for name, place in (("median", _APPENDS // 2), ("p95", _APPENDS * 95 // 100))
    ]


def _until_told(log: Path, number: int, told: Iterator[str]) -> float:
    """Append a response; return the seconds until the watcher prints, after its commit, that the marts have it."""
    started = time.perf_counter()
    append_response(log, cwd="/home/x/bench", at=datetime.now(UTC), seed=1000 + number)
    line = next(told)
    took = time.perf_counter() - started
    assert "1 events inserted" in line, line  # noqa: S101 the figure would be of something else
    time.sleep(0.3)
    return took


@contextmanager
def _pipeline(home: Path, data: Path) -> Iterator[LocalPipeline]:
    machine = Machine(home, _NO_SETTINGS, frozenset(AGENTS), DataDir(data).collector)
    with local_pipeline(machine, DataDir(data)) as pipeline:
        yield pipeline
