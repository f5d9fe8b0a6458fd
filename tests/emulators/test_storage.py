"""Our additions to the storage emulator: pages, and events that are delivered again until a function accepts them."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cloudevents.http import from_http
from flask import Flask, request
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from werkzeug.serving import make_server

from emulators.storage import storage_emulator, to_function
from millrace.bus.events import ObjectFinalized
from millrace.lake.gcs import GcsLake


class Function:
    """A function that Eventarc calls, and that is not reachable on the first call."""

    def __init__(self) -> None:
        self.calls = 0
        self.heard: list[ObjectFinalized] = []
        application = Flask("function")
        application.add_url_rule("/", view_func=self._answer, methods=["POST"])
        self.server = make_server("127.0.0.1", 0, application, threaded=True)

    def _answer(self) -> tuple[str, int]:
        self.calls += 1
        if self.calls == 1:
            return "later", 500
        self.heard.append(ObjectFinalized.parse(from_http(dict(request.headers), request.get_data())))
        return "", 204


@pytest.fixture
def function() -> Iterator[Function]:
    made = Function()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def client_of(url: str) -> Any:
    return Client("p", AnonymousCredentials(), client_options={"api_endpoint": url})


def test_first_bucket_versions_are_announced_until_acknowledged(function: Function) -> None:
    sink = to_function(f"http://127.0.0.1:{function.server.server_port}/")
    with storage_emulator("lake", "quarantine", sink=sink) as url:
        lake, quarantine = GcsLake(client_of(url), "lake"), GcsLake(client_of(url), "quarantine")
        stored = lake.write("drop/repos/ü.csv", b"123456789", 0)
        quarantine.write("x", b"", 0)
        again = lake.write("drop/repos/ü.csv", b"", stored.version.generation)
        until = time.monotonic() + 300
        while len(function.heard) < 2 and time.monotonic() < until:
            time.sleep(0.02)
    assert function.heard == [ObjectFinalized(each.version, each.crc32c) for each in (stored, again)]
    assert function.calls == 3


def test_a_listing_comes_in_pages() -> None:
    with storage_emulator("lake") as url:
        lake, client = GcsLake(client_of(url), "lake"), client_of(url)
        for number in range(5):
            lake.write(f"a/{number}", b"", 0)
        pages = [[blob.name for blob in page] for page in client.list_blobs("lake", prefix="a/", page_size=2).pages]
    assert pages == [["a/0", "a/1"], ["a/2", "a/3"], ["a/4"]]
