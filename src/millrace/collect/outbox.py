"""Files to send: a folder in which each file appears with all of its content, named by a number and a hash."""

import hashlib
import os
from pathlib import Path

_ASIDE = ".aside"


def spool_of(state: Path) -> Path:
    """Return the folder of a collector's state in which files wait to be sent."""
    return state / "spool"


def last_number(spool: Path) -> int:
    """Return the highest number of a file that waits to be sent; 0 when none does."""
    return max(map(_number, files(spool)), default=0)


def put(spool: Path, number: int, content: bytes) -> Path:
    """Write batch `number` durably: to a temporary file first, then renamed to a name with its content's hash."""
    spool.mkdir(parents=True, exist_ok=True)
    path = spool / f"{number:08}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    aside = path.with_name(path.name + _ASIDE)
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    _keep_names(spool)
    return path


def files(spool: Path) -> list[Path]:
    """Return the files to send, the oldest first."""
    return sorted(spool.glob("*.parquet"))


def drop_after(spool: Path, number: int) -> None:
    """Delete files of batches after `number`: the store does not contain these batches, and writes them again."""
    for path in [*spool.glob("*" + _ASIDE), *(file for file in files(spool) if _number(file) > number)]:
        path.unlink()


def _number(file: Path) -> int:
    return int(file.name.partition("-")[0])


def _keep_names(folder: Path) -> None:
    """Make the names in a folder durable; on Windows they already are, and a folder cannot be opened."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
