"""The pipeline over adapters that a schedule controls: the real use cases, a folder, a DuckDB file."""

import logging
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import requests
from tests.proofs.faults import building_sim
from tests.proofs.faults.boundaries import gated
from tests.proofs.faults.engines import Engine, OnDuckDB, OnSnowflake
from tests.proofs.faults.nature import Message
from tests.proofs.faults.scheduler import Scheduler
from tests.proofs.faults.source import KEY, URL, Source

from millrace import runs
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, events
from millrace.bus.events import ObjectFinalized, TaskEvent
from millrace.extract import parts, task
from millrace.extract.auth import Basic
from millrace.extract.budget import RateBudget
from millrace.extract.http_client import SourceClient
from millrace.extract.parts import PartLimits, PartWriter
from millrace.extract.sources.cursor_sim.source import CursorSimSource
from millrace.extract.task import DeliveryLimits, Extractor
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.load import handler, quarantine, recovery, sweep as sweeping
from millrace.load.handler import Loader
from millrace.load.sweep import SweepTimeouts
from millrace.tables import ENDPOINTS, TABLES, PageNumberListing, children_of

PARTS = PartLimits(rows=8, group_rows=4, batch_rows=4)
_HOUR_S = 3600.0
_DELIVERY_S = 0.2  # twenty calls
_PAGE_SIZE = 3
BUCKET = "lake"
_TIMEOUTS = SweepTimeouts(timedelta(minutes=30), timedelta(days=5))


@dataclass
class History:
    """The writes that took effect in the lake, in their order."""

    writes: list[StoredObject] = field(default_factory=list)
    contents: dict[ObjectVersion, bytes] = field(default_factory=dict)


class World:
    """One lake, one warehouse, one source, and the functions between them."""

    def __init__(self, folder: Path, scheduler: Scheduler, source: Source, database: Path) -> None:
        self.folder, self.scheduler, self.source, self.database = folder, scheduler, source, database
        self.engine: Engine = (
            OnSnowflake(folder / BUCKET, scheduler)
            if scheduler.nature.is_on_snowflake
            else OnDuckDB(database, scheduler)
        )
        self.history = History()
        self._is_idle = False
        self.raw_lake = LocalLake(folder / BUCKET, BUCKET, self._finalized)
        self.quarantine = LocalLake(folder / "quarantine", "quarantine")
        self.warehouse = self.engine.warehouse
        self.lake = gated(self.raw_lake, "lake", scheduler)
        self.bus = gated(self, "bus", scheduler)
        self.gated_warehouse = gated(self.warehouse, "warehouse", scheduler)
        self.builds = building_sim.Builds(self)
        session = requests.Session()
        session.mount("http://", source)
        sleep, monotonic = scheduler.clock.advance, scheduler.clock.monotonic
        client = SourceClient(URL, Basic(KEY), RateBudget(None, 1, monotonic, sleep), session=session, sleep=sleep)
        limits = DeliveryLimits()
        if scheduler.nature.has_short_deliveries:  # a task of a tiny world needs several of them
            limits = DeliveryLimits(_DELIVERY_S, 0.0, 0.0, monotonic, sleep)
        self.extractor = Extractor(self.lake, self.bus, CursorSimSource(client), "", scheduler.now, limits)
        self.loader = Loader(
            self.lake,
            gated(self.quarantine, "lake", scheduler),
            self.gated_warehouse,
            self.builds.job,
            scheduler.now,
        )

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Act as the bus: hand a message to every function that subscribes to it."""
        if topic == EXTRACT_REQUESTS:
            self.scheduler.send(f"extract {data['table']}", TaskEvent(**data))  # type: ignore[arg-type]
        elif topic == EXTRACT_EVENTS:
            for child in children_of(str(data["table"])):
                self.scheduler.send(f"extract {child.name}", TaskEvent(**data))  # type: ignore[arg-type]
        else:
            version = ObjectVersion(attributes["bucketId"], attributes["objectId"], int(attributes["objectGeneration"]))
            crc32c = data["crc32c"]
            self._object_event(ObjectFinalized(version, str(crc32c) if crc32c is not None else None))

    def handle(self, message: Message) -> None:
        """Act as the function that a message is for."""
        function, _, table = message.function.partition(" ")
        self._is_idle = self._is_idle and function == "sweep"
        subject: Any = message.subject
        if function == "start":
            runs.start(self.lake, self.bus, subject)
        elif function == "extract":
            task.answer(self.extractor, ENDPOINTS[table], replace(subject, message_id=str(message.number)))
        elif function == "load":
            handler.answer(self.loader, subject)
        elif function == "retry":
            quarantine.retry(self.loader, subject)
        elif function == "sweep":
            self._sweep()
        else:
            self.builds.run(subject)

    def start(self) -> None:
        """Start a run, an hour after everything before: more than clocks differ."""
        self.scheduler.pass_time(_HOUR_S)
        request = runs.RunRequest(self.scheduler.clock(), full_refresh=bool(self.scheduler.trouble("full refresh", 2)))
        self.scheduler.send("start", request, may_be_lost=False)

    def sweep(self) -> None:
        """Start the scheduled sweep."""
        self.scheduler.send("sweep", None, may_be_lost=False)

    def recover(self) -> bool:
        """Start a sweep for lost work, as the platform's schedule does; return False once one has found none."""
        if self._is_idle:
            return False
        self._is_idle = True
        self.scheduler.pass_time(3 * _TIMEOUTS.quiet.total_seconds())
        self.sweep()
        return True

    def _sweep(self) -> None:
        drops = recovery.recover_if_due(self.loader, self.bus)
        result = sweeping.sweep(self.lake, self.bus, self.gated_warehouse, self.scheduler.now(), _TIMEOUTS)
        self._is_idle = self._is_idle and not drops and not result

    def _finalized(self, stored: StoredObject) -> None:
        self.history.writes.append(stored)
        self.history.contents[stored.version] = self.raw_lake.read(stored.version.name)[0]
        events.announce(self, stored)

    def _object_event(self, event: ObjectFinalized) -> None:
        if event.version.name.startswith(events.ANNOUNCED):
            self._is_idle = False  # a sweep may end a run, and the event of that end may be lost
            self.scheduler.send("load", event)


@contextmanager
def tiny() -> Iterator[None]:
    """Use small parts and pages, one thread per handler, no log: a tiny world then has many events.

    Reading ahead would fetch in a thread that no schedule controls; tests/extract covers it.
    """
    logger = logging.getLogger("millrace")
    with ExitStack() as stack:
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
        stack.enter_context(replaced(task, "read_ahead", iter))
        stack.enter_context(replaced(parts, "PartWriter", partial(PartWriter, limits=PARTS)))
        stack.enter_context(replaced(random, "uniform", lambda low, high: high))  # otherwise waits ignore the seed
        for name, table in list(TABLES.items()):
            if isinstance(table.bulk, PageNumberListing):
                stack.callback(TABLES.__setitem__, name, table)
                TABLES[name] = replace(table, bulk=replace(table.bulk, page_size=_PAGE_SIZE))
        yield


@contextmanager
def replaced(place: Any, name: str, value: object) -> Iterator[None]:
    """Replace the value of a name for a while."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


@contextmanager
def folder() -> Iterator[Path]:
    """Yield an empty folder, in memory if the machine has such a place, with all temporary files below it."""
    memory = Path("/dev/shm")  # noqa: S108 a name of our own is made below it
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory if memory.is_dir() else None) as name:
        temporary = Path(name, "tmp")
        temporary.mkdir()
        with replaced(tempfile, "tempdir", str(temporary)):
            yield Path(name)
