"""One collector for each state folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from millrace.collect.lock import holding
from millrace.errors import ConfigError

PROGRAM = """import sys, pathlib
from millrace.collect.lock import holding
with holding(pathlib.Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_a_second_collector_is_told_who_the_first_one_is(tmp_path: Path) -> None:
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
