"""A source that listens on a socket and answers by a plain function, and clients of it whose clock only tests move."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import requests
from tests.extract.answering import Clock, Said

from millrace.extract.auth import Auth, Bearer
from millrace.extract.budget import RateBudget
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.github.credentials import HEADERS

TOKEN = "github_pat_that_nobody_may_see"
NOW = "Sat, 31 Oct 2026 12:00:00 GMT"
NOW_S = 1793448000


@dataclass(frozen=True)
class Heard:
    """One request, as it was on the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Talk:
    """A source that listens, what it heard, and the clock of its clients."""

    url: str
    heard: list[Heard]
    clock: Clock = field(default_factory=Clock)

    def client(self, auth: Auth | None = None, below: str = "") -> SourceClient:
        """Return a client as GitHub's, of all or of what is below a path."""
        session = requests.Session()
        session.trust_env = False
        budget = RateBudget(None, 1, self.clock, self.clock.sleep)
        auth = auth or Bearer(TOKEN)
        return SourceClient(
            self.url + below, auth, budget, session=session, sleep=self.clock.sleep, headers=HEADERS, most_imposed_s=1e6
        )

    @property
    def paths(self) -> list[str]:
        return [f"{heard.method} {heard.path}" for heard in self.heard]


Answer = Callable[[Heard], Said]


def says(value: object, status: int = 200, **headers: str) -> Said:
    """Return a JSON answer; an underscore in the name of a header is a dash."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Said(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | named)


def one_by_one(*turns: Said) -> Answer:
    """Answer with these one after the other, and with the last one from then on."""
    left = list(turns)
    return lambda heard: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def talking(answer: Answer) -> Iterator[Talk]:
    """Serve on a socket of this machine."""
    heard: list[Heard] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for an answer: two cost 40 ms

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Heard(self.command, self.path, dict(self.headers), json.loads(content) if content else None)
            heard.append(request)
            said = answer(request)
            self.send_response_only(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if said.status not in (204, 304):
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if said.status not in (204, 304):
                self.wfile.write(said.body)

        do_POST = do_GET  # noqa: N815 the library's name

        def log_message(self, *given: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield Talk(f"http://127.0.0.1:{server.server_address[1]}", heard)
    finally:
        server.shutdown()
        server.server_close()
