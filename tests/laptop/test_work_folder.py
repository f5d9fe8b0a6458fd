"""Temporary files of a load are below the data directory, and those of a killed process are removed."""

import tempfile
from pathlib import Path

import pytest

from millrace.laptop.data_dir import DataDir

pytestmark = pytest.mark.fast


def test_temporary_files_lie_below_the_data_directory_while_it_is_used(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    place = DataDir(tmp_path / "data")
    with place.lock(), tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        assert Path(folder).parent == place.work
    assert tempfile.gettempdir() == before
    assert list(place.work.iterdir()) == []


@pytest.mark.parametrize("left", ["millrace-abc/object", "millrace-abc/deep/er/object.parquet", "object"])
def test_leftover_work_files_are_removed_by_next_process(tmp_path: Path, left: str) -> None:
    place = DataDir(tmp_path / "data")
    (place.work / left).parent.mkdir(parents=True)
    (place.work / left).write_bytes(b"half a part")
    with place.lock():
        assert list(place.work.iterdir()) == []


def test_work_files_in_use_are_not_removed(tmp_path: Path) -> None:
    place = DataDir(tmp_path / "data")
    with place.lock():
        (place.work / "object").write_bytes(b"a part")
        with pytest.raises(Exception, match="another run"), place.lock():
            pass
        assert (place.work / "object").exists()
