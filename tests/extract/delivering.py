"""Deliveries of tasks on a simulated clock: the source's limiter, the latency of its answers, and the messages."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.extract.answering import Answering, Answers, Said

from millrace import runs
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS
from millrace.bus.events import TaskEvent
from millrace.extract import task as tasks
from millrace.extract.auth import Basic
from millrace.extract.budget import Budget, RateBudget, SharedBudget
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim.source import CursorSimSource
from millrace.extract.task import DeliveryLimits, Extractor
from millrace.lake import Lake
from millrace.lake.local import LocalLake
from millrace.runs import RunRequest, TaskRecord
from millrace.tables import TABLES
from simulator.api import DEFAULT_KEY
from simulator.limiter import TokenBucket

URL = "http://source.test"
START = datetime(2026, 11, 20, 6, tzinfo=UTC)
RUN = "20261120T060000Z"


class SimulatedClock:
    """A clock for several threads: it moves to the earliest wake-up when all of them sleep."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._changed = threading.Condition()
        self._awake = 1
        self._wakes: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def epoch(self) -> float:
        return START.timestamp() + self.now_s

    def sleep(self, seconds: float) -> None:
        with self._changed:
            wake = self.now_s + seconds
            self._wakes.append(wake)
            self._awake -= 1
            self._advance()
            while self.now_s < wake:
                self._changed.wait()
            self._wakes.remove(wake)
            self._awake += 1

    def _advance(self) -> None:
        if self._awake == 0 and self._wakes and min(self._wakes) > self.now_s:
            self.now_s = min(self._wakes)
            self._changed.notify_all()

    def run(self, *works: Callable[[], None]) -> None:
        """Run all works, each in a thread of its own, to their ends."""
        failures: list[BaseException] = []

        def run(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again below
                failures.append(error)
            finally:
                with self._changed:
                    self._awake -= 1
                    self._advance()

        with self._changed:
            self._awake += len(works) - 1
        threads = [threading.Thread(target=run, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._awake = 1
        if failures:
            raise failures[0]


@dataclass
class Limited:
    """A source with the simulator's rate limiter and a latency, on the clock of the test."""

    answer: Answers
    clock: SimulatedClock
    latency_s: float = 0.2
    is_limited: bool = True
    at: list[float] = field(default_factory=list)
    refused: int = 0

    def __post_init__(self) -> None:
        self._bucket = TokenBucket(self.clock)

    def __call__(self, request: requests.PreparedRequest) -> Any:
        self.clock.sleep(self.latency_s)
        self.at.append(self.clock.now_s)
        wait_s = self._bucket.take() if self.is_limited else None
        if wait_s is not None:
            self.refused += 1
            return Said(429, b'{"error":"Rate limit exceeded"}', {"Retry-After": str(wait_s)})
        return self.answer(request)


@dataclass
class Deliveries:
    """The tasks of one run: `messages` are those that are not acknowledged, `log` has what each delivery ended in."""

    folder: Path
    source: Limited
    clock: SimulatedClock
    limits: DeliveryLimits
    per_minute: float | None = 100
    is_shared: bool = True
    messages: list[tuple[str, str]] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    deliveries: dict[str, int] = field(default_factory=dict)
    wrapped: Callable[[Lake], Lake] = lambda lake: lake

    def __post_init__(self) -> None:
        self.raw_lake = LocalLake(self.folder / "lake", "lake")
        self.lake = self.wrapped(self.raw_lake)
        self._published = 0
        self._lock = threading.Lock()

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        with self._lock:
            if topic == EXTRACT_REQUESTS:
                self._published += 1
                self.messages.append((str(data["table"]), f"m{self._published}"))
            else:
                assert topic == EXTRACT_EVENTS
                self.completed.append(str(data["table"]))

    def start(self, since: None = None) -> None:
        runs.start(self.lake, self, RunRequest(START))
        self.messages.clear()

    def extractor(self) -> Extractor:
        """Return the adapters of a new process."""
        adapter, session = Answering(self.source), requests.Session()
        session.mount("http://", adapter)
        budget: Budget
        if self.per_minute is None:
            budget = RateBudget(None, 1)
        elif self.is_shared:
            budget = SharedBudget(self.lake, self.per_minute, self.clock.epoch, self.clock.sleep)
        else:
            budget = RateBudget(self.per_minute, int(self.per_minute * 0.95), self.clock, self.clock.sleep)
        client = SourceClient(URL, Basic(DEFAULT_KEY), budget, session=session, sleep=self.clock.sleep)
        return Extractor(self.lake, self, CursorSimSource(client), "", self.clock.now, self.limits)

    def deliver(self, table: str, message: str = "m") -> TaskRecord | None:
        """Deliver one message once, to a new process."""
        self.deliveries[table] = self.deliveries.get(table, 0) + 1
        return tasks.extract(self.extractor(), TaskEvent(RUN, table, table, message))

    def complete(self, table: str, most: int = 500) -> TaskRecord:
        """Deliver the task's messages until it has a record."""
        with self._lock:
            self._published += 1
            self.messages.append((table, f"m{self._published}"))
        for _ in range(most):
            own = next(((name, message) for name, message in self.messages if name == table), None)
            assert own is not None, f"{table} is not done, and no message is left"
            record = self.deliver(*own)
            self.messages.remove(own)
            if record is not None:
                return record
        raise AssertionError(f"{table} was not done after {most} deliveries")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Read in the thread of the delivery: on a simulated clock a second thread would not be counted as asleep."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(tasks, "read_ahead", iter)
        yield


def limits_of(
    clock: SimulatedClock, timeout_s: float | None, longest_s: float = 10, checkpoint_s: float = 60
) -> DeliveryLimits:
    return DeliveryLimits(timeout_s, longest_s, checkpoint_s, clock, clock.sleep)


def rows_of(lake: Lake, record: TaskRecord, folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the record's parts."""
    import pyarrow.parquet as pq

    found = []
    for part in record.parts:
        path = folder / "part.parquet"
        lake.download(part.version(lake.bucket), path)
        found += pq.read_table(path).to_pylist()
    return found


def keys_of(rows: list[dict[str, Any]], table: str) -> set[tuple[object, ...]]:
    return {tuple(row[name] for name in TABLES[table].key) for row in rows}
