"""Commands that start warm: each a process of its own, forked from this one, which has imported everything.

They are the undisturbed ones. Disturbed commands start cold, as a user starts them.
"""

import gc
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tests.proofs.killing.killable import PROJECT
from tests.proofs.killing.warm import become

T = TypeVar("T")


def warm() -> None:
    """Import the modules of commands. This process must have no other thread, now and when they begin.

    It parses nothing with dbt: dbt parses with a pool of threads, which no forked process would have.
    """

    import millrace.laptop.rebuild
    import millrace.laptop.run
    import millrace.laptop.status
    import millrace.laptop.usage_pipeline  # noqa: F401 as each of the commands does

    gc.collect()
    gc.freeze()  # so that no command copies the memory that it shares with this process


class Forked:
    """A command of ours in a session of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], said: Path) -> None:
        self.returncode: int | None = None
        self._command = command
        self.pid = os.fork()
        if self.pid == 0:
            _live(command, environment, said)

    def wait(self, timeout: float) -> int:
        """Wait for its exit code."""
        end = time.monotonic() + timeout
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise subprocess.TimeoutExpired(list(self._command), timeout)
            else:
                time.sleep(0.02)
        return self.returncode


def _live(command: Sequence[str], environment: Mapping[str, str], said: Path) -> None:
    """Run a command; never returns."""
    import run_all
    from millrace.cli import main as cli

    def work() -> int:
        os.setsid()
        os.chdir(PROJECT)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None  # cached by this process
        os.dup2(2, 1)
        is_run = command[1].endswith("run_all.py")
        return run_all.main(command[2:]) if is_run else cli.main(command[3:])

    sys.argv = [*command]
    become(work, said)


def asked(question: Callable[[], T], folder: Path) -> T:
    """Return the result of a function, called in a process of its own: this one never imports DuckDB."""
    answer, err = folder / "answer", folder / "answer-err"

    def work() -> int:
        answer.write_bytes(pickle.dumps(question()))
        return 0

    pid = os.fork()
    if pid == 0:
        become(work, err)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise RuntimeError(err.read_text())
    found: T = pickle.loads(answer.read_bytes())  # noqa: S301 just written by ourselves
    answer.unlink()
    return found
