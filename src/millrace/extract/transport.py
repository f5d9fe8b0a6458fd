"""Connections whose answers have a deadline: from the first byte of the headers to the last one of the body.

A time-out bounds one wait for bytes, and a server that sends a byte now and then never meets it.
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
    """The deadline of an answer has passed. No library translates it, since it is none of their errors."""


def pools(answer_s: float, clock: Clock) -> dict[str, type[HTTPConnectionPool]]:
    """Return the classes of connection pools, by scheme, whose answers raise TooSlow after `answer_s` seconds."""

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
    """Reads a socket until a deadline; between two reads, and while one waits."""

    def __init__(self, ends_at: float, clock: Clock, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._ends_at = ends_at
        self._clock = clock
        self._sock = sock
        self._raw = raw
        self._timeout_s = sock.gettimeout()

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come, or wait for it; raises TooSlow after the deadline."""
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
        """Let the socket go."""
        self._raw.close()
        super().close()
