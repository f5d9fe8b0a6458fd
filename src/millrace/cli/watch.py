"""A watch of the agents' logs, which works on each change until its user ends it: nothing else ends it."""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from millrace import interrupts
from millrace.cli import output
from millrace.cli.output import DONE, say
from millrace.errors import MillraceError, first_line

if TYPE_CHECKING:
    from millrace.collect.machine import Machine

Act = Callable[[set[Path] | None], object]
Changes = Iterator[set[Path] | None]

_IDLE_S = 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0


def follow(
    machine: "Machine",
    act: Act,
    recover: Callable[[], None] = lambda: None,
    idle_s: float = _IDLE_S,
) -> None:
    """Call `act` with the logs that changed, as they change (None: perhaps all), and with an empty set each `idle_s`.

    Its errors are printed, and everything is retried after `recover`, with growing pauses. Ctrl-C, SIGTERM and a closed
    pipe end the watch. If it ends in any other way, a note of it stays for the status.
    """
    from millrace.collect import lock

    say(f"watching the logs of {', '.join(sorted(machine.agents))}; Ctrl-C ends it")
    with (
        lock.watching(machine.state),
        suppress(KeyboardInterrupt),
        interrupts.raising(signal.SIGINT, signal.SIGTERM),
        _changes(machine, idle_s) as changes,
    ):
        insist(changes, act, recover, time.monotonic)


def insist(changes: Changes, act: Act, recover: Callable[[], None], clock: Callable[[], float]) -> None:
    """Call `act` for each change; after a failure, retry everything with growing pauses."""
    pause_s, due = 0.0, clock()
    for only in changes:
        if pause_s and clock() < due:
            continue  # the retry covers what changes meanwhile
        try:
            act(None if pause_s else only)
            pause_s = 0.0
        except Exception as error:  # a watch that ends by itself goes unnoticed
            if interrupts.is_asked():
                raise
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S) or _FIRST_PAUSE_S
            with suppress(Exception):  # a full disk under the terminal's log must not end it
                output.fail(DONE, f"{reason(error)}; it is tried again in {pause_s:.0f} s")
            with suppress(Exception):
                recover()
            due = clock() + pause_s


def reason(error: Exception) -> str:
    """Return the error as one line; an error of another library with its type."""
    is_known = isinstance(error, MillraceError | OSError)
    return str(error) if is_known else f"{type(error).__name__}: {first_line(error)}"


@contextmanager
def _changes(machine: "Machine", idle_s: float) -> Iterator[Changes]:
    """Yield the changes of a machine's logs, which a thread detects."""
    from millrace.collect.watcher import watch

    changes: queue.Queue[set[Path] | None] = queue.Queue()
    stop = threading.Event()

    def listen() -> None:
        for only in watch(machine.roots, stop):
            changes.put(only)

    def changed() -> Changes:
        while not (output.is_closed() or interrupts.is_asked()):
            try:
                yield changes.get(timeout=idle_s)
            except queue.Empty:
                yield set()

    thread = threading.Thread(target=listen, name="watch", daemon=True)
    thread.start()
    try:
        yield changed()
    finally:
        stop.set()
        thread.join()
