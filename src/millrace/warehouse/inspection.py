"""The child process that reads untrusted files, one after the other, within limits of memory and time.

Each process has one child, started when it is first needed and replaced when it dies. A file that makes it exceed a
limit, or crash, is read once more by a new child, alone; then it is refused. A child that something else ended says
nothing about the file: that is an error of the machine.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

from millrace import config, log
from millrace.errors import BadObject, TransientError, unreadable

_PROGRAM = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from millrace.warehouse import inspector
inspector.main()"""
READY = b"ready\n"
_POLL_MS = 5 if Path("/proc/self/statm").exists() else 100  # elsewhere each look costs a process
_START_S = 60
_WALL_S_PER_CPU_S = 3  # a machine that is this slow is at fault, not the file
_MOST_ANSWER_BYTES = 1 << 20
_CRASHES = frozenset(
    (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)
)


class _Ended(BadObject):
    """The child was ended by the content of a file: it exceeded a limit, or crashed."""


def ask(request: Mapping[str, object], memory_bytes: int, cpu_s: int) -> dict[str, Any]:
    """Return the child's answer to a request about a file.

    Raises BadObject: what the child answers, `too_large` (it needs more than the limits) or `unreadable` (it crashes
    the child); TransientError when the machine ends or refuses the child.
    """
    global _child
    with _lock:
        for is_last in (False, True):
            try:
                if _child is None or not _child.is_alive():
                    close()
                    _child = _Child()
                return _child.answer(request, memory_bytes, cpu_s)
            except _Ended as error:
                close()
                log.warning("the check of a file ended its process", reason=error.reason, is_last=is_last)
                if is_last:
                    raise BadObject(error.reason, str(error)) from None
            except BadObject:
                raise
            except BaseException:  # also an interrupt: an answer may be on its way, to a request that is over
                close()
                raise
    raise AssertionError("unreachable")


def close() -> None:
    """End the child, if there is one. The next request starts another."""
    global _child
    child, _child = _child, None
    if child is not None:
        child.end()


class _Child:
    """The process and its two pipes."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 our own module
                [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=config.environment_of_reader(),
                start_new_session=True,  # signals of the terminal are for the parent to decide on
            )
        except OSError as error:
            raise unreadable(error, "") from error
        self._requests, self._answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._waiting = select.poll()
        self._waiting.register(self._answers, select.POLLIN)
        self._deadline = time.monotonic() + _START_S
        try:
            if self._line(None) != READY:
                raise TransientError("the process that checks files did not start; run again, with more memory")
        except BaseException:
            self.end()
            raise

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def answer(self, request: Mapping[str, object], memory_bytes: int, cpu_s: int) -> dict[str, Any]:
        """Send a request, and wait for its answer within the limits."""
        self._deadline = time.monotonic() + _START_S + cpu_s * _WALL_S_PER_CPU_S
        line = json.dumps({**request, "memory_bytes": memory_bytes, "cpu_s": cpu_s}).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):  # the missing answer says so too
            self._requests.write(line)
        answered = self._line(memory_bytes)
        if answered is None:
            raise self._died(cpu_s)
        answer: dict[str, Any] = json.loads(answered)
        if "transient" in answer:
            raise TransientError(answer["transient"])
        if "exceeded" in answer:
            raise _too_much_memory(memory_bytes)
        if "reason" in answer:
            raise BadObject(answer["reason"], answer["message"])
        return answer

    def end(self) -> None:
        """Kill the process, if it lives, and close its pipes."""
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Close the pipes; in a forked process the child is the parent's, which alone can wait for it."""
        self._requests.close()
        self._answers.close()
        if self._process.returncode is None:
            self._process.returncode = 0

    def _line(self, memory_bytes: int | None) -> bytes | None:
        """Return the next line from the child; None when it died."""
        line = b""
        while not line.endswith(b"\n"):
            if self._waiting.poll(_POLL_MS):
                piece = os.read(self._answers.fileno(), 1 << 16)
                if not piece:
                    return None
                line += piece
                if len(line) > _MOST_ANSWER_BYTES:
                    raise _Ended("unreadable", f"no readable Parquet file: its answer has over {len(line):,} bytes")
            elif memory_bytes is not None and self._resident_bytes() > memory_bytes:
                raise _too_much_memory(memory_bytes)
            elif time.monotonic() > self._deadline:
                raise TransientError("the process that checks files did not answer in time; run again")
        return line

    def _resident_bytes(self) -> int:
        pid = self._process.pid
        if _POLL_MS < 100:
            try:
                return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:  # it just died, which its pipe will say
                return 0
        shown = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return int(shown.stdout.strip() or 0) * 1024

    def _died(self, cpu_s: int) -> BadObject | TransientError:
        """Return the error for a child that closed its pipe."""
        code = self._process.wait(_START_S)
        if code == -signal.SIGXCPU:
            what = f"checking it takes more than {cpu_s} seconds of processor time"
            return _Ended("too_large", f"{what}: split the file, or write it with fewer and larger row groups")
        if -code in _CRASHES:
            return _Ended("unreadable", f"no readable Parquet file: reading it crashes ({signal.Signals(-code).name})")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return TransientError(f"the machine ended the process that checks files ({how}); run again")


def _too_much_memory(memory_bytes: int) -> _Ended:
    what = f"checking it takes more than {memory_bytes >> 20:,} MiB of memory"
    return _Ended("too_large", f"{what}: split the file, or write shorter values and smaller pages")


def _after_fork() -> None:
    global _child, _lock
    child, _child, _lock = _child, None, threading.Lock()
    if child is not None:
        child.forget()


_child: _Child | None = None
_lock = threading.Lock()
atexit.register(close)
os.register_at_fork(after_in_child=_after_fork)
