"""Runs that start warm: each a process of its own, forked from one that has already imported and parsed everything.

Most of a run's time is the same in all runs: importing dbt, parsing its project, starting a simulator. A
forked run finds that done. It is a process like any other: its own memory, threads, DuckDB file and dbt build, and a
real SIGKILL ends it. dbt leaves out in it: its log, its JSON artifacts, which only a retry reads, and its unit
tests, which read generated rows and none of the warehouse. The runs of `killing.run` start cold and have it all.
"""

import gc
import os
import pickle
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.proofs.killing import killable
from tests.proofs.killing.killable import NOWHERE, PROJECT, KillPoint
from tests.proofs.killing.killing import End, Run

_KEPT = frozenset(("PATH", "HOME", "LANG"))  # dbt searches the environment for every line that it might log
_LEFT_OUT = {"DBT_LOG_LEVEL_FILE": "none", "DBT_WRITE_JSON": "false"}
_DBT_DIR = PROJECT / "jobs" / "dbt-runner" / "dbt"


@dataclass(frozen=True)
class Nest:
    """A folder for one run after the other; `source` is a simulator that stays."""

    folder: Path
    source: str

    @property
    def data(self) -> Path:
        """The data directory of the runs."""
        return self.folder / "data"

    def warm(self) -> None:
        """Do the common work of all runs in this process. It must have no other thread, now and when runs begin."""
        from dbt.cli.main import dbtRunner

        temporary = self.folder / "tmp"  # the files of a killed run are removed with the folder
        temporary.mkdir(parents=True)
        tempfile.tempdir = str(temporary)
        for name in os.environ.keys() - _KEPT:
            del os.environ[name]
        os.environ.update(_LEFT_OUT)
        os.environ["MILLRACE_REQUESTS_PER_MINUTE"] = "0"
        os.environ["MILLRACE_DUCKDB_PATH"] = str(self.data / "millrace.duckdb")
        os.environ["MILLRACE_DUCKDB_MEMORY"] = "400MB"
        arguments = ["--quiet", "parse", "--project-dir", str(_DBT_DIR), "--profiles-dir", str(_DBT_DIR)]
        arguments += ["--target", "local", "--target-path", str(self._parsed), "--log-path", str(self._parsed)]
        if not dbtRunner().invoke(arguments).success:
            raise RuntimeError("dbt could not parse its project")
        gc.collect()
        gc.freeze()  # so that no run copies the memory that it shares with this process
        gc.disable()

    def clear(self) -> None:
        """Empty the folder, except for the parsed project."""
        shutil.rmtree(self.data, ignore_errors=True)
        (self.data / "dbt").mkdir(parents=True)
        shutil.copy(self._parsed / "partial_parse.msgpack", self.data / "dbt")

    def run(self, place: KillPoint = NOWHERE) -> Run:
        """Run the whole pipeline, to its end or to a place."""
        options = ["--data-dir", str(self.data), "--source-url", self.source, "--json"]
        return self._forked(lambda: killable.run(place, options))

    def wait_for_another_run(self) -> None:
        """Wait for the next second, which names a run: a run of the same name would only join the one before."""
        time.sleep(1 - time.time() % 1)

    def end(self) -> End:
        """Return the contents of the data directory, read by a process of its own: this one never imports DuckDB."""
        pickled = self.folder / "end"

        def read() -> int:
            pickled.write_bytes(pickle.dumps(End.of(self.data)))
            return 0

        done = self._forked(read)
        if done.code:
            raise RuntimeError(done.err)
        end = pickle.loads(pickled.read_bytes())  # noqa: S301 just written by ourselves
        assert isinstance(end, End)
        return end

    @property
    def _parsed(self) -> Path:
        return self.folder / "parsed"

    def _forked(self, work: Callable[[], int]) -> Run:
        err = self.folder / "err"
        process = os.fork()
        if process == 0:
            become(work, err)
        _, status = os.waitpid(process, 0)
        return Run(os.waitstatus_to_exitcode(status), err.read_text())


def become(work: Callable[[], int], err: Path) -> None:
    """End this process with the exit code of `work`, without the exit handlers of the forking one."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        code = work()
    except BaseException:  # noqa: BLE001 no code above would catch it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
