"""One collector for each state folder: two would give the same number to different files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from millrace.errors import ConfigError


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Keep every other collector out of the state folder; ConfigError names the process that is there already.

    The lock ends with the process that holds it, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock, holder = FileLock(folder / "collector.lock"), folder / "collector.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"process {_pid(holder)} collects already, with the state in {folder}") from None
    try:
        holder.write_text(str(os.getpid()))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> int | None:
    """Give the process that collects with the state in the folder; None when none does.

    The lock is not tried: that could keep out a collector which starts at this moment.
    """
    return living(folder / "collector.pid")


def living(note: Path) -> int | None:
    """Give the process that a file notes, if it lives."""
    noted = _pid(note)
    if not noted.isdecimal() or int(noted) == 0:
        return None
    try:
        os.kill(int(noted), 0)
    except PermissionError:
        return int(noted)  # it lives, and is somebody else's
    except (OSError, OverflowError):
        return None
    return int(noted)


def _pid(holder: Path) -> str:
    try:
        return holder.read_text().strip() or "(unknown)"
    except OSError:
        return "(unknown)"
