"""Creating an existing object distinguishes equal from different content without reading either again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from millrace.lake import ObjectExists, StoredObject, checksum, create_once
from millrace.lake.local import LocalLake


class Unread(LocalLake):
    """A lake that allows no reads, and whose listing has no checksum, like a folder's."""

    def read(self, name: str, generation: int | None = None) -> tuple[bytes, StoredObject]:
        raise AssertionError(f"{name} was read")


class Telling(Unread):
    """A lake whose listing has the checksums, as Cloud Storage's."""

    def list(self, prefix: str, start: str = "") -> Iterator[StoredObject]:
        for stored in super().list(prefix, start):
            yield replace(stored, crc32c=checksum(self._root / stored.version.name))


def test_content_of_another_size_is_refused_unread(tmp_path: Path) -> None:
    lake = Unread(tmp_path / "lake", "lake")
    create_once(lake, "a", b"one")
    with pytest.raises(ObjectExists):
        create_once(lake, "a", b"other")


def test_same_file_is_accepted_by_stored_checksum_without_reading(tmp_path: Path) -> None:
    lake = Telling(tmp_path / "lake", "lake")
    (tmp_path / "file").write_bytes(b"one")
    first = create_once(lake, "a", tmp_path / "file")
    assert create_once(lake, "a", tmp_path / "file") == create_once(lake, "a", b"one") == first


def test_other_content_of_same_size_is_refused_by_stored_checksum(tmp_path: Path) -> None:
    lake = Telling(tmp_path / "lake", "lake")
    create_once(lake, "a", b"one")
    with pytest.raises(ObjectExists):
        create_once(lake, "a", b"two")


def test_other_content_of_the_same_size_is_refused_in_a_folder(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake", "lake")
    create_once(lake, "a", b"one")
    with pytest.raises(ObjectExists):
        create_once(lake, "a", b"two")


def test_an_object_whose_name_begins_alike_is_another_one(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path / "lake", "lake")
    create_once(lake, "a-1", b"one")
    create_once(lake, "ab", b"one")
    first = create_once(lake, "a", b"two")
    assert create_once(lake, "a", b"two") == first
