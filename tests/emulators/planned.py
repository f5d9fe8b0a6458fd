"""The code of planned services in this process: each reaches the buckets as its account, and hears its subscriptions.

Messages wait in a queue until they are delivered, one after the other; a test may lose some of them.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from tests.deploy import sourced
from tests.deploy.sourced import Deployment
from tests.emulators.deployment import LAKE, QUARANTINE

from emulators.storage import Bucketed, Door, Resource, opened
from millrace import runs, wiring
from millrace.bus import EXTRACT_REQUESTS, OBJECT_EVENTS, events
from millrace.bus.events import ObjectFinalized, TaskEvent
from millrace.config import ExtractConfig
from millrace.extract import task as tasks
from millrace.extract.budget import RateBudget
from millrace.extract.sources import source_of
from millrace.extract.task import Extractor
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.gcs import GcsLake
from millrace.load import handler, recovery
from millrace.load.handler import Loader
from millrace.runs import Plan, RunRequest
from millrace.tables import ENDPOINTS
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.wiring import RequestedBuilds


def _now() -> datetime:
    return datetime.now(UTC)


_TERM = re.compile(r'attributes\.(\w+) = "([^"]*)"')


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a topic."""

    topic: str
    data: Mapping[str, object]
    attributes: Mapping[str, str]


@dataclass
class Planned:
    """The services of the recorded plan; `sources` are the settings of the source of each extract service."""

    stack: ExitStack
    warehouse: DuckDBWarehouse
    sources: Mapping[str, Mapping[str, str]]
    found: Deployment = field(default_factory=sourced.recorded)
    waiting: deque[Message] = field(default_factory=deque)
    doors: dict[str, Door] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)  # the service and the run of each delivered task
    _lakes: dict[tuple[str, str], GcsLake] = field(default_factory=dict)
    _extractors: dict[str, Extractor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the buckets."""
        self.store = Bucketed(None, self._created)
        for bucket in (LAKE, QUARANTINE):
            self.store.create_bucket(bucket, {"kind": "storage#bucket", "name": bucket, "id": bucket})

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Keep a message, as a bus does."""
        self.waiting.append(Message(topic, data, attributes))

    def lake(self, service: str, bucket: str = LAKE) -> GcsLake:
        """Return a bucket as the account of a service reaches it."""
        if service not in self.doors:
            door = self.doors[service] = Door(self.store, partial(self.found.may, service))
            options = {"api_endpoint": self.stack.enter_context(opened(door))}
            client = Client("acme-millrace", AnonymousCredentials(), client_options=options)
            self._lakes |= {(service, each): GcsLake(client, each) for each in (LAKE, QUARANTINE)}
        return self._lakes[service, bucket]

    def start(self, service: str, at: datetime) -> Plan:
        """Start a run as the scheduler does."""
        origin = wiring.origin_of(self._config(service, {}))
        return runs.start(self.lake(service), self, RunRequest(at), origin)

    def deliver(self, is_lost: Callable[[Message], bool] = lambda message: False) -> None:
        """Deliver all messages that are not lost, and those that follow; a request is heard by one service."""
        while self.waiting:
            message = self.waiting.popleft()
            hearing = list(self._hearing(message))
            assert message.topic != EXTRACT_REQUESTS or len(hearing) == 1, (message, hearing)
            for service in hearing if not is_lost(message) else ():
                self._handle(service, message)

    def sweep(self, at: datetime) -> dict[str, int]:
        """Sweep as the scheduler's call does."""
        return recovery.mend(self._loader("sweep", lambda: at), self)

    @property
    def refused(self) -> list[tuple[str, str, str, str]]:
        """What the services tried and have no right to: service, verb, bucket, name."""
        return sorted((name, *each) for name, door in self.doors.items() for each in door.refused)

    def _created(self, resource: Resource) -> None:
        if resource["bucket"] == LAKE:
            version = ObjectVersion(LAKE, resource["name"], int(resource["generation"]))
            events.notify(self, StoredObject(version, int(resource["size"]), resource["crc32c"]))

    def _hearing(self, message: Message) -> Iterator[str]:
        for each in self.found.heard:
            wanted = _TERM.findall(each.filter)
            is_passed = all(message.attributes.get(name) == value for name, value in wanted)
            if each.topic == message.topic and is_passed:
                yield each.service

    def _handle(self, service: str, message: Message) -> None:
        if message.topic == OBJECT_EVENTS:
            named = message.attributes
            version = ObjectVersion(named["bucketId"], named["objectId"], int(named["objectGeneration"]))
            handler.answer(self._loader("load"), ObjectFinalized(version, str(message.data["crc32c"])))
            return
        run_id, table, task_id = (str(message.data[name]) for name in ("run_id", "table", "task_id"))
        task = TaskEvent(run_id, table, task_id, "m")
        self.heard.append((service, task.run_id))
        target = self.found.services[service].arguments[1].partition("=extract_")[2]
        tasks.answer(self._extractor(service), ENDPOINTS[target], task)

    def _extractor(self, service: str) -> Extractor:
        if service not in self._extractors:
            config = self._config(service, self.sources[service])
            source = source_of(config, RateBudget(None, 1))
            self._extractors[service] = Extractor(self.lake(service), self, source, config.account)
        return self._extractors[service]

    def _loader(self, service: str, clock: Callable[[], datetime] = _now) -> Loader:
        lake, quarantine = self.lake(service), self.lake(service, QUARANTINE)
        return Loader(lake, quarantine, self.warehouse, RequestedBuilds(), clock)

    def _config(self, service: str, source: Mapping[str, str]) -> ExtractConfig:
        with pytest.MonkeyPatch.context() as patched:
            for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
                patched.delenv(name)  # a function in this process leaves its settings there
            for name, value in (self.found.services[service].settings | dict(source)).items():
                patched.setenv(name, value)
            return ExtractConfig.from_env()


@contextmanager
def planned(folder: Path, sources: Mapping[str, Mapping[str, str]]) -> Iterator[Planned]:
    """Yield the services over new buckets and a new warehouse; AssertionError at the end when a right was missing."""
    warehouse = DuckDBWarehouse(folder / "millrace.duckdb")
    warehouse.ensure_tables()
    with ExitStack() as stack:
        stack.callback(warehouse.close)
        services = Planned(stack, warehouse, sources)
        yield services
        assert services.refused == []
