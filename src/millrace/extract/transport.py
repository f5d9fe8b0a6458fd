"""Connections whose responses have a deadline, from the first byte of the headers to the last one of the body.

A time-out limits only one wait for bytes: a server that sends a byte now and then never exceeds it.
"""

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

Clock = Callable[[], float]


class TooSlow(Exception):
    """The deadline of a response has passed. No library translates it, because it is not one of their errors."""


def pools(answer_s: float, clock: Clock) -> dict[str, type[HTTPConnectionPool]]:
    """Return classes of connection pools by scheme; their responses raise TooSlow after `answer_s` seconds."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *given: Any, **named: Any) -> None:
            super().__init__(sock, *given, **named)
            self.fp = io.BufferedReader(_Until(clock() + answer_s, clock, sock, self.fp.detach()))

    class Connection(HTTPConnection):
        response_class = Response

    class SecureConnection(HTTPSConnection):
        response_class = Response

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}


class _Until(io.RawIOBase):
    """Reads a socket until a deadline, which holds between two reads and during a wait."""

    def __init__(self, ends_at: float, clock: Clock, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._ends_at = ends_at
        self._clock = clock
        self._sock = sock
        self._raw = raw
        self._timeout_s = sock.gettimeout()

    def readable(self) -> bool:
        """Return that the stream is readable."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read the received bytes, or wait for some; raise TooSlow after the deadline."""
        left_s = self._ends_at - self._clock()
        if left_s > 0:
            self._sock.settimeout(left_s if self._timeout_s is None else min(left_s, self._timeout_s))
            try:
                return self._raw.readinto(buffer)
            except TimeoutError:
                if self._clock() < self._ends_at:
                    raise
        raise TooSlow

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()
