"""The lake: write-once objects with generations, on a folder or on Cloud Storage."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import google_crc32c

from millrace.errors import MillraceError

CHUNK_BYTES = 1 << 20


class ObjectMissing(MillraceError):
    """No object has that name, or it is no longer at that generation."""


class ObjectExists(MillraceError):
    """Another writer wrote the name first: the platform's 412."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of one object, as named in events and in the ledger."""

    bucket: str
    name: str
    generation: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A version with its size and checksum.

    `crc32c` is base64 of the big-endian CRC, as Cloud Storage writes it. It is None in a listing of a lake that would
    have to read the content to compute it.
    """

    version: ObjectVersion
    size_bytes: int
    crc32c: str | None


class LakeWriter(Protocol):
    """One bucket, as a collector may use it: without the right to read or to list."""

    bucket: str

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        """Make `content` the object's newest version, all of it or nothing.

        Raises ObjectExists unless the newest version is `if_generation` (0: there is none).
        """


class Lake(LakeWriter, Protocol):
    """One bucket. Reads are strongly consistent; a generation never changes its content."""

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        """Return the whole content of a small object; ObjectMissing when there is none at that generation."""

    def download(self, version: ObjectVersion, to: Path) -> StoredObject:
        """Write exactly that version's bytes to the file `to`; ObjectMissing when it is deleted or replaced."""

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        """Yield the newest version of every object whose name starts with `prefix`, in name order.

        Names before `start` are left out, and are not looked at.
        """


def create_once(lake: Lake, name: str, content: bytes | Path) -> StoredObject:
    """Write an object that must not exist yet; succeed if it exists with the same content.

    Contents are the same if size and CRC-32C are equal. Cloud Storage itself guarantees no more than that, and both
    contents are ours. So no large content is fetched for the comparison, unless the lake has to read it to compute its
    checksum. Raises ObjectExists when the object has other content.
    """
    try:
        return lake.write(name, content, if_generation=0)
    except ObjectExists:
        held = next((stored for stored in lake.list(name) if stored.version.name == name), None)
        if held is None or held.size_bytes != (len(content) if isinstance(content, bytes) else content.stat().st_size):
            raise
        if held.crc32c is None:
            _, held = lake.read(name)
        if held.crc32c != checksum(content):
            raise
        return held


def checksum(content: bytes | Path) -> str:
    """Return the CRC-32C of bytes or of a file, as Cloud Storage writes it: base64 of the big-endian number."""
    crc = google_crc32c.Checksum()
    if isinstance(content, bytes):
        crc.update(content)
    else:
        with content.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                crc.update(chunk)
    return encode(crc)


def encode(crc: google_crc32c.Checksum) -> str:
    """Return a checksum as Cloud Storage writes it."""
    return base64.b64encode(crc.digest()).decode()
