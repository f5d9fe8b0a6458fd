"""A task that needs longer than the platform lets a delivery last."""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.deploy.functions.deployed import RUN, SECRET, Deployed, requested

import simulator
from millrace import runs
from millrace.bus import EXTRACT_REQUESTS
from millrace.laptop.functions import EXTRACT
from simulator.api import SimulatedApi

_ANSWER_S = 0.15
_DELIVERY_S = 8.0

_SHORT = {"MILLRACE_DELIVERY_S": str(_DELIVERY_S), "MILLRACE_TIMEOUT_S": "1.5", "MILLRACE_ANSWER_S": "1.5"}


@pytest.fixture
def slow_source() -> Iterator[str]:
    """A source of 61 requests for the reviews, each of which takes 0.15 s."""
    world = simulator.generate(developers=40, days=30, seed=7, end=datetime(2026, 11, 20, tzinfo=UTC))
    api = SimulatedApi(world, key=SECRET)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(_ANSWER_S)
            given, _ = api.answer(self.path, self.headers["Authorization"])
            self.send_response(given.status)
            self.send_header("Content-Type", given.content_type)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(given.body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.slow
def test_a_delivery_ends_before_its_time_and_asks_for_the_rest(functions: Deployed, slow_source: str) -> None:
    functions.configure(
        MILLRACE_SOURCE_URL=slow_source,
        **_SHORT,
    )
    assert functions.start_run().status_code == 200
    functions.take(EXTRACT_REQUESTS)
    message = requested("reviews")
    lasted: list[float] = []
    while not lasted or runs.read_record(functions.lake, RUN, "reviews") is None:
        began = time.monotonic()
        answer = functions.extract("reviews", message | {"messageId": str(len(lasted))})
        lasted.append(time.monotonic() - began)
        assert answer.status_code == 200
        is_done = runs.read_record(functions.lake, RUN, "reviews") is not None
        assert len(functions.take(EXTRACT_REQUESTS)) == (0 if is_done else 1)
    assert len(lasted) >= 2
    assert statistics.median(lasted) < _DELIVERY_S  # this machine may stop for a moment


@pytest.mark.proof
def test_callers_that_hang_up_leave_no_work_behind_and_the_table_is_read(functions: Deployed, slow_source: str) -> None:
    """Each caller waits for two seconds of a delivery's eight; the platform does not end what it has begun."""
    functions.configure(MILLRACE_SOURCE_URL=slow_source)
    assert functions.start_run().status_code == 200
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "functions_framework", *EXTRACT["reviews"].arguments(), "--host=127.0.0.1"]
    with subprocess.Popen(command, env=os.environ | _SHORT | {"PORT": str(port)}, stderr=subprocess.DEVNULL) as process:
        threads = []
        for number in range(60):
            _hang_up(port, requested("reviews") | {"messageId": str(number)})
            threads.append(_threads_below(process.pid))
            if runs.read_record(functions.lake, RUN, "reviews") is not None:
                break
        process.terminate()
        assert process.wait(10) is not None
    record = runs.read_record(functions.lake, RUN, "reviews")
    assert record is not None
    assert record.requests <= 61 * 1.03 + 1
    assert max(threads) <= 6  # a server of a few threads, and one that reads ahead


def _hang_up(port: int, message: dict[str, object]) -> None:
    """Push a message as Pub/Sub does, and wait for an answer for two seconds."""
    body = json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()
    push = urllib.request.Request(f"http://127.0.0.1:{port}/", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(push, timeout=2):  # noqa: S310 our own function
            time.sleep(1)
    except (TimeoutError, urllib.error.URLError):
        time.sleep(0.2)


def _threads_below(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(len(list(Path(f"/proc/{child}/task").iterdir())) for child in children)
