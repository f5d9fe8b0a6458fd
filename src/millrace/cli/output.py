"""The output of the commands: lines, JSON, one line of progress, errors; and the exit codes."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

import click

from millrace import log
from millrace.terminal import encodable, printable, printable_json

DONE = 0
ATTENTION = 1
USAGE = 2
FAILED = 3
INTERRUPTED = 130

_ALIASES = ("etl", "usage")  # groups with commands of other names
_gone = threading.Event()


def say(line: str) -> None:
    """Print one line without terminal control characters."""
    _print(printable(line))


def say_next(command: str) -> None:
    """Print the next command that is of use, unless the command is to be quiet."""
    if log.volume() != "quiet":
        say(f"next: {command}")


def say_json(value: object) -> None:
    """Print a value as JSON, for a program; an object of a verb with its schema, see docs/json.md."""
    context = click.get_current_context(silent=True)
    if isinstance(value, dict) and context is not None:
        value = {"schema": _schema(context)} | value
    _print(printable_json(json.dumps(value, indent=1, default=str)))


def _schema(context: click.Context) -> str:
    """Return the schema of the JSON of a command: `millrace/quarantine-show/1`."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    alias = names[0] in _ALIASES
    return f"millrace/{'-'.join(names[alias:])}/1"


def fail(code: int, why: object) -> int:
    """Print an error as one line, and return the exit code."""
    print(f"error: {printable(why)}", file=sys.stderr)  # noqa: T201 the command's answer
    return code


def append_to(log: Path) -> None:
    """Append all later output to a file, which only its owner may read: a scheduled run may have no other output."""
    log.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    sys.stdout = sys.stderr = os.fdopen(opened, "w", buffering=1, encoding="utf-8", errors="replace")


def refuse(error: click.ClickException) -> int:
    """Print what is wrong with a command line, and return the exit code."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        hint = f"Try '{context.command_path} {context.help_option_names[0]}' for help."
        print(f"{context.get_usage()}\n{hint}\n", file=sys.stderr)  # noqa: T201 the command's answer
    # The message repeats what was typed, or what the shell expanded it to.
    print(f"Error: {printable(error.format_message())}", file=sys.stderr)  # noqa: T201
    return USAGE


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 the command's answer


@contextmanager
def streams() -> Iterator[None]:
    """Discard what is printed in the block once the reader of a pipe is gone, and print in any encoding.

    It holds for libraries as well. The reader of `millrace run | head` ends no run.
    """
    _gone.clear()
    before = sys.stdout, sys.stderr
    ours = tuple(None if each is None else cast("TextIO", _Outlet(each)) for each in before)  # None: it was closed
    sys.stdout, sys.stderr = cast("tuple[TextIO, TextIO]", ours)
    try:
        yield
    finally:
        for each in filter(None, ours):
            each.flush()
        if sys.stdout is ours[0] and sys.stderr is ours[1]:
            sys.stdout, sys.stderr = before


def is_closed() -> bool:
    """Return whether the reader of the output is gone."""
    return _gone.is_set()


class _Outlet:
    """A stream that discards what cannot be printed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        encodable(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._discard()
            return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        """Let all that follows, and what is buffered, go nowhere: a flush at exit would fail too."""
        _gone.set()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


class ProgressLine:
    """One line on a terminal with the progress of a step; nothing where that is no terminal, or with -q or -v."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._said_at = time.monotonic()
        self._steps = 0
        self._is_shown = False

    def bytes(self, done: int, total: int, path: Path) -> None:
        """Show how many of all bytes were read."""
        self._show(done, total, f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    def step(self, name: str, total: int) -> None:
        """Show that one of `total` steps was done."""
        self._steps += 1
        self._show(self._steps, total, name)

    def end(self) -> None:
        """Remove the line."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")

    def _show(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if log.volume() != "normal" or not sys.stderr.isatty() or now - self._said_at < 0.2 or not total:
            return
        self._said_at, self._is_shown = now, True
        left_s = (now - self._started) * (total - done) / max(done, 1)
        sys.stderr.write(f"\r\x1b[K{self._what} {100 * done // total} %, {printable(note)}, about {left_s:,.0f} s left")
        sys.stderr.flush()
