"""Many callers during publications: each reply is of one publication, and the last reply is of the newest."""

import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import uvicorn
from fastapi import FastAPI
from tests.api.conftest import NOW, no_status

from millrace.api.app import Api, create
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

CALLERS = 50
PUBLICATIONS = 12
TIMEOUT_S = 60
ROUTES = (
    "velocity",
    "velocity?tz=Asia/Tokyo",
    "projects?include_stats=true",
    "dashboard-data",
    "cost-data/by-model",
)
# Each publication writes its number into every row, so every part of a reply shows which publication it is from.
MARKS = (
    "UPDATE mart.velocity SET avg_files_changed = {number}",
    "UPDATE mart.merged_pull_requests SET files_changed = {number}",
    "UPDATE mart.usage_daily SET assistant_message_count = 1, reasoning_tokens = {number}",
    "UPDATE mart.usage_project SET assistant_message_count = 1, reasoning_tokens = {number}",
    "UPDATE meta.builds SET built_through = {number} WHERE number = {number}",
)


@dataclass
class Publishing:
    """Publishes the store again and again, each time with the number of the build in its rows."""

    warehouse: DuckDBWarehouse

    def publish(self) -> int:
        build = self.warehouse.start_build(10, "somebody", None)
        self.warehouse.run_scripts([mark.format(number=build.number) for mark in MARKS])
        self.warehouse.publish(self.warehouse.end_build(build, True, 1.0, ()))
        return build.number


@pytest.fixture
def publishing(store: DataDir, place: DataDir) -> Iterator[Publishing]:
    shutil.copy(store.warehouse, place.warehouse)
    with DuckDBWarehouse(place.warehouse) as warehouse:
        publishing = Publishing(warehouse)
        publishing.publish()
        yield publishing


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve the application as `millrace serve` does, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([door],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def where(place: DataDir, publishing: Publishing) -> Iterator[str]:
    reader = DuckDBReader(place.published)
    with serving(create(Api(reader, no_status, lambda: NOW), ("127.0.0.1",))) as where:
        yield where
    reader.close()


def numbers(answer: dict[str, Any]) -> set[float]:
    """Return the publications that an answer contains: in its head, its rows and everything beside them."""
    lists = [part for part in answer.values() if isinstance(part, list)]
    rows = [*(row for part in lists for row in part), *([answer["totals"]] if "totals" in answer else [])]
    assert all(lists)
    return {answer["built_through"], *map(number_of, rows)}


def number_of(row: dict[str, Any]) -> float:
    if "avg_files_changed" in row:
        return float(row["avg_files_changed"])
    return float(row["reasoning_tokens"] / row["assistant_message_count"])


@dataclass
class Caller:
    """Sends one query again and again, with the entity tag of the reply before."""

    url: str
    seen: list[int] = field(default_factory=list)
    not_modified: int = 0
    _tag: str = ""

    def ask(self, session: requests.Session) -> None:
        reply = session.get(self.url, headers={"If-None-Match": self._tag}, timeout=TIMEOUT_S)
        said = int(reply.headers["Millrace-Built-Through"])
        if reply.status_code == 304:
            self.not_modified += 1
            assert (reply.headers["ETag"], said) == (self._tag, self.seen[-1])
            return
        assert reply.status_code == 200, reply.text
        assert numbers(reply.json()) == {said}
        self.seen.append(said)
        self._tag = reply.headers["ETag"]

    def ask_until(self, is_over: threading.Event) -> "Caller":
        with requests.Session() as session:
            while not is_over.is_set():
                self.ask(session)
            self.ask(session)
        return self


@pytest.mark.proof
def test_callers_meet_no_error_no_mixture_and_in_the_end_the_newest(where: str, publishing: Publishing) -> None:
    is_over = threading.Event()
    callers = [Caller(f"{where}/api/{ROUTES[number % len(ROUTES)]}") for number in range(CALLERS)]
    with ThreadPoolExecutor(CALLERS) as threads:
        asking = [threads.submit(caller.ask_until, is_over) for caller in callers]
        try:
            published = [publishing.publish() for _ in range(PUBLICATIONS)]
        finally:
            is_over.set()
        done = [each.result() for each in asking]
    assert [caller.seen for caller in done if caller.seen != sorted(set(caller.seen))] == []
    assert {caller.seen[-1] for caller in done} == {published[-1]}
    assert len({number for caller in done for number in caller.seen}) > PUBLICATIONS // 2
    assert sum(caller.not_modified for caller in done) > 0


def test_a_reply_of_two_publications_would_be_noticed(where: str) -> None:
    """Shows that the test above can fail."""
    answer = requests.get(f"{where}/api/dashboard-data", timeout=TIMEOUT_S).json()
    assert len(numbers(answer)) == 1
    answer["models"][-1]["reasoning_tokens"] += answer["models"][-1]["assistant_message_count"]
    assert len(numbers(answer)) == 2
