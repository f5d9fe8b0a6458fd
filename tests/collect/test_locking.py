"""One collector for each state folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from millrace.collect.lock import dead_watcher, holding, living, watching
from millrace.errors import ConfigError

PROGRAM = """import sys, pathlib
from millrace.collect.lock import holding, watching
with holding(pathlib.Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_second_collector_error_names_first_process(tmp_path: Path) -> None:
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "state")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "holds\n"
        with pytest.raises(ConfigError, match=f"process {first.pid} collects already"), holding(tmp_path / "state"):
            pass
        first.kill()
    with holding(tmp_path / "state"):  # the lock ended with its holder
        pass


def test_a_collector_that_has_ended_leaves_the_folder_to_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        with holding(tmp_path):
            assert (tmp_path / "collector.pid").exists()
    assert not (tmp_path / "collector.pid").exists()


def test_a_watcher_that_raises_stays_noted_when_its_process_is_gone(tmp_path: Path) -> None:
    program = PROGRAM.replace("holding", "watching").replace("sys.stdin.read()", "raise OSError")
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=subprocess.DEVNULL) as first:
        first.wait()
    assert dead_watcher(tmp_path) == str(first.pid)
    with watching(tmp_path):
        assert dead_watcher(tmp_path) is None
    assert dead_watcher(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="when a process was born is known from /proc")
def test_a_later_process_with_the_number_of_a_dead_one_is_another(tmp_path: Path) -> None:
    with watching(tmp_path):
        note = tmp_path / "watcher.pid"
        pid, born = note.read_text().splitlines()
        note.write_text(f"{pid}\n{born}1")
        assert dead_watcher(tmp_path) == pid


@pytest.mark.parametrize("noted", ["", "0", "x", "-1", "99999999999999999999"])
def test_a_note_that_names_no_process_names_none_that_lives(tmp_path: Path, noted: str) -> None:
    (tmp_path / "note").write_text(noted)
    assert living(tmp_path / "note") is None
