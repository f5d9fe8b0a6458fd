"""A task that needs longer than the platform lets a delivery last."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.deploy.functions.deployed import RUN, SECRET, Deployed, requested

import simulator
from millrace import runs
from millrace.bus import EXTRACT_REQUESTS
from simulator.api import SimulatedApi

pytestmark = pytest.mark.slow
_ANSWER_S = 0.15
_DELIVERY_S = 4.0


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
            self.wfile.write(given.body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_delivery_ends_before_its_time_and_asks_for_the_rest(functions: Deployed, slow_source: str) -> None:
    functions.configure(
        MILLRACE_SOURCE_URL=slow_source,
        MILLRACE_DELIVERY_S=str(_DELIVERY_S),
        MILLRACE_TIMEOUT_S="1",
        MILLRACE_ANSWER_S="0.5",
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
    assert len(lasted) > 2
    assert max(lasted) < _DELIVERY_S
