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
        _note(holder)
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def holder(folder: Path) -> int | None:
    """Give the process that collects with the state in the folder; None when none does.

    The lock is not tried: that could keep out a collector which starts at this moment.
    """
    return living(folder / "collector.pid")


@contextmanager
def watching(folder: Path) -> Iterator[None]:
    """Note that this process watches; the note stays when the block raises, or the process dies."""
    _note(_watcher(folder))
    yield
    forget_watcher(folder)


def forget_watcher(folder: Path) -> None:
    """Remove the note of a watcher that has died: its work is done."""
    _watcher(folder).unlink(missing_ok=True)


def dead_watcher(folder: Path) -> str | None:
    """Return which process watched and ended without its user's doing; None when there is none."""
    note = _watcher(folder)
    return _pid(note) if note.exists() and living(note) is None else None


def living(note: Path) -> int | None:
    """Return the process that a file notes, if it lives."""
    noted = _pid(note)
    if not noted.isdecimal() or int(noted) == 0:
        return None
    try:
        os.kill(int(noted), 0)
    except PermissionError:
        pass  # it lives, and is somebody else's
    except (OSError, OverflowError):
        return None
    born = _lines(note)[1:]
    return int(noted) if not born or born == [_birth(int(noted))] else None


def _watcher(folder: Path) -> Path:
    return folder / "watcher.pid"


def _note(note: Path) -> None:
    note.write_text(note_of_this_process())


def note_of_this_process() -> str:
    """Return what `living` knows this process by: its number and, where that can be told, when it was born."""
    return "\n".join([str(os.getpid()), *filter(None, [_birth(os.getpid())])])


def _birth(pid: int) -> str:
    """Return when a process was born, which tells it from a later one with its number; '' where that is not known."""
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
