"""Files opened without following a link, even one that replaced a folder after the path was checked."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_HAS_FOLDER_HANDLES = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


def open_plain(path: Path) -> BinaryIO:
    """Return an open file; OSError when it is no regular file, or when its absolute path contains a link."""
    number = _open(path)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("expected a regular file")
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def _open(path: Path) -> int:
    if _HAS_FOLDER_HANDLES:
        try:
            return _open_by_folders(path)
        except PermissionError:  # without O_PATH, a folder that may be passed and not be listed cannot be opened
            if hasattr(os, "O_PATH"):
                raise
    return _open_and_check(path)


def _open_by_folders(path: Path) -> int:
    """Open one folder after the other, each within the last: none of them can be exchanged for a link meanwhile."""
    as_folder = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(path.anchor, as_folder)
    try:
        for name in path.parts[1:-1]:
            within = os.open(name, as_folder, dir_fd=folder)
            os.close(folder)
            folder = within
        # A pipe would block.
        return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)


def _open_and_check(path: Path) -> int:
    """Open a file and check afterwards that the path still leads to it without a link; Windows has no handles."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        if path.resolve() != path or not os.path.samestat(os.fstat(number), os.lstat(path)):
            raise OSError("expected a path without links")
    except BaseException:
        os.close(number)
        raise
    return number
