"""What a machine must support for a schedule: mounting folders, and starting a command with another clock."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Literal

Ability = Literal["mounts", "faketime"]
CLOCK = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0", "NO_FAKE_STAT": "1"}
"""The environment of a command with another clock: its waits and the times of its files stay correct."""

_YEAR = "import datetime; print(datetime.datetime.now(datetime.UTC).year)"


def answer(command: Sequence[str]) -> str | None:
    """Run a command; return its output, or None if it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.strip()


def lacking(
    which: Callable[[str], str | None] = shutil.which, answers: Callable[[Sequence[str]], str | None] = answer
) -> dict[Ability, str]:
    """Return the abilities that this machine lacks, each with the reason."""
    found: dict[Ability, str] = {}
    absent = [name for name in ("mount", "umount", "unshare") if which(name) is None]
    if absent:
        found["mounts"] = f"{', '.join(absent)} is not installed"
    elif answers(["unshare", "-m", "true"]) is None:
        found["mounts"] = "this user may make no mounts"
    elif answers(["unshare", "-m", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]) is None:
        found["mounts"] = "a tmpfs cannot be mounted"
    if which("faketime") is None:
        found["faketime"] = "faketime is not installed"
    else:
        true, false = (answers([*prefix, sys.executable, "-c", _YEAR]) for prefix in ((), ("faketime", "-f", "+800d")))
        if true is None or false is None or int(false) <= int(true):
            found["faketime"] = "faketime does not change the clock of Python"
    return found
