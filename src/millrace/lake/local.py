"""A lake in a folder: the same guarantees as a bucket, for a laptop and for tests.

A file's generation is its ctime in nanoseconds. It changes with every write, also when a person drops a file by hand,
and unlike the mtime it is not copied along. Writers of one folder exclude each other with a file lock. Readers need
none, because a name appears only with its whole content.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c
from filelock import FileLock

from millrace.lake import CHUNK_BYTES, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, checksum, encode

_HIDDEN = ".lake"  # lock and half-written files; no part of an object's name starts with a dot
_POLL_S = 0.005  # about as long as the work under the lock
_CLOCK_BACK_NS = 2_000_000_000  # up to this, wait; more is an error that a person has to see


class LocalLake:
    """One bucket as the folder `root`; `finalized` is called for every new version, as a bucket's notification is.

    The folder is created at once, unless it is only read.
    """

    def __init__(
        self,
        root: Path,
        bucket: str,
        finalized: Callable[[StoredObject], None] = lambda stored: None,
        is_only_read: bool = False,
    ) -> None:
        self.bucket = bucket
        self.finalized = finalized
        self._root = root
        self._hidden = root / _HIDDEN
        if not is_only_read:
            self._hidden.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        """Make `content` the newest version: write a temporary file, then rename it under the lock."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._aside(content)
        try:
            with self._lock():
                found = _generation(path)
                if found != if_generation:
                    raise ObjectExists(f"{name} is at generation {found}, not at {if_generation}")
                _advance_ctime(aside, beyond=found)
                os.replace(aside, path)
                stored = self._stored(name, path)
        finally:
            aside.unlink(missing_ok=True)
        self.finalized(stored)
        return stored

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        """Return the whole content of a small object, and its version."""
        found = 0
        while found == 0:  # replaced between open and stat: read the new file
            try:
                with self._path(name).open("rb") as file:
                    found = _open_generation(file)
                    content = file.read()
            except OSError as error:
                raise _missing(name, error) from None
        if generation not in (None, found):
            raise ObjectMissing(f"{name} is at generation {found}, no longer at {generation}")
        return content, StoredObject(ObjectVersion(self.bucket, name, found), len(content), checksum(content))

    def download(self, version: ObjectVersion, to: Path) -> StoredObject:
        """Copy exactly that version; a file that changes meanwhile is no longer that version."""
        crc = google_crc32c.Checksum()
        try:
            source = self._path(version.name).open("rb")
        except OSError as error:
            raise _missing(version.name, error) from None
        with source, to.open("wb") as target:
            _require(version, _open_generation(source))
            while chunk := source.read(CHUNK_BYTES):
                crc.update(chunk)
                target.write(chunk)
            _require(version, _open_generation(source))
        return StoredObject(version, to.stat().st_size, encode(crc))

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        """Yield the newest version of every object under `prefix` from `start` on, in name order."""
        folder = prefix.rpartition("/")[0]
        with contextlib.suppress(ObjectMissing):  # no folder can have that name
            yield from self._below(self._path(folder) if folder else self._root, prefix, start)

    def _below(self, folder: Path, prefix: str, start: str) -> Iterator[StoredObject]:
        try:
            entries = [entry for entry in os.scandir(folder) if is_name(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            return
        # "a-b/x" sorts before "a/x": sort a folder by its name with the slash
        for entry in sorted(entries, key=lambda entry: entry.name + "/" * entry.is_dir(follow_symlinks=False)):
            name = Path(entry.path).relative_to(self._root).as_posix()
            if entry.is_dir(follow_symlinks=False):
                if f"{name}/" >= start[: len(name) + 1]:
                    yield from self._below(Path(entry.path), prefix, start)
                continue
            if name.startswith(prefix) and name >= start and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                    status = entry.stat()
                    yield StoredObject(ObjectVersion(self.bucket, name, status.st_ctime_ns), status.st_size, None)

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if "\0" in name or any(part == "" or part.startswith(".") for part in parts):
            raise ObjectMissing(f"{name!r} cannot be the name of an object here")
        return self._root.joinpath(*parts)

    def _stored(self, name: str, path: Path) -> StoredObject:
        status = path.stat()
        return StoredObject(ObjectVersion(self.bucket, name, status.st_ctime_ns), status.st_size, checksum(path))

    def _aside(self, content: bytes | Path) -> Path:
        handle, name = tempfile.mkstemp(dir=self._hidden)
        try:
            with os.fdopen(handle, "wb") as target:
                if isinstance(content, bytes):
                    target.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, target, CHUNK_BYTES)
                target.flush()
                os.fsync(target.fileno())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return Path(name)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with FileLock(self._hidden / "lock", mode=0o600, poll_interval=_POLL_S):
            yield


def is_name(part: str) -> bool:
    """Return whether a file's name can be part of an object's: not hidden, and UTF-8."""
    return not part.startswith(".") and not any("\ud800" <= mark <= "\udfff" for mark in part)


def _missing(name: str, error: OSError) -> Exception:
    is_no_file = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
    return ObjectMissing(f"no object {name!r}") if is_no_file or error.errno == errno.ENAMETOOLONG else error


def _require(version: ObjectVersion, found: int) -> None:
    if found != version.generation:
        raise ObjectMissing(f"{version.name} is at generation {found}, no longer at {version.generation}")


def _open_generation(file: BinaryIO) -> int:
    """Return the generation of an open file; 0 when its name was removed or replaced.

    Losing its last name changes a file's ctime, to what may be exactly its successor's.
    """
    status = os.fstat(file.fileno())
    return status.st_ctime_ns if status.st_nlink else 0


def _generation(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return 0


def _advance_ctime(path: Path, beyond: int) -> None:
    """Touch the file until its ctime is later than `beyond`.

    Two writes within one tick of the kernel's clock would share a ctime. Call this before the file gets its name, so
    that no reader finds the new content under the old generation.
    """
    while (behind_ns := beyond - path.stat().st_ctime_ns) >= 0:
        if behind_ns > _CLOCK_BACK_NS:
            raise OSError(errno.ETIME, "the clock went back; objects would get older generations", str(path))
        time.sleep(0.001)
        os.utime(path)
