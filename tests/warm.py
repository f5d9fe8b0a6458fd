"""Our commands as processes that start warm: forked from one that has already imported their modules.

Half of the time of a command is the same each time: importing dbt, and parsing its project. A forked command finds
the imports in its memory and the parsed project in a file. It is a process like any other: its own memory,
threads and files, its exit code, its output. Tests of the start itself, of signals and of pipes start cold.
"""

import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from unittest import mock

from filelock import FileLock

PROJECT = Path(__file__).parents[1]
DBT_PROJECT = PROJECT / "jobs" / "dbt-runner" / "dbt"
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.warm_imports"])

parsed_folder = Path(tempfile.gettempdir())
"""The folder of the parsed dbt project; the session sets one that all of its workers share."""


def run(
    program: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 1800
) -> "subprocess.CompletedProcess[str]":
    """Run `run_all`, `millrace` or `dbt` in the root of the project, and return its exit and its output.

    Raises subprocess.TimeoutExpired.
    """
    variables = dict(environment if environment is not None else os.environ)
    if "DBT_PARTIAL_PARSE_FILE_PATH" not in variables:
        variables["DBT_PARTIAL_PARSE_FILE_PATH"] = str(_parsed(parsed_folder))
    return _forked(program, arguments, variables, timeout_s)


def process(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Return a process that calls `target`, with the imports of the commands in its memory."""
    _start()
    return _CONTEXT.Process(target=target, args=arguments)


@functools.cache
def _parsed(folder: Path) -> Path:
    """Return the file of the project as dbt parsed it for a `millrace.duckdb`; the first worker creates it.

    For a database of another name dbt parses everything again.
    """
    target = folder / "parsed"
    parsed = target / "partial_parse.msgpack"
    with FileLock(f"{target}.lock"):
        if not parsed.exists():
            variables = os.environ | {"MILLRACE_DUCKDB_PATH": str(folder / "millrace.duckdb")}
            project = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target", "local")
            paths = ("--target-path", str(target), "--log-path", str(target))
            done = _forked("dbt", ("--quiet", "parse", *project, *paths), variables, 600)
            assert done.returncode == 0, done.stdout + done.stderr
    return parsed


def _forked(
    program: str, arguments: tuple[str, ...], environment: Mapping[str, str], timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        warm = process(_live, program, arguments, dict(environment), out, err)
        warm.start()
        warm.join(timeout_s)
        if warm.exitcode is None:
            warm.kill()
            warm.join()
            raise subprocess.TimeoutExpired([program, *arguments], timeout_s, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess([program, *arguments], warm.exitcode, out.read_text(), err.read_text())


@functools.cache
def _start() -> None:
    """Start the process from which all others are forked."""
    path = os.pathsep.join(map(str, (PROJECT, PROJECT / "src", PROJECT / "local")))
    with mock.patch.dict(os.environ, {"PYTHONPATH": path}):
        forkserver.ensure_running()


def _live(program: str, arguments: tuple[str, ...], environment: Mapping[str, str], out: Path, err: Path) -> None:
    """Run the command in the forked process."""
    assert "dbt.cli.main" in sys.modules, "the imports of tests/warm_imports.py failed"
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(PROJECT)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    tempfile.tempdir = None
    sys.argv = [program, *arguments]
    _parse_by_database_alone()
    from dbt.cli.main import cli as dbt

    import run_all
    from millrace.cli import main as millrace

    if program == "dbt":
        dbt(arguments)
    else:
        sys.exit((run_all if program == "run_all" else millrace).main(list(arguments)))


def _parse_by_database_alone() -> None:
    """Make dbt accept a project that was parsed for a database of the same name elsewhere.

    Otherwise it would parse everything again for another path or another setting of DuckDB, which no model uses.
    """
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    keys: Any = DuckDBCredentials._connection_keys
    mock.patch.object(
        DuckDBCredentials, "_connection_keys", lambda self: tuple(set(keys(self)) - {"path", "settings"})
    ).start()
