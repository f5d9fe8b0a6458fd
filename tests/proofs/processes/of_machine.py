"""Faults of a machine while a command runs: no space, no write permission, few handles, another clock, a kill."""

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from random import Random

from tests.proofs.killing.random_kills import ends, kill
from tests.proofs.processes.workplace import Workplace

_ROOM_BYTES = (0, 4_096, 100_000, 1_000_000, 4_000_000, 9_000_000, 14_000_000, 20_000_000)
_INODES = (0, 1, 3, 8, 15, 30, 60)
_MEMORY_MB = (600, 850, 1000, 1300, 1700)
_OF_LIBRARIES = frozenset({-signal.SIGABRT, -signal.SIGSEGV, 127})
_FILE_BYTES = (0, 4_096, 50_000, 300_000, 1_000_000, 5_000_000, 11_000_000)
_AMOUNTS = ("5m", "20m", "3h", "1d", "40d", "400d", "10y")
_COMMANDS = (
    "run --full-refresh",
    "run --full-refresh --no-build",
    "run",
    "collect",
    "collect",
    "rebuild",
    "build --force",
)
_HOLD = """
import duckdb, sys, time
held = duckdb.connect(sys.argv[1], read_only=True)
print("held", flush=True)
time.sleep(%f)
"""


def _command(place: Workplace, dice: Random) -> str:
    """Draw a command, and create work for it."""
    name = dice.choice(_COMMANDS)
    if name == "collect" or dice.random() < 0.2:
        place.logs.change(dice)
    return name if place.place.lake.exists() else dice.choice(("run", "run --no-build", "collect"))


def fill_disk(place: Workplace, dice: Random) -> str:
    """Fill the disk, then free it again."""
    name, room = _command(place, dice), int(dice.choice(_ROOM_BYTES) * dice.uniform(0.7, 1.3))
    place.mounts.put_on_disk(place.data)
    place.mounts.limit(place.data, bytes_left=room)
    place.do(name)
    place.mounts.limit(place.data)
    return f"{room:,} bytes are left for {name}"


def use_up_inodes(place: Workplace, dice: Random) -> str:
    """Leave few inodes, then enough again."""
    name, left = _command(place, dice), dice.choice(_INODES)
    place.mounts.put_on_disk(place.data)
    place.mounts.limit(place.data, inodes_left=left)
    place.do(name)
    place.mounts.limit(place.data)
    return f"{left} inodes are left for {name}"


def forbid_writing(place: Workplace, dice: Random) -> str:
    """Make a data directory read-only, from the start of a command or from some moment in it."""
    name, after_s = _command(place, dice), dice.choice((0.0, dice.uniform(0.2, 6)))
    place.mounts.bind(place.data)
    is_first = not after_s and place.mounts.allow_writing(place.data, False)
    process = place.start(name)
    time.sleep(after_s)
    is_so = is_first
    while not is_so and process.poll() is None:
        is_so = place.mounts.allow_writing(place.data, False)
        time.sleep(0.01)
    place.heed(name, ends(process, place))
    place.mounts.allow_writing(place.data, True)
    place.mounts.unbind(place.data)
    return f"read-only {'before' if is_first else f'{after_s:.1f} s into' if is_so else 'never, as one wrote:'} {name}"


def limit_handles(place: Workplace, dice: Random) -> str:
    """Limit the files that a command may open."""
    name, most = _command(place, dice), dice.randrange(10, 40)
    _do_with(place, name, resource.RLIMIT_NOFILE, most)
    return f"{most} handles for {name}"


def limit_memory(place: Workplace, dice: Random) -> str:
    """Limit a command's memory: libraries end a process that gets none."""
    name, most = _command(place, dice), dice.choice(_MEMORY_MB)
    _do_with(place, name, resource.RLIMIT_AS, most * 1_000_000, _OF_LIBRARIES)
    return f"{most} MB for {name}"


def limit_file_size(place: Workplace, dice: Random) -> str:
    """Limit a command to writing short files."""
    name, most = _command(place, dice), dice.choice(_FILE_BYTES)
    _do_with(place, name, resource.RLIMIT_FSIZE, most)
    return f"files of {most:,} bytes for {name}"


def _do_with(place: Workplace, name: str, kind: int, most: int, also: frozenset[int] = frozenset()) -> None:
    process = place.start(name, before=lambda: resource.setrlimit(kind, (most, most)))
    place.heed(name, ends(process, place, also))


def set_clock_ahead(place: Workplace, dice: Random) -> str:
    """Set the clock ahead for a command or two."""
    return _with_clocks(place, dice, [f"+{dice.choice(_AMOUNTS)}"])


def set_clock_behind(place: Workplace, dice: Random) -> str:
    """Set the clock behind for a command or two."""
    return _with_clocks(place, dice, [f"-{dice.choice(_AMOUNTS)}"])


def let_clock_jump(place: Workplace, dice: Random) -> str:
    """Set another clock for each of some commands."""
    return _with_clocks(place, dice, [f"{dice.choice('+-')}{dice.choice(_AMOUNTS)}" for _ in range(3)])


def _with_clocks(place: Workplace, dice: Random, clocks: list[str]) -> str:
    done = []
    for clock in clocks if len(clocks) > 1 else clocks * dice.choice((1, 2)):
        name = dice.choice(("run --no-build", "run --full-refresh --no-build", "collect", "collect", "run"))
        if name == "collect" and dice.random() < 0.7:
            place.logs.change(dice)
        place.do(name, clock)
        done.append(f"{name} at {clock}")
    return ", ".join(done)


def kill_one(place: Workplace, dice: Random) -> str:
    """Kill a command, or a child of it, at a random moment."""
    name = _command(place, dice)
    done = kill(place, dice, {name: 1.5 if "--no-build" in name else 8.0}, [name])
    place.heed(name, done.wrong)
    return str(done)


def hold_warehouse(place: Workplace, dice: Random) -> str:
    """Hold the warehouse open in another process for some seconds while a command runs."""
    name, seconds = _command(place, dice), dice.uniform(0.5, 6)
    with _holding(place, seconds):
        place.do(name)
    return f"held for {seconds:.1f} s during {name}"


@contextlib.contextmanager
def _holding(place: Workplace, seconds: float) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLD % seconds, str(place.place.warehouse)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        if holder.stdout is not None:
            holder.stdout.readline()  # it has opened it, or cannot
        try:
            yield
        finally:
            holder.terminate()
