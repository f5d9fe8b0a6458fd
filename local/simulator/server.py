"""The HTTP server: a small HTTP/1.1 loop with keep-alive, one thread a connection, one write an answer."""

import contextlib
import functools
import socket
import socketserver
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol

from simulator.answers import ConnectionDropped, SimulatedRequest, SimulatedResponse
from simulator.api import DEFAULT_KEY, SimulatedApi
from simulator.faults import NO_FAULTS, InjectedFaults
from simulator.world import World

_MAX_LINE_BYTES = 64 * 1024
_CHUNKED_ABOVE_BYTES = 2048  # Go's net/http buffers so much to compute the length; a larger body is chunked


class Api(Protocol):
    """What a server answers with."""

    @property
    def requests(self) -> int:
        """The requests answered so far."""

    @property
    def rate_limited(self) -> int:
        """The requests refused so far because of a limit."""

    def answer_request(self, request: SimulatedRequest) -> tuple[SimulatedResponse, bool]:
        """Return the answer, and whether the connection must break in its middle.

        Raises ConnectionDropped for a connection that ends without an answer.
        """


class RunningSimulator:
    """A server that is listening."""

    def __init__(self, api: Api, host: str, port: int) -> None:
        self._api = api
        self._server = _Server((host, port), api)
        self.url = f"http://{host}:{self._server.server_address[1]}"

    @property
    def requests(self) -> int:
        """The requests answered so far, including those over the rate limit."""
        return self._api.requests

    @property
    def rate_limited(self) -> int:
        """The requests refused so far because of a limit."""
        return self._api.rate_limited

    def serve_forever(self) -> None:
        """Serve until `stop` is called from another thread."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """End `serve_forever`."""
        self._server.shutdown()

    def close(self) -> None:
        """Stop listening and break the open connections."""
        self._server.server_close()


@contextlib.contextmanager
def serve(
    world: World,
    limiter: bool = False,
    key: str = DEFAULT_KEY,
    faults: InjectedFaults = NO_FAULTS,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[RunningSimulator]:
    """Serve the world in a thread of this process while the context lasts."""
    with listening(SimulatedApi(world, limiter=limiter, key=key, faults=faults), host, port) as running:
        yield running


@contextlib.contextmanager
def listening(api: Api, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningSimulator]:
    """Serve an API in a thread of this process while the context lasts."""
    running = RunningSimulator(api, host, port)
    thread = threading.Thread(target=running.serve_forever, name="simulator", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()
        running.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], api: Api) -> None:
        self.api = api
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Connection)

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)

    def ended(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def server_close(self) -> None:
        super().server_close()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True
    timeout = 120.0

    def handle(self) -> None:
        self.server.opened(self.connection)
        try:
            while self._one_request():
                pass
        except (OSError, ConnectionDropped):
            pass  # the client disconnected, or the source's handler would have panicked: no answer
        finally:
            self.server.ended(self.connection)

    def _one_request(self) -> bool:
        """Answer one request; return False when the connection has ended."""
        line = self.rfile.readline(_MAX_LINE_BYTES)
        if not line.strip():
            return bool(line)
        words = line.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
            self._send(SimulatedResponse(400, b"400 Bad Request", "text/plain; charset=utf-8"), close=True)
            return False
        method, target, version = words
        headers = self._headers()
        body_size = headers.get("content-length", "0")
        body = self.rfile.read(int(body_size) if body_size.isdecimal() else 0)
        wanted = headers.get("connection", "").lower()
        close = wanted == "close" or (version == "HTTP/1.0" and wanted != "keep-alive")
        answer, breaks = self.server.api.answer_request(SimulatedRequest(method, target, headers, body))
        if breaks:
            self.wfile.write(_framed(answer, length=True)[: -(len(answer.body) // 2 + 1)])
            return False
        self._send(answer, close=close, head_only=method == "HEAD", http_1_0=version == "HTTP/1.0")
        return not close

    def _headers(self) -> dict[str, str]:
        headers = {}
        while (line := self.rfile.readline(_MAX_LINE_BYTES)).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _send(self, answer: SimulatedResponse, *, close: bool, head_only: bool = False, http_1_0: bool = False) -> None:
        # wfile is unbuffered: one write is one sendall
        self.wfile.write(_framed(answer, close=close, head_only=head_only, length=http_1_0))


def _framed(answer: SimulatedResponse, *, close: bool = False, head_only: bool = False, length: bool = False) -> bytes:
    """Return head and body as sent over the wire; a long body is chunked, as Go does, unless `length`."""
    size = len(answer.body)
    chunked = size > _CHUNKED_ABOVE_BYTES and not length
    lines = [
        f"HTTP/1.1 {answer.status} {_reason(answer.status)}",
        f"Content-Type: {answer.content_type}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
        *(() if "Date" in answer.headers else (f"Date: {formatdate(usegmt=True)}",)),
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}",
    ]
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    if head_only:
        return head
    if chunked:
        return b"".join((head, b"%x\r\n" % size, answer.body, b"\r\n0\r\n\r\n"))
    return head + answer.body


@functools.cache
def _reason(status: int) -> str:
    return HTTPStatus(status).phrase
