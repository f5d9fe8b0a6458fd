"""The functions as the platform runs them: served by functions-framework, with settings from the environment."""

import base64
import json
import runpy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi import FastAPI
from flask import Flask, request
from werkzeug.test import TestResponse

from millrace import wiring
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS, events
from millrace.bus.in_process import LocalBus, Subscription
from millrace.lake import Lake
from millrace.lake.local import LocalLake
from millrace.laptop.functions import FUNCTIONS
from millrace.tables import ENDPOINTS
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

PROJECT = Path(__file__).resolve().parents[3]
SECRET = "key_that-must-never-show"
MEMORY = "200MB"
SCHEDULED = "2026-11-20T06:00:00Z"
RUN = "20261120T060000Z"
Message = dict[str, Any]


@dataclass
class Deployed:
    """Every function over one lake and one warehouse; `messages` are the published messages, by topic."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    messages: dict[str, list[Message]] = field(default_factory=dict)
    applications: dict[str, Flask] = field(default_factory=dict)
    warehouse_name: str = "warehouse"

    @property
    def lake(self) -> LocalLake:
        lake = wiring.lake_at((self.folder / "lake").as_uri())
        assert isinstance(lake, LocalLake)
        return lake

    @property
    def quarantine(self) -> Lake:
        return wiring.lake_at((self.folder / "quarantine").as_uri())

    @property
    def bus(self) -> LocalBus:
        bus = wiring.bus_at("inprocess:")
        assert isinstance(bus, LocalBus)
        return bus

    @property
    def warehouse_path(self) -> Path:
        return self.folder / f"{self.warehouse_name}.duckdb"

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return wiring.duckdb_at(f"duckdb://{self.warehouse_path}", MEMORY)

    @property
    def builds(self) -> list[str | None]:
        job = wiring.job_at("inprocess:")
        assert isinstance(job, wiring.RequestedBuilds)
        return job.requests

    def configure(self, **more: str) -> None:
        settings = {
            "MILLRACE_LAKE": (self.folder / "lake").as_uri(),
            "MILLRACE_QUARANTINE": (self.folder / "quarantine").as_uri(),
            "MILLRACE_BUS": "inprocess:",
            "MILLRACE_JOB": "inprocess:",
            "MILLRACE_WAREHOUSE": f"duckdb://{self.warehouse_path}",
            "MILLRACE_SOURCE_KEY": SECRET,
            "MILLRACE_REQUESTS_PER_MINUTE": "0",
            "MILLRACE_MEMORY": MEMORY,
        }
        for name, value in (settings | more).items():
            self.monkeypatch.setenv(name, value)
        self.applications.clear()

    def listen(self) -> None:
        """Record every published message, and let the lake announce its objects."""
        for topic in (EXTRACT_REQUESTS, EXTRACT_EVENTS, OBJECT_EVENTS):
            self.bus.subscribe(Subscription(topic, topic, self._inbox(topic), lane="inbox"))
        self.lake.finalized = lambda stored: events.announce(self.bus, stored)

    def _inbox(self, topic: str) -> Flask:
        inbox, held = Flask(topic), self.messages.setdefault(topic, [])

        @inbox.post("/")
        def take() -> str:
            held.append(request.get_json()["message"])
            return "OK"

        return inbox

    def take(self, topic: str) -> list[Message]:
        """Return the messages published since the last call."""
        self.bus.run()
        taken = list(self.messages[topic])
        self.messages[topic].clear()
        return taken

    def application(self, target: str) -> Flask:
        if target not in self.applications:
            self.applications[target] = FUNCTIONS[target].application()
        return self.applications[target]

    def api(self) -> FastAPI:
        """Return the application that functions/api/main.py serves when it is run."""
        app = runpy.run_path(str(PROJECT / "functions" / "api" / "main.py"))["app"]
        assert isinstance(app, FastAPI)
        return app

    def start_run(self, scheduled: str = SCHEDULED, body: bytes = b"{}") -> TestResponse:
        headers = {"X-CloudScheduler-ScheduleTime": scheduled}
        return safe(self.application("start_run").test_client().post("/", headers=headers, data=body))

    def extract(self, table: str, message: Mapping[str, object]) -> TestResponse:
        return push(self.application(f"extract_{table}"), message)

    def load(self, message: Mapping[str, object]) -> TestResponse:
        return push(self.application("load"), message)

    def extract_run(self, scheduled: str = SCHEDULED) -> list[Message]:
        """Start a run and execute all its tasks; return the object events."""
        assert self.start_run(scheduled).status_code == 200
        for message in self.take(EXTRACT_REQUESTS):
            assert self.extract(message["attributes"]["table"], message).status_code == 200
        for parent, child in (("repos", "pull_requests"), ("pull_requests", "reviews")):
            done = [m for m in self.take(EXTRACT_EVENTS) if m["attributes"]["table"] == parent]
            assert self.extract(child, done[0]).status_code == 200
        return self.take(OBJECT_EVENTS)

    def forget_loads(self, name: str) -> None:
        """Continue with an empty warehouse, as if nothing had been loaded yet and no run were final."""
        self.warehouse.close()
        self.warehouse_name = name
        self.configure()
        lake = self.folder / "lake"
        for path in [*lake.glob("runs/*/final.json"), *lake.glob("state/*.json")]:
            path.unlink()
        self.take(OBJECT_EVENTS)

    def finals(self) -> list[Message]:
        """Return the events of final objects since the last call: one for each write."""
        return [message for message in self.take(OBJECT_EVENTS) if name_of(message).endswith("final.json")]

    def rows(self, table: str) -> list[Any]:
        """Return the rows of a raw table without the load sequence."""
        self.warehouse.close()
        with duckdb.connect(self.warehouse_path) as connection:
            return connection.execute(f"SELECT * EXCLUDE _load_seq FROM raw.{table} ORDER BY ALL").fetchall()  # noqa: S608


@contextmanager
def deployed(folder: Path, monkeypatch: pytest.MonkeyPatch, source_url: str) -> Iterator[Deployed]:
    """Yield the functions with adapters of their own."""
    _forget_adapters()
    made = Deployed(folder, monkeypatch)
    made.configure(MILLRACE_SOURCE_URL=source_url)
    made.listen()
    yield made
    made.warehouse.close()
    _forget_adapters()


def _forget_adapters() -> None:
    """Clear the adapters that the process cached: the job of an earlier test holds that test's requests."""
    for each in (wiring.bus_at, wiring.job_at, wiring.extractor_of, wiring.lake_at, wiring.duckdb_at):
        each.cache_clear()
    wiring.reader_of.cache_clear()


def push(application: Flask, message: Mapping[str, object]) -> TestResponse:
    """Deliver a message as a Pub/Sub subscription does."""
    body = {"message": message, "subscription": "projects/p/subscriptions/s"}
    return safe(application.test_client().post("/", json=body, headers=headers(events.MESSAGE)))


def headers(kind: str) -> dict[str, str]:
    return {"ce-id": "1", "ce-source": "//platform", "ce-specversion": "1.0", "ce-type": kind}


def safe(answer: TestResponse) -> TestResponse:
    assert SECRET not in answer.get_data(as_text=True)
    return answer


def message(data: object, **attributes: str) -> Message:
    """Return a Pub/Sub message."""
    return {"data": base64.b64encode(json.dumps(data).encode()).decode(), "attributes": attributes, "messageId": "1"}


def requested(table: str, run_id: str = RUN) -> Message:
    task_id = f"{table}__1" if ENDPOINTS[table].per_repository else table
    return message({"run_id": run_id, "table": table, "task_id": task_id}, table=table)


def name_of(message: Message) -> str:
    return str(message["attributes"]["objectId"])
