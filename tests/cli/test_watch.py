"""A watch continues after every error, and one that died is noticed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from tests.collect.machine import Machine, outputs, response

from millrace.cli import watch
from millrace.collect import lock
from millrace.errors import ConfigError, TransientError
from millrace.laptop.data_dir import DataDir
from millrace.laptop.status import collecting

LOG = {Path("/h/s.jsonl")}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def changes(clock: Clock, *steps: set[Path] | None, each_s: float = 1.0) -> Iterator[set[Path] | None]:
    for step in steps:
        yield step
        clock.now += each_s


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OSError(28, "No space left on device"), id="full disk"),
        pytest.param(TransientError("the state cannot be written"), id="error that passes"),
        pytest.param(ConfigError("the state is damaged"), id="damage"),
        pytest.param(duckdb.FatalException("database has been invalidated"), id="error of a library"),
        pytest.param(MemoryError(), id="no memory"),
        pytest.param(ZeroDivisionError("a bug"), id="bug"),
    ],
)
def test_cycle_error_is_reported_and_everything_retried(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    clock, asked, recovered = Clock(), list[set[Path] | None](), list[float]()

    def act(only: set[Path] | None) -> None:
        asked.append(only)
        if len(asked) == 1:
            raise error

    steps = changes(clock, LOG, LOG, set(), set(), LOG)
    watch.insist(steps, act, lambda: recovered.append(clock.now), clock)
    assert (asked, recovered) == ([LOG, None, set(), LOG], [0.0])
    assert "; it is tried again in 2 s" in capsys.readouterr().err


def test_pauses_grow_to_a_minute_and_reset_after_success(capsys: pytest.CaptureFixture[str]) -> None:
    clock, tried = Clock(), list[float]()

    def act(only: set[Path] | None) -> None:
        tried.append(clock.now)
        if clock.now < 200:
            raise OSError("no")

    watch.insist(changes(clock, *[set[Path]()] * 400), act, lambda: None, clock)
    pauses = [after - before for before, after in pairwise(tried)]
    assert pauses[:8] == [2, 4, 8, 16, 32, 60, 60, 60]
    assert tried[-3:] == [397, 398, 399]


def test_watch_continues_when_error_output_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    clock, asked = Clock(), list[set[Path] | None]()

    def act(only: set[Path] | None) -> None:
        asked.append(only)
        if len(asked) == 1:
            raise OSError("full")

    def recover() -> None:
        raise OSError("that neither")

    monkeypatch.setattr(sys, "stderr", Full())
    watch.insist(changes(clock, LOG, None, None), act, recover, clock)
    assert asked == [LOG, None]


def test_ctrl_c_ends_it() -> None:
    def act(only: set[Path] | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch.insist(changes(Clock(), LOG), act, lambda: None, Clock())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was collected before."""
    return Machine(tmp_path)


@pytest.fixture
def watching(machine: Machine) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start the command on the machine's home, and wait until it has sent what is there."""
    started: list[subprocess.Popen[str]] = []
    environment = os.environ | {"MILLRACE_COLLECT_STATE": str(machine.state)}

    def start() -> subprocess.Popen[str]:
        machine.log("claude").write_bytes(response("m1"))
        command = [sys.executable, "-m", "millrace", "collect", "--watch"]
        command += ["--lake", f"file://{machine.folder}/lake", "--home", str(machine.home)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        started.append(process)
        assert process.stdout is not None
        assert any(line.startswith("collected 1 rows") for line in iter(process.stdout.readline, ""))
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_that_its_user_ended_leaves_no_note(
    machine: Machine, watching: Callable[[], subprocess.Popen[str]], signum: int
) -> None:
    process = watching()
    process.send_signal(signum)
    assert process.wait() == 0
    assert lock.dead_watcher(machine.state) is None
    assert outputs(machine.sent()) == {"m1": 7}


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGHUP])
def test_dead_watcher_is_shown_until_next_collect(
    machine: Machine,
    watching: Callable[[], subprocess.Popen[str]],
    signum: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MILLRACE_COLLECT_STATE", str(machine.state))
    process = watching()
    assert collecting(DataDir(machine.folder)).dead_watcher is None
    process.send_signal(signum)
    process.wait()
    assert collecting(DataDir(machine.folder)).dead_watcher == str(process.pid)
    lock.forget_watcher(machine.state)
    assert collecting(DataDir(machine.folder)).dead_watcher is None
