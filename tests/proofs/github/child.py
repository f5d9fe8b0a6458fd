"""One run of an account in a process of its own, which can be killed; and the parent that starts it.

The child's clock is the simulator's, in the parent: a line on standard output asks for it, or moves it by a wait; the
answer is a line on standard input. At its end the child writes its peak memory.
"""

import contextlib
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

from tests.extract.github.reading import client_of
from tests.proofs.github.account import END, NAME, opened, start_run

from millrace.extract.graphql import GraphQL
from millrace.extract.sources.github.rows import Texts
from millrace.extract.sources.github.source import GitHubSource
from millrace.laptop import in_process
from millrace.laptop.project import PROJECT
from simulator.github import DEFAULT_TOKEN, Clock


class ParentsClock(Clock):
    """The clock of the parent."""

    def __init__(self) -> None:
        super().__init__(END)
        self._asking = threading.Lock()

    def now_s(self) -> float:
        """Return the seconds since 1970."""
        return self._ask("now")

    def advance(self, by_s: float) -> None:
        """Move the clock forward."""
        self._ask(f"advance {by_s}")

    def _ask(self, text: str) -> float:
        with self._asking:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            return float(sys.stdin.readline())


class Child:
    """A run in another process: of this schedule time and scope; without `loads` nothing is loaded."""

    def __init__(self, folder: Path, url: str, clock: Clock, at: datetime, scope: str, loads: bool = True) -> None:
        command = [sys.executable, "-m", "tests.proofs.github.child", str(folder), url, at.isoformat(), scope]
        self._process = subprocess.Popen(
            [*command, *(["--loads"] if loads else [])],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._clock = clock
        self.waited_s = 0.0
        self.peak_mib = 0.0

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()

    def wait(self) -> int:
        """Answer it until its end; return its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, number = line.partition(" ")
            if word == "peak":
                self.peak_mib = float(number)
                continue
            if word == "advance":
                self._clock.advance(float(number))
                self.waited_s += float(number)
            with contextlib.suppress(BrokenPipeError):  # it was killed meanwhile
                self._process.stdin.write(f"{self._clock.now_s()}\n")
                self._process.stdin.flush()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return self._process.wait()


def main(folder: str, url: str, at: str, scope: str, *options: str) -> int:
    """Take up what an earlier process left, run, and return whether something failed."""
    with opened(Path(folder)) as account:
        account.clock = ParentsClock()
        client = client_of(url, account.clock, DEFAULT_TOKEN)
        account.source = GitHubSource(GraphQL(client), NAME, texts=Texts(bodies=True))
        pipeline = account.pipeline
        if "--loads" not in options:
            pipeline.lake.finalized = lambda stored: None
        else:
            in_process.recover(pipeline, lambda line: None)
            account.sweep()
        start_run(datetime.fromisoformat(at), scope)
        pipeline.bus.run()
        sys.stdout.write(f"peak {_peak_mib():.0f}\n")
        sys.stderr.writelines(f"{dead.subscription}: {dead.reason}\n" for dead in pipeline.bus.dead_letters)
        return 1 if pipeline.bus.dead_letters else 0


def _peak_mib() -> float:
    """Return the largest resident memory of this process. That of getrusage counts the parent's before the start."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
