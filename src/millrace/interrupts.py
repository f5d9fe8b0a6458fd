"""Ctrl-C, even if a library raises another error: for a signal within a query, DuckDB raises RuntimeError.

Only the main thread gets it as an exception. Others ask `is_asked` between two steps, and `wait` without delaying it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked = threading.Event()


def is_asked() -> bool:
    """Return whether the user has interrupted the block that runs."""
    return _asked.is_set()


def wait(seconds: float) -> None:
    """Sleep, or return at once when the user interrupts the block that runs."""
    _asked.wait(seconds)


@contextmanager
def raising(*signals: signal.Signals) -> Iterator[None]:
    """Raise KeyboardInterrupt in the block when one of the signals arrives, also in place of an error that it caused.

    Only in the main thread, which receives the signals. A signal that is already ignored stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in signals}
    _asked.clear()
    try:
        for each, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(each, _interrupt)
        yield
    except Exception as error:
        if is_asked():
            raise KeyboardInterrupt from error
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        _asked.clear()


def _interrupt(signum: int, frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt
