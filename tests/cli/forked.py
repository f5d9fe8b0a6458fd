"""A command line in a process of its own, whose streams are files or pipes without a reader."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests import warm

from millrace.build import job
from millrace.build.dbt import Build
from millrace.cli import main as cli
from millrace.warehouse import Node

NODE = Node("ключ→velocity", "test", "fail", 0.1, "✓ … → nothing of it is ASCII: 日本")
"""The node with which every build fails."""


def forked(words: Sequence[str], out: Path | None, err: Path | None, encoding: str = "utf-8") -> int:
    """Run a command line, and return its exit code, 120 as Python's own.

    Its streams go to these files; None: to a pipe that has no reader. A build fails at once, in words that are not
    ASCII. The process is no fork of this one, which would have the locks of its threads, and none of the threads.
    """
    process = warm.process(_command, words, out, err, encoding)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _command(words: Sequence[str], out: Path | None, err: Path | None, encoding: str) -> None:
    code = 99
    try:
        for number, path in ((1, out), (2, err)):
            os.dup2(_opened(path), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding=encoding, closefd=False, buffering=1)  # noqa: SIM115
        job.run = lambda *of, **named: job.Outcome("failed", Build((NODE,), 0.1))
        code = cli.main(words)
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            code = 120
    except BaseException:  # noqa: BLE001 the process ends here
        with suppress(OSError):
            os.write(2, traceback.format_exc().encode("ascii", "replace"))
    finally:
        os._exit(code)


def _opened(path: Path | None) -> int:
    if path is not None:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    reader, writer = os.pipe()
    os.close(reader)
    return writer
