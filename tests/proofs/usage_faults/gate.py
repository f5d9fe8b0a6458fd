"""The places where a process may stop: between file operations, SQLite and warehouse statements, calls of the lake.

A stopped process has no more effect: every further call, such as a clean-up, raises again.
"""

import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.proofs.faults.boundaries import Crashed
from tests.proofs.faults.world import replaced

T = TypeVar("T")
_WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT")


@dataclass
class Gate:
    """Counts the boundaries that a step crosses, and stops its process at the one that the schedule chooses."""

    stop_at: int = 0
    crossed: int = 0
    is_gone: bool = False
    is_elsewhere: bool = False
    where: str = ""
    lake_fails: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)

    def begin(self, stop_at: int, lake_fails: str = "") -> None:
        """Begin a step; it stops at its boundary `stop_at` (0: never). `lake_fails`: 'before' or 'after' the effect."""
        self.stop_at, self.crossed, self.is_gone, self.where = stop_at, 0, False, ""
        self.lake_fails = lake_fails

    def end(self) -> None:
        """End the step: the schedule itself makes the calls after it."""
        self.begin(0)

    def cross(self, name: str) -> None:
        """Cross a boundary."""
        self.live()
        if self.is_elsewhere:
            return
        self.crossed += 1
        self.seen[name] += 1
        if self.crossed == self.stop_at:
            self.is_gone, self.where = True, name
            self.stopped[name] += 1
            raise Crashed(name)

    def live(self) -> None:
        """Raise if the process has stopped."""
        if self.is_gone:
            raise Crashed(self.where)

    def around(self, name: str, act: Callable[[], T]) -> T:
        """Call `act` with a boundary before it and one after it."""
        self.cross(f"before {name}")
        result = act()
        self.cross(f"after {name}")
        return result

    def call(self, name: str, act: Callable[[], T]) -> T:
        """Call the lake; the call may fail before or after it takes effect."""
        if self.lake_fails == "before":
            raise OSError(errno.ECONNREFUSED, f"{name}: nobody answers")
        result = self.around(name, lambda: self._within_the_lake(act))
        if self.lake_fails == "after":
            raise OSError(errno.ETIMEDOUT, f"{name}: no answer in time")
        return result

    def _within_the_lake(self, act: Callable[[], T]) -> T:
        """Run the lake's own work, which continues when its caller has stopped."""
        self.is_elsewhere = True
        try:
            return act()
        finally:
            self.is_elsewhere = False

    def statement(self, name: str) -> None:
        """Pass a statement of the warehouse."""
        self.cross(f"before {name}")


class GatedSqlite:
    """The connection of a collector's store. Uncommitted changes are undone when it is closed."""

    def __init__(self, inner: sqlite3.Connection, gate: Gate) -> None:
        self._inner, self._gate = inner, gate

    @property
    def in_transaction(self) -> bool:
        self._gate.live()
        return self._inner.in_transaction

    def close(self) -> None:
        self._inner.close()

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._do(sql, lambda: self._inner.execute(sql, *values))

    def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
        return self._do(sql, lambda: self._inner.executemany(sql, values))

    def executescript(self, sql: str) -> sqlite3.Cursor:
        return self._gate.around("state:DDL", lambda: self._inner.executescript(sql))

    def _do(self, sql: str, act: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        verb = sql.split(None, 1)[0].upper()
        if verb == "COMMIT":
            return self._gate.around("state:COMMIT", act)
        if verb in _WRITES:
            self._gate.cross(f"before state:{verb}")
        self._gate.live()
        return act()


@contextmanager
def gated_files(gate: Gate) -> Iterator[None]:
    """Put a boundary around each operation that changes files."""
    unlink, replace, open_, fsync = Path.unlink, Path.replace, Path.open, os.fsync

    def gated_unlink(path: Path, missing_ok: bool = False) -> None:
        gate.around("file:unlink", lambda: unlink(path, missing_ok))

    def gated_replace(path: Path, target: Path) -> Path:
        return gate.around("file:rename", lambda: replace(path, target))

    def gated_open(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if "w" not in mode:
            return open_(path, mode, *arguments, **named)
        gate.cross("before file:write")
        file = open_(path, mode, *arguments, **named)
        try:
            gate.cross("amid file:write")  # the file exists, without content so far
        except Crashed:
            file.close()
            raise
        return file

    def gated_fsync(handle: int) -> None:
        gate.around("file:fsync", lambda: fsync(handle))

    with ExitStack() as stack:
        stack.enter_context(replaced(Path, "unlink", gated_unlink))
        stack.enter_context(replaced(Path, "replace", gated_replace))
        stack.enter_context(replaced(Path, "open", gated_open))
        stack.enter_context(replaced(os, "fsync", gated_fsync))
        yield
