"""With the extra `tracing`, and only then, a deployed step is sent as a span to the endpoint set for OpenTelemetry."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.deploy.packages.packaging import PROJECT, Package, add, install

from millrace import log

RUN = "20261120T060000Z"
STEP = f"from millrace import log\nlog.start()\nwith log.step('extract commits', '{RUN}'): pass"


class Collector(HTTPServer):
    """Receives the spans that OpenTelemetry sends over HTTP."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(package: Package, collector: Collector) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    done = package.run("python", "-c", STEP, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_package_sends_no_spans_as_it_is_locked(functions: Package, collector: Collector) -> None:
    send(functions, collector)
    assert collector.taken == []


def test_with_the_extra_a_step_is_a_span_of_the_runs_trace(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    package = install("functions", tmp_path_factory.mktemp("traced"))
    add(package, PROJECT / "requirements" / "tracing.txt")
    send(package, collector)
    ((path, body),) = collector.taken
    assert path == "/v1/traces"
    assert b"extract commits" in body
    assert bytes.fromhex(log.trace_id_of(RUN)) in body
