"""Our additions to the storage emulator: pages, and events that are delivered again until a function accepts them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.http import from_http
from flask import Flask, request
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from werkzeug.serving import make_server

from emulators.storage import Door, opened, storage_emulator, stored, to_function
from millrace.bus.events import ObjectFinalized
from millrace.errors import ConfigError
from millrace.lake import ObjectExists
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


RIGHTS = {("create", "lake", "own/a"), ("get", "lake", "own/a"), ("get", "lake", "own/b"), ("create", "lake", "own/b")}


def test_a_door_refuses_what_its_account_has_no_right_to(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(9 << 20))
    with stored("lake") as store, opened(Door(store, lambda *asked: asked in RIGHTS)) as url:
        lake = GcsLake(client_of(url), "lake")
        first = lake.write("own/a", b"1", 0)
        assert lake.read("own/a")[0] == b"1"
        with pytest.raises(ObjectExists):
            lake.write("own/a", b"2", 0)  # the precondition comes first
        with pytest.raises(ConfigError, match="does not have the permission"):
            lake.write("own/a", b"2", first.version.generation)  # to replace is to delete
        with pytest.raises(ConfigError, match="may not exist"):
            lake.read("own/b")  # whether it is there, only a listing may say
        with pytest.raises(ConfigError):
            lake.write("other/a", large, 0)
        with pytest.raises(ConfigError):
            list(lake.list("own/"))
        lake.write("own/b", large, 0)
        assert store.live("lake", "other/a") is None


def test_a_door_names_what_was_refused() -> None:
    with stored("lake") as store, opened(door := Door(store, lambda *asked: asked in RIGHTS)) as url:
        lake = GcsLake(client_of(url), "lake")
        lake.write("own/a", b"1", 0)
        with pytest.raises(ConfigError):
            lake.read("other/a")
    assert door.refused == {("get", "lake", "other/a"), ("list", "lake", "")}
    assert door.used == {("create", "lake", "own/a"), *door.refused}
