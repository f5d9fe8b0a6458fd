"""The files of tests lie in memory where there is plenty: else a third of the time is spent waiting for the disk.

A TMPDIR of the environment takes precedence. What is in memory is removed when the process that began the tests ends.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 a file system of Linux, in which a folder of our own is made
NEEDED_BYTES = 8 << 30


def suits(folder: Path, needed_bytes: int) -> bool:
    """Return whether files may be written and executed in the folder, and it has so much room."""
    if not os.access(folder, os.W_OK):
        return False
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize >= needed_bytes and not room.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and suits(MEMORY, NEEDED_BYTES):
    _folder = tempfile.mkdtemp(prefix="tests-", dir=MEMORY)
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    os.environ["TMPDIR"] = _folder
    tempfile.tempdir = None  # what it was before is forgotten
