"""Limits for callers of the server: how many there may be, and how long the server waits for each.

A caller that sends no complete request, or does not read the answer, would hold one of the few file descriptors of the
process forever. Uvicorn limits the requests at a time and the pause between two requests of a connection, but not the
time until a request is complete.
"""

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from millrace import log

BACKLOG = 64
"""The number of connections that are accepted at a time, before one of them can be dropped."""
_OWN_FILES = 48  # of the process itself: the store, libraries, the event loop
_MOST_FILES = 4096
_MOST_CALLERS = 1000
_FAULT_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """The most callers, and the seconds that each has to send a whole request and to read a part of an answer."""

    callers: int
    request_s: float = 10.0
    answer_s: float = 60.0

    @classmethod
    def of_process(cls) -> "CallerLimits":
        """Raise the soft limit of open files, and return the limits that fit it."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        files = _MOST_FILES if soft == resource.RLIM_INFINITY else soft
        return cls(max(8, min(_MOST_CALLERS, files - _OWN_FILES - 2 * BACKLOG)))


class ServerErrors(logging.Handler):
    """Logs each fault of a server, the same one at most once a minute: a caller can repeat it without end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._noted_at: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Log a library's record: its first line, and the type of the error."""
        error = record.exc_info[0] if record.exc_info else None
        self.note(record.getMessage().partition("\n")[0], error=error and error.__name__)

    def note(self, what: str, **fields: object) -> None:
        """Log a fault, unless the same was logged within a minute."""
        now = self._clock()
        if now - self._noted_at.get(what, float("-inf")) >= _FAULT_EVERY_S:
            self._noted_at[what] = now
            log.warning("the server met a fault", what=what, **fields)

    def hear_libraries(self) -> None:
        """Handle the records of the event loop and of uvicorn."""
        for name in ("asyncio", "uvicorn.error"):
            logger = logging.getLogger(name)
            logger.handlers, logger.propagate = [self], False


def protocol(limits: CallerLimits, faults: ServerErrors) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with these limits for callers."""

    class Limited(_Caller):
        bounds = limits
        noted = faults
        present: ClassVar[dict[_Caller, None]] = {}

    return Limited


class _Caller(H11Protocol):
    """One connection. A deadline runs as long as the server waits for the caller; a byte now and then does not move it.

    When there are too many, the oldest one that the server waits for is dropped. It may be this one; a caller that
    sends a whole request at once is not waited for long.
    """

    bounds: ClassVar[CallerLimits]
    noted: ClassVar[ServerErrors]
    present: "ClassVar[dict[_Caller, None]]"  # in the order of connection
    _deadline: asyncio.TimerHandle | None = None
    _left_bytes: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.present[self] = None
        self._look()
        if len(self.present) > self.bounds.callers:
            next(each for each in self.present if each._is_waited_for).drop("too many callers")

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        self._look()

    def on_response_complete(self) -> None:
        self._rest()
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look()

    def drop(self, why: str) -> None:
        """Close the connection without an answer."""
        self.noted.note(why, callers=len(self.present))
        self._forget()
        self.transport.abort()

    @property
    def _is_waited_for(self) -> bool:
        is_asking = self.cycle is None or self.cycle.response_complete or self.cycle.more_body
        return is_asking or self.flow.write_paused

    def _look(self) -> None:
        if not self._is_waited_for:
            self._rest()
        elif self._deadline is None and self in self.present:
            self._left_bytes = self.transport.get_write_buffer_size()
            bound_s = self.bounds.answer_s if self._left_bytes else self.bounds.request_s
            self._deadline = self.loop.call_later(bound_s, self._end)

    def _end(self) -> None:
        """Drop a caller at its deadline, or give more time to one that reads, however slowly."""
        self._deadline = None
        left_bytes = self.transport.get_write_buffer_size()
        if left_bytes < self._left_bytes:
            self._look()
        else:
            self.drop("a caller did not read an answer" if left_bytes else "a caller sent no complete request")

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget(self) -> None:
        self._rest()
        self.present.pop(self, None)
