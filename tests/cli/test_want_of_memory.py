"""A shortage of memory or threads ends a command with one line, wherever it occurs."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response

from millrace.cli import main as cli


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "error: the machine failed: MemoryError; free some of that, then run again\n"),
        (
            RuntimeError("can't start new thread"),
            "error: the machine failed: can't start new thread; free some of that, then run again\n",
        ),
    ],
)
def test_want_of_memory_ends_a_command_in_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(cli.tree, "main", fail)
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().err == said


def test_an_error_of_ours_keeps_its_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(cli.tree, "main", fail)
    with pytest.raises(RuntimeError, match="changed size"):
        cli.main(["status"])


@pytest.mark.parametrize("verb", ["run", "collect"])
def test_too_little_address_space_for_a_build_is_refused_before_it_starts(verb: str, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))

    Machine(tmp_path).log("claude").write_bytes(response("m1"))
    command = [sys.executable, "-m", "millrace", verb, "--data-dir", f"{tmp_path}/data"]
    own = os.environ | {"HOME": f"{tmp_path}/home"}
    done = subprocess.run(command, env=own, preexec_fn=limit, capture_output=True, text=True, timeout=300)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines() == [
        "error: expected at least 1,024 MiB of address space, got 600 MiB; "
        "raise the limit (ulimit -v unlimited), then run again"
    ]
