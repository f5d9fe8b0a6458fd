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
    """No object of that name, or no longer at that generation."""


class ObjectExists(MillraceError):
    """Somebody else wrote the name first: the platform's 412."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of one object: what an event names and the ledger remembers."""

    bucket: str
    name: str
    generation: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A version with its size and checksum.

    `crc32c` is base64 of the big-endian CRC, as Cloud Storage writes it; None in a listing of a lake that would have
    to read the content to know it.
    """

    version: ObjectVersion
    size_bytes: int
    crc32c: str | None


class LakeWriter(Protocol):
    """One bucket, as far as a collector may use it: it has no right to read or to list."""

    bucket: str

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        """Make `content` the object's newest version, all of it or nothing.

        Raises ObjectExists unless the newest version is `if_generation` (0: there is none).
        """


class Lake(LakeWriter, Protocol):
    """One bucket. Reads are strongly consistent; a generation never changes its content."""

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        """Give the whole content of a small object; ObjectMissing when there is none at that generation."""

    def download(self, version: ObjectVersion, to: Path) -> StoredObject:
        """Put exactly that version's bytes into the file `to`; ObjectMissing when it is gone or replaced."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give the newest version of every object whose name starts with `prefix`, in name order."""


def create_once(lake: Lake, name: str, content: bytes | Path) -> StoredObject:
    """Write an object that must not be there yet; the very same content there already is success.

    The same is what has the same size and CRC-32C: by no more than that Cloud Storage promises that it kept what was
    sent, and both contents are ours. So no large content is fetched only to be compared, unless the lake is one that
    has to read it to know its checksum. Raises ObjectExists when the name holds something else.
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
    """Give the CRC-32C of some bytes or of a file's, as Cloud Storage writes it: base64 of the big-endian number."""
    crc = google_crc32c.Checksum()
    if isinstance(content, bytes):
        crc.update(content)
    else:
        with content.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                crc.update(chunk)
    return encode(crc)


def encode(crc: google_crc32c.Checksum) -> str:
    """Give a checksum as Cloud Storage writes it."""
    return base64.b64encode(crc.digest()).decode()
