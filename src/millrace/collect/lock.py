"""One collector per state folder: two would give the same number to different files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from millrace.errors import ConfigError


class Held(ConfigError):
    """Another process holds the lock of a state folder."""


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold the lock of the state folder; raise Held with the process that holds it already.

    The lock ends with the process that holds it, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock, holder = FileLock(folder / "collector.lock"), folder / "collector.pid"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Held(f"process {_pid(holder)} collects already, with the state in {folder}") from None
    try:
        _note(holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> int | None:
    """Return the process that collects with the state in the folder; None when none does.

    The lock is not tried: that could block a collector that starts at this moment.
    """
    return living(folder / "collector.pid")


@contextmanager
def watching(folder: Path) -> Iterator[None]:
    """Record that this process watches; the note stays when the block raises, or the process dies."""
    _note(_watcher(folder))
    yield
    forget_watcher(folder)


def forget_watcher(folder: Path) -> None:
    """Remove the note of a watcher that has died: its work is done."""
    _watcher(folder).unlink(missing_ok=True)


def dead_watcher(folder: Path) -> str | None:
    """Return the process that watched and died without being stopped by its user; None when there is none."""
    note = _watcher(folder)
    return _pid(note) if note.exists() and living(note) is None else None


def living(note: Path) -> int | None:
    """Return the process in a note file, if it is alive."""
    noted = _pid(note)
    if not noted.isdecimal() or int(noted) == 0:
        return None
    try:
        os.kill(int(noted), 0)
    except PermissionError:
        pass  # it is alive, and belongs to another user
    except (OSError, OverflowError):
        return None
    born = _lines(note)[1:]
    return int(noted) if not born or born == [_birth(int(noted))] else None


def _watcher(folder: Path) -> Path:
    return folder / "watcher.pid"


def _note(note: Path) -> None:
    note.write_text(note_of_this_process())


def note_of_this_process() -> str:
    """Return the note by which `living` recognizes this process: its number and, where known, its start time."""
    return "\n".join([str(os.getpid()), *filter(None, [_birth(os.getpid())])])


def _birth(pid: int) -> str:
    """Return a process's start time, which distinguishes it from a later one with its number; '' where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return ""


def _pid(note: Path) -> str:
    return next(iter(_lines(note)), "(unknown)")


def _lines(note: Path) -> list[str]:
    try:
        return note.read_text().strip().splitlines()
    except OSError:
        return []
