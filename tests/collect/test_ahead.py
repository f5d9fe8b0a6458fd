"""Logs that other processes read give what one process reads, in the same order, however the processes end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response

from millrace.collect import ahead
from millrace.collect.ahead import CollectLimits, Unread
from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.chunks import BadFile, Chunk
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.reading import LogState
from millrace.collect.records import Row

pytestmark = pytest.mark.slow

LIMITS = CollectLimits(chunk_bytes=700)
LINES = 40


@pytest.fixture
def logs(machine: Machine) -> list[Unread]:
    """Seven logs, each of several chunks, the last of which ends in an incomplete line."""
    found = []
    for number in range(7):
        path = machine.log("claude", f"S{number}")
        lines = [response(f"m{number}.{line}", output=line) for line in range(LINES + number)]
        path.write_bytes(b"".join(lines) + b"{}\n" + b'{"type":')
        found.append(Unread(path, AGENTS["claude"], LogState("S1"), None, False, LIMITS))
    return found


Told = list[tuple[Chunk, list[Row]]]


def read(logs: list[Unread], processes: int, before: Callable[[int], None] = lambda place: None) -> Told:
    """Return all chunks, each with the rows of its events alone; `before` is called before each log is taken."""
    chunks: Told = []
    with ahead.reading(logs, [0] * len(logs), processes) as found:
        for place, log in enumerate(logs):
            before(place)
            chunks.extend(map(without_events, found.chunks(log)))
    return chunks


def without_events(told: tuple[Chunk, list[Row]]) -> tuple[Chunk, list[Row]]:
    chunk, rows = told
    return replace(chunk, reading=replace(chunk.reading, events=())), rows


@pytest.mark.parametrize("processes", [1, 2, 3, 9])
def test_processes_give_the_chunks_of_one(logs: list[Unread], processes: int) -> None:
    alone = read(logs, 0)
    assert len(events(alone)) == 7 * LINES + sum(range(7))
    assert read(logs, processes) == alone


def children() -> Iterator[int]:
    """Yield the processes that read logs, of all that this one started."""
    yield from (process.pid for process in multiprocessing.active_children() if process.pid is not None)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes in Linux's /proc")
@pytest.mark.parametrize("killed_at", [0, 1, 3, 6])
def test_logs_of_a_killed_process_are_read_by_the_collector(logs: list[Unread], killed_at: int) -> None:
    def kill(place: int) -> None:
        if place == killed_at:
            for pid in children():
                os.kill(pid, signal.SIGKILL)

    assert events(read(logs, 2, kill)) == events(read(logs, 0))


def events(chunks: Told) -> list[Row]:
    return [row for _, rows in chunks for row in rows]


def test_log_that_cannot_be_read_says_why_and_the_next_are_read(logs: list[Unread]) -> None:
    logs[2].path.unlink()
    alone, ours = outcomes(logs, 0), outcomes(logs, 2)
    assert ours == alone
    assert ours[2] == "No such file or directory"


def outcomes(logs: list[Unread], processes: int) -> list[object]:
    """Return the number of events of each log, or why there are none."""
    found: list[object] = []
    with ahead.reading(logs, [0] * len(logs), processes) as reader:
        for log in logs:
            try:
                found.append(len(events(list(reader.chunks(log)))))
            except BadFile as bad:
                found.append(bad.reason)
    return found


def test_processes_end_with_a_collector_that_stops_early(logs: list[Unread]) -> None:
    with ahead.reading(logs, [0] * len(logs), 2) as found:
        next(found.chunks(logs[0]))
        assert list(children())  # on a slow machine only the first has begun
    assert list(children()) == []


KILLED = """import sys, time
from pathlib import Path
from tests.collect.test_ahead import LIMITS, children
from millrace.collect import ahead
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.reading import LogState
logs = [ahead.Unread(path, AGENTS["claude"], LogState("S1"), None, False, LIMITS) for path in map(Path, sys.argv[1:])]
with ahead.reading(logs, [0] * len(logs), 2):
    print(*children(), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the processes in Linux's /proc")
def test_processes_end_when_the_collector_is_killed(logs: list[Unread]) -> None:
    with logs[0].path.open("ab") as first, logs[1].path.open("ab") as second:
        for file in (first, second):  # more than a pipe holds
            file.write(b"".join(b"\n" + response(f"more{line}") for line in range(2000)))
    command = [sys.executable, "-c", KILLED, *(str(log.path) for log in logs)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as collector:
        assert collector.stdout is not None
        pids = collector.stdout.readline().split()
        collector.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in pids)


def is_running(pid: str) -> bool:
    """Return whether a process runs; one that has ended may still wait for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_large_first_read_saves_what_a_small_one_does(machine: Machine) -> None:
    text = "x" * (ahead.LEAST_BYTES // 80)
    for number in range(5):
        lines = [response(f"m{line}", text=text) for line in range(number, 20)]
        machine.log("claude", f"S{number}").write_bytes(b"".join(lines))
    with closing(CheckpointStore.open(machine.state)) as store:
        result = machine.collector(store).read()
        assert (result.lines, result.new, result.read) == (90, 20, 5)
        assert sorted(str(row[1]) for row in store.current()) == sorted(f"m{line}" for line in range(20))
