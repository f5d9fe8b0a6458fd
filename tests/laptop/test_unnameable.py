"""A file in the drop folder that cannot be loaded is reported, of any kind."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from millrace.laptop import drops

pytestmark = pytest.mark.fast


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is limited to about a hundred bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(os.mkfifo, "pipe, a socket or a device", id="a pipe"),
        pytest.param(make_socket, "pipe, a socket or a device", id="a socket"),
        pytest.param(Path.mkdir, "a folder named as a file", id="a folder"),
        pytest.param(lambda path: path.symlink_to("/dev/null"), "it is a link", id="a link"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "b.PARQUET", "c.ndjson"])
def test_drop_entry_that_is_not_a_file_is_reported(
    tmp_path: Path, make: Callable[[Path], None], why: str, name: str
) -> None:
    folder = tmp_path / "drop"
    (folder / "repos").mkdir(parents=True)
    make(folder / "repos" / name)
    (folder / "repos" / "good.csv").write_bytes(b"full_name\n")
    (told,) = drops.unnameable(folder)
    assert (told.outcome, told.is_good, why in told.detail) == ("not loaded", False, True)
    assert name in told.file


def test_folders_and_files_with_plain_names_are_not(tmp_path: Path) -> None:
    (tmp_path / "drop" / "repos" / "2026").mkdir(parents=True)
    (tmp_path / "drop" / "repos" / "2026" / "a.csv").write_bytes(b"full_name\n")
    assert drops.unnameable(tmp_path / "drop") == []
