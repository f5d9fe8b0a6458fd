"""Sources made of plain functions: an adapter to mount on a session, and a client whose clock only tests move.

`served` is a source that listens on a socket, and sends any bytes.
"""

import io
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

import simulator
from millrace.extract.auth import Basic
from millrace.extract.budget import RateBudget
from millrace.extract.http_client import SourceClient
from simulator.api import SimulatedApi

URL = "http://source.test"
KEY = "key-that-nobody-may-see"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Said:
    """A response of the source: its body has the bytes of the wire."""

    status: int = 200
    body: bytes = b"[]"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


Turn = Said | Exception
Sends = Callable[[socket.socket], None]
Answers = Callable[[requests.PreparedRequest], Turn]


class Answering(BaseAdapter):
    """Answers requests by calling `answer`; an exception it returns is raised as the transport would."""

    def __init__(self, answer: Answers) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.sent: list[requests.PreparedRequest] = []
        self._answer = answer
        self._real = HTTPAdapter()

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        self.sent.append(request)
        self.asked.append(str(request.url).removeprefix(URL))
        turn = self._answer(request)
        if isinstance(turn, Exception):
            raise turn
        raw = HTTPResponse(
            io.BytesIO(turn.body),
            headers=dict(turn.headers),
            status=turn.status,
            preload_content=False,
            request_method="GET",
            enforce_content_length=True,
        )
        response: requests.Response = self._real.build_response(request, raw)
        return response

    def close(self) -> None:
        self._real.close()


class Clock:
    """A clock that moves only when a client sleeps."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@dataclass
class Asked:
    """A client, the adapter that answers it, and the client's clock."""

    client: SourceClient
    adapter: Answering
    clock: Clock


def client_of(answer: Answers, base_url: str = URL, key: str = KEY) -> Asked:
    """Return a client of a source that answers each request with `answer`."""
    adapter, clock, session = Answering(answer), Clock(), requests.Session()
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    budget = RateBudget(None, 1, clock, clock.sleep)
    return Asked(SourceClient(base_url, Basic(key), budget, session=session, sleep=clock.sleep), adapter, clock)


def in_turn(*turns: Turn) -> Answers:
    """Answer with these one after the other, and with the last one from then on."""
    left = list(turns)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def answers_of(
    world: simulator.World,
    target_of: Callable[[str], str] = lambda target: target,
    instead: Callable[[str], Said | None] = lambda target: None,
) -> Answers:
    """Answer as the simulator does, with another target than the requested one, or with something else instead."""
    api = SimulatedApi(world)

    def answer(request: requests.PreparedRequest) -> Said:
        target = str(request.url).removeprefix(URL)
        if (said := instead(target)) is not None:
            return said
        given, _ = api.answer(target_of(target), request.headers["Authorization"])
        return Said(given.status, given.body, {"Content-Type": given.content_type, **given.headers})

    return answer


def real_client(url: str, key: str) -> SourceClient:
    """Return a client of a server that really listens, without waits between its attempts."""
    session = requests.Session()
    session.trust_env = False
    return SourceClient(url, Basic(key), RateBudget(None, 1, sleep=no_sleep), session=session, sleep=no_sleep)


def no_sleep(seconds: float) -> None:
    """Do not wait."""


def flat(batches: Iterable[list[dict[str, object]]]) -> list[dict[str, object]]:
    """Return the rows of all batches."""
    return [row for batch in batches for row in batch]


@contextmanager
def served(answer: Sends) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one answer per connection, byte for byte; yield the address and the requests."""
    asked: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            request = b""
            while b"\r\n\r\n" not in request:
                request += self.request.recv(65536)
            asked.append(request)
            with suppress(OSError):  # the client has closed the connection
                answer(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def sends(content: bytes) -> Sends:
    return lambda sock: sock.sendall(content)


def drips(head: bytes, drop: bytes, every_s: float = 0.01) -> Sends:
    """Send the head, and then one drop after the other until the client closes the connection."""

    def answer(sock: socket.socket) -> None:
        sock.sendall(head)
        while True:
            sock.sendall(drop)
            threading.Event().wait(every_s)

    return answer
