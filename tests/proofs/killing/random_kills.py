"""Kill commands and their children at random moments, and compare after a plain run: no row lost, no file left over.

Unlike the sweep, which forks runs and stops them at steps, this starts each command as a person does, and kills it or
one of its children by the clock. `run`, `collect`, `collect --watch` and `rebuild` work on one data directory.
"""

import atexit
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Protocol

from tests.collect.machine import response
from tests.proofs.killing.killable import PROJECT
from tests.proofs.killing.killing import End

from millrace.laptop.data_dir import DataDir
from millrace.laptop.source import SIMULATOR_KEY, simulator

_WORLD = ("--developers=2", "--days=14", "--end=2026-10-28T00:00:00Z", "--no-limiter")
_STARTED = ExitStack()
atexit.register(_STARTED.close)


@cache
def _source() -> str:
    """Return the address of a server of the source API, which serves until this process ends.

    It makes the rows real ones: a demo and the usage of a machine do not go into one data directory.
    """
    return _STARTED.enter_context(simulator(_WORLD, SIMULATOR_KEY))


MILLRACE = (sys.executable, "-m", "millrace")
LINES = 60
_PATIENCE_S = 240.0
_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_CODES = {0, 1, 2, 3, *(-number for number in _SIGNALS), *(128 + number for number in _SIGNALS)}
_TRACE = "Traceback (most recent call last):\n"
_OF_PYTHON_ITSELF = f'{_TRACE}  File "{resource_tracker.__file__}"'  # of the next one, if it was killed itself
BETWEEN_RUNS = 5
"""The number of kills before a plain run and a plain collect, after which the contents are compared."""


class Process(Protocol):
    """A command that was started."""

    @property
    def pid(self) -> int:
        """Its process number, which is also that of its session."""

    def wait(self, timeout: float) -> int:
        """Wait for its exit code; raise TimeoutExpired if it is still running."""


@dataclass
class Kill:
    """One killed command: its name, the killed process, the signal and the time, and the errors in how it ended."""

    command: str
    victim: str
    signal: str
    after_s: float
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.command}: {self.victim} by {self.signal} after {self.after_s:.1f} s"


class Desk:
    """A data directory, a home with logs, and a folder for temporary files, which has to be empty in the end."""

    def __init__(self, folder: Path) -> None:
        self.data, self.home, self.temporary = folder / "data", folder / "home", folder / "tmp"
        self.temporary.mkdir(parents=True)
        log = self.home / ".claude/projects/-w/s.jsonl"
        log.parent.mkdir(parents=True)
        log.write_bytes(b"".join(response(f"m{number}") for number in range(LINES)))
        self.environment = os.environ | {"TMPDIR": str(self.temporary), "MILLRACE_COLLECT": "on"}
        self.environment |= {"MILLRACE_SOURCE_KEY": SIMULATOR_KEY, "MILLRACE_REQUESTS_PER_MINUTE": "0"}

    @property
    def commands(self) -> dict[str, tuple[str, ...]]:
        """The commands by name, each on this data directory."""
        at, of = (f"--data-dir={self.data}",), (f"--home={self.home}",)
        run = (sys.executable, str(PROJECT / "local" / "run_all.py"), *at, f"--source-url={_source()}")
        return {
            "run": run,
            "run --full-refresh": (*run, "--full-refresh"),
            "collect": (*MILLRACE, "collect", *at, *of),
            "collect --watch": (*MILLRACE, "collect", "--watch", *at, *of),
            "rebuild": (*MILLRACE, "rebuild", *at),
        }

    def start(
        self, name: str, prefix: Sequence[str] = (), before: Callable[[], None] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, behind a prefix; `before` is called in its process."""
        with (self.temporary.parent / "said").open("wb") as said:
            return subprocess.Popen(
                [*prefix, *self.commands[name]],
                cwd=PROJECT,
                stdout=said,
                stderr=said,
                env=self.environment,
                start_new_session=True,
                preexec_fn=before,
            )

    @property
    def said(self) -> str:
        """The output of the last command."""
        return (self.temporary.parent / "said").read_text(errors="replace")

    def plain(self) -> list[str]:
        """Run and collect as usual; return the errors in how they ended."""
        wrong = []
        for name in ("run", "collect"):
            code = self.start(name).wait(_PATIENCE_S)
            wrong += [f"{name} ended with {code}: {self.said[-2000:]}"] if code else []
        return wrong

    def left(self) -> list[str]:
        """Return the temporary files and locks that no process holds any more."""
        work = DataDir(self.data).work
        found = [*self.temporary.iterdir(), *(work.iterdir() if work.exists() else [])]
        found += [*self.data.rglob("*.aside"), *self.data.rglob("*.tmp")]
        return [f"{path.relative_to(self.temporary.parent)} is left" for path in found]


def chain(folder: Path, seed: int, kills: int) -> Iterator[tuple[list[Kill], list[str]]]:
    """Kill `kills` times; yield the kills between two plain runs, and the differences from a run without them."""
    dice = random.Random(seed)  # noqa: S311 a seeded order is the point
    clean, desk = Desk(folder / "clean"), Desk(folder / "killed")
    if wrong := clean.plain():
        raise RuntimeError(wrong)
    expected = End.of(clean.data)
    lasts = dict.fromkeys(desk.commands, 30.0)
    for first in range(0, kills, BETWEEN_RUNS):
        done = [kill(desk, dice, lasts, list(desk.commands)) for _ in range(min(BETWEEN_RUNS, kills - first))]
        wrong = desk.plain() or End.of(desk.data).differs(expected) + desk.left()
        yield done, [*(f"{each}: {said}" for each in done for said in each.wrong), *wrong]


def kill(desk: Desk, dice: random.Random, lasts: dict[str, float], names: Sequence[str]) -> Kill:
    """Start one of the commands, and kill it or a child of it; `lasts` holds the longest duration of each."""
    name = dice.choice(names)
    after_s, number = dice.uniform(0.1, lasts[name]), dice.choice(_SIGNALS)
    started = time.monotonic()
    process = desk.start(name)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
        lasts[name] = time.monotonic() - started  # it was over: next time earlier
    children = [pid for pid in _session(process.pid) if pid != process.pid]
    victim = dice.choice(children) if children and dice.random() < 0.35 else process.pid
    done = Kill(name, "itself" if victim == process.pid else "a child", number.name, after_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, number)
    if name == "collect --watch" and victim != process.pid:
        process.terminate()  # it continues without that child until it is terminated
    done.wrong += ends(process, desk)
    return done


def ends(process: Process, desk: Desk, also: Set[int] = frozenset()) -> list[str]:
    """Wait for a command and all that it started; return the errors in that. `also` are more valid exit codes."""
    try:
        code = process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return ["it does not end"]
    wrong = [] if code in _CODES | also else [f"exit code {code}"]
    wrong += [f"a stack trace: {desk.said[-3000:]}"] if _TRACE in desk.said.replace(_OF_PYTHON_ITSELF, "") else []
    end = time.monotonic() + _PATIENCE_S / 4
    while left := _session(process.pid):
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            return [*wrong, f"{len(left)} processes of it stay: {[_command(pid) for pid in left]}"]
        time.sleep(0.2)
    return wrong


def _session(leader: int) -> list[int]:
    """Return the live processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = entry.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(entry.parent.name))
    return found


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    return "?"
