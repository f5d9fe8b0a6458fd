"""An emulator of Cloud Run's jobs: records the requests for executions, and lists the executions.

Unlike the service: nothing is executed, so an execution begins only by a call of `begin`.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Jobs:
    """One job's executions; `requests` are the bodies of the requests that started one."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.refusals: list[int] = []
        self._begun = 0

    def begin(self) -> None:
        """Begin every execution that was started until now."""
        self._begun = len(self.requests)

    @property
    def asked_by(self) -> list[str]:
        """The requesters of the executions, from the overrides."""
        return [
            variable["value"]
            for request in self.requests
            for container in request["overrides"]["containerOverrides"]
            for variable in container["env"]
        ]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one request of the client."""
        if self.refusals:
            status = self.refusals.pop(0)
            return status, {"error": {"code": status, "message": "recorded"}}
        job = path.removeprefix("/v2/").partition("/executions")[0].removesuffix(":run")
        if method == "GET":
            begun = [{"startTime": "2026-11-20T06:00:00Z"}] * self._begun
            waiting: list[dict[str, str]] = [{}] * (len(self.requests) - self._begun)
            named = [{"name": f"{job}/executions/e{n}"} | each for n, each in enumerate(begun + waiting)]
            return 200, {"executions": named[::-1]}
        self.requests.append(body)
        return 200, {"name": f"{job.partition('/jobs/')[0]}/operations/{len(self.requests)}", "done": False}

    def wait_for(self, run_id: str, timeout_s: float) -> bool:
        """Wait until a run has requested its build; return False when it does not in this time."""
        until = time.monotonic() + timeout_s
        while run_id not in self.asked_by:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def serving(jobs: Jobs) -> Iterator[str]:
    """Serve the jobs; yield `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = jobs.answer(self.command, self.path.partition("?")[0], json.loads(body or b"{}"))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 the base class names them

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, name="jobs", daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
