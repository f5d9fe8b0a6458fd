"""Where the files of tests lie."""

import os
import tempfile
from pathlib import Path

import pytest
from tests.in_memory import suits


def test_files_of_tests_are_where_tmpdir_says(tmp_path: Path) -> None:
    assert tmp_path.is_relative_to(Path(os.environ.get("TMPDIR", "/tmp")))  # noqa: S108
    assert tempfile.gettempdir() == os.environ.get("TMPDIR", "/tmp")  # noqa: S108


def test_a_folder_suits_that_is_large_and_may_hold_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = os.statvfs(tmp_path)
    assert suits(tmp_path, 1)
    assert not suits(tmp_path, room.f_bavail * room.f_frsize + (1 << 40))
    assert not suits(tmp_path / "not there", 1)
    fields = [*room[:8], room.f_flag | os.ST_NOEXEC, room.f_namemax]
    monkeypatch.setattr(os, "statvfs", lambda folder: os.statvfs_result(fields))
    assert not suits(tmp_path, 1)
