"""A data directory is private to its owner: other users of the machine can read neither stores nor logs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response

from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT


def millrace(*arguments: str) -> None:
    """Run a verb under the usual umask."""
    command = f"umask 022; exec {sys.executable} -m millrace {' '.join(arguments)}"
    done = subprocess.run(["bash", "-c", command], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def readable_by_others(root: Path) -> list[str]:
    return [str(path) for path in (root, *root.rglob("*")) if path.lstat().st_mode & 0o077]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A data directory that a collector made, loaded and built."""
    folder = tmp_path_factory.mktemp("private")
    Machine(folder).log("claude").write_bytes(response("m1"))
    place = DataDir(folder / "data")
    millrace("collect", "--data-dir", str(place.root), "--home", str(folder / "home"))
    return place


def test_all_that_a_verb_writes_is_the_owners_alone(place: DataDir) -> None:
    assert place.published.exists()
    assert (place.dbt / "dbt.log").exists()
    assert readable_by_others(place.root) == []


def test_the_next_start_closes_an_older_data_directory(place: DataDir) -> None:
    for path in (place.root, *place.root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    millrace("build", "--data-dir", str(place.root))
    entries = [place.root, *place.root.iterdir()]
    assert [path.name for path in entries if path.stat().st_mode & 0o077] == []


def test_a_folder_that_holds_other_things_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("bin", "lakehouse", "published.duckdb"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    with DataDir(tmp_path).lock():
        pass
    rights = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path, *tmp_path.iterdir())}
    assert (rights[tmp_path.name], rights["bin"], rights["lakehouse"]) == (0o755, 0o644, 0o644)
    assert (rights["published.duckdb"], rights["running"], rights["lake"]) == (0o600, 0o600, 0o700)


def test_links_are_not_followed_and_the_process_gets_its_umask_back(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "quarantine").symlink_to(elsewhere)
    before = os.umask(0o022)
    try:
        with DataDir(tmp_path / "data").lock():
            pass
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert elsewhere.stat().st_mode & 0o777 == 0o755
