"""Extract one task of one run: from the source's pages to write-once Parquet parts and one task record.

A task is read in as many deliveries as it needs. Each reads until its deadline, saves how far it is, and requests the
task again; the last one writes the record, requests the tasks of each repository that follow from it, and starts the
next run when the plan names one and nothing else is left of this one.
"""

import contextlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from millrace import log, runs
from millrace.bus import Bus
from millrace.bus.events import NotAnEvent, TaskEvent
from millrace.errors import Incomplete, MillraceError, SourceUnavailable, TransientError, UnexpectedResponse
from millrace.extract.ahead import read_ahead
from millrace.extract.deadline import Deadline, OutOfTime
from millrace.extract.http_client import RequestStats
from millrace.extract.parts import PartsOf, PartWriters, PendingRows
from millrace.extract.reading import Outcome, Reading, Request, Row, Rows, Source
from millrace.lake import Lake, ObjectExists, create_once
from millrace.lake.names import TaskKey, account_of
from millrace.runs import Claim, Failure, Overtaken, Part, Plan, Progress, TaskRecord
from millrace.tables import ENDPOINTS, Endpoint, children_of

_STUCK = timedelta(hours=6)  # without an advance: a failure of the source has passed by then
_MOST_IDLE = 5  # deliveries in a row that read nothing
_MOST_WAITING = 15  # of those that had to wait for the source's limit: it may last an hour, and each waits some minutes


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """The time of one delivery, in seconds.

    The platform ends it after `timeout_s` (None: never, as on a laptop). `longest_s` is the longest time of a request;
    no request begins later than that before the end. Progress is saved each `checkpoint_s`, and at the end.
    """

    timeout_s: float | None = None
    longest_s: float = 150.0
    checkpoint_s: float = 60.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def deadline(self) -> Deadline:
        """Return the deadline of a delivery that begins now; a twentieth of its time is for writing what was read."""
        if self.timeout_s is None:
            return Deadline()
        return Deadline(self.monotonic() + 0.95 * self.timeout_s - self.longest_s, self.monotonic)


@dataclass(frozen=True, slots=True)
class Extractor:
    """The adapters of the extract functions; events of the runs of other accounts than `account` are ignored."""

    lake: Lake
    bus: Bus
    source: Source
    account: str = ""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    limits: DeliveryLimits = field(default_factory=DeliveryLimits)


def answer(extractor: Extractor, endpoint: Endpoint, event: TaskEvent) -> None:
    """Run the task of `endpoint` for an event: its own request, or the completion of its parent's task."""
    with log.step(f"extract {endpoint.name}", event.run_id):
        _answer(extractor, endpoint, event)


def _answer(extractor: Extractor, endpoint: Endpoint, event: TaskEvent) -> None:
    account = account_of(event.run_id)
    if account != extractor.account:
        log.info("event of another account", account=account, served=extractor.account)
        return
    if endpoint.per_repository:
        is_own, task_id = event.table == endpoint.name, event.task_id
        if is_own and not re.fullmatch(rf"{endpoint.name}__[0-9]{{1,19}}", task_id, re.ASCII):
            raise NotAnEvent(f"task_id is {task_id!r}; {endpoint.name}__ and the id of a repository expected")
    else:
        is_own, task_id = event.table in (endpoint.name, endpoint.parent), endpoint.name
    if not is_own:
        log.info("event of another table", table=endpoint.name, event_table=event.table)
        return
    task = TaskEvent(event.run_id, endpoint.name, task_id, event.message_id)
    try:
        extract(extractor, task)
    except Overtaken:
        raise  # another delivery reads: that is no failure of the task
    except MillraceError as error:
        failed_at = extractor.clock().isoformat()
        runs.note_failure(
            extractor.lake, task.run_id, Failure(task.task_id, type(error).__name__, str(error), failed_at)
        )
        raise


def extract(extractor: Extractor, task: TaskEvent) -> TaskRecord | None:
    """Read a task until it is done or the delivery's time is over: a task with a record is only announced again.

    Returns None when the task was requested again, or when another delivery reads it. Parts of a crashed delivery are
    never overwritten. They hold rows of the source, and the load accepts them. The record names only the parts whose
    rows were counted.
    """
    record = runs.read_record(extractor.lake, task.run_id, task.task_id)
    if record is None:
        record = _Delivery(extractor, task).run()
    if record is not None:
        _request_children(extractor, record)
        task.complete(extractor.bus)
        if extractor.account:
            runs.start_next(extractor.lake, extractor.bus, task.run_id)
    return record


def _request_children(extractor: Extractor, record: TaskRecord) -> None:
    """Request the tasks of the repositories that have no record yet; other children start by the task's completion."""
    children = [child for child in record.children if ENDPOINTS[child.partition("__")[0]].per_repository]
    if children:
        recorded = runs.tasks_of(extractor.lake, runs.read_plan(extractor.lake, record.run_id)).recorded
        for child in children:
            if child not in recorded:
                TaskEvent.of(record.run_id, child).request(extractor.bus)


@dataclass(frozen=True, slots=True)
class _State:
    """The state of a listing between two pages, and how many of its lists are read."""

    listing: dict[str, Any]
    lists: tuple[int, int | None]


class _Delivery:
    """One delivery of a task. Only one may read at a time: the progress names its message while it does."""

    def __init__(self, extractor: Extractor, task: TaskEvent) -> None:
        self._extractor = extractor
        self._task = task
        self._lake = extractor.lake
        self._begun_at = extractor.clock()
        self._deadline = extractor.limits.deadline()
        self._saved_at = extractor.limits.monotonic()
        self._has_moved = False
        held, self._generation = runs.read_progress(self._lake, task.run_id, task.task_id)
        now = self._begun_at.isoformat()
        self._progress = held or Progress(task.run_id, task.task_id, task.table, now, now)
        self._stats = RequestStats(**self._progress.cost)  # type: ignore[arg-type]  # written from one

    def run(self) -> TaskRecord | None:
        """Read; return the record of a task that is done."""
        if not self._claims():
            return None
        try:
            parts_or_stop, reading = self._read()
            if isinstance(parts_or_stop, MillraceError):
                self._pause(parts_or_stop)
                return None
            record = _record_once(self._lake, self._record(reading.outcome(), parts_or_stop))
        except Overtaken:
            raise
        except MillraceError as error:
            self._release(error)
            raise
        if self._generation:
            over = replace(self._progress, listing=None, pending={}, pending_at=None, claim=None)
            self._save(over)  # the record has all that counts
        return record

    def _claims(self) -> bool:
        """Note that this delivery reads; return False when another one does."""
        claim, timeout_s = self._progress.claim, self._extractor.limits.timeout_s
        if claim is not None and claim.is_active(self._begun_at):
            if claim.message == self._task.message_id:
                raise Overtaken(f"an earlier delivery of this message may read until {claim.until}")
            log.info("another delivery reads", table=self._task.table, until=claim.until)
            return False
        self._progress = replace(self._progress, deliveries=self._progress.deliveries + 1, claim=None)
        if timeout_s is not None:
            until = (self._begun_at + timedelta(seconds=timeout_s)).isoformat()
            self._save(replace(self._progress, claim=Claim(self._task.message_id, until)))
        return True

    def _read(self) -> tuple[list[Part] | MillraceError, Reading]:
        """Read on; return all parts, or why reading stopped."""
        plan, endpoint = runs.read_plan(self._lake, self._task.run_id), ENDPOINTS[self._task.table]
        reading = self._extractor.source.reading(self._request(plan, endpoint))
        known = self._progress.listing or reading.held()
        with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
            self._write_pending(plan, endpoint, Path(folder, "pending"))
            writers = self._writers(plan, endpoint, Path(folder, "parts"), self._begun_at)
            pending = PendingRows(endpoint.feeds[0])
            items = self._items(reading)
            # A page that is saved is written down before the next one is requested.
            for rows, state, stop in items if reading.is_page_saved else read_ahead(items):
                pending.add(rows)
                if stop is not None or not reading.is_page_saved or pending.is_due:
                    writers.add(pending.take())
                if state is not None and state.listing != known:
                    known, self._has_moved = state.listing, True
                    self._checkpoint(writers.flush(), pending.rows, state)
                if stop is not None:
                    return stop, reading
            writers.add(pending.take())
            return writers.close(), reading

    def _request(self, plan: Plan, endpoint: Endpoint) -> Request:
        lake, account = self._lake, self._extractor.account
        cursor = None
        if account and not endpoint.per_repository:
            cursor = runs.held_cursor(lake, endpoint.name, account)  # it is read in full, whatever was read before
        elif not plan.full_refresh:
            cursor = runs.read_cursor(lake, endpoint.name, plan.since, self._begun_at, account)
        return Request(
            plan=plan,
            endpoint=endpoint,
            partition=self._task.task_id.partition("__")[2],
            cursor=cursor,
            parents=lambda columns: _parent_rows(lake, self._task, endpoint, columns),
            held=self._progress.listing,
            now=self._begun_at,
            stats=self._stats,
            deadline=self._deadline,
            is_stuck=self._begun_at - datetime.fromisoformat(self._progress.saved_at) > _STUCK,
        )

    def _writers(self, plan: Plan, endpoint: Endpoint, folder: Path, extracted_at: datetime) -> PartWriters:
        folder.mkdir()
        of = PartsOf(self._lake, plan.day, self._task.run_id, self._task.task_id, extracted_at, folder)
        return PartWriters(of, endpoint.feeds[0], self._progress.parts)

    def _write_pending(self, plan: Plan, endpoint: Endpoint, folder: Path) -> None:
        """Write the rows that a killed delivery had read, under the time at which it began."""
        progress = self._progress
        if progress.pending and progress.pending_at:
            writers = self._writers(plan, endpoint, folder, datetime.fromisoformat(progress.pending_at))
            writers.add(progress.pending)
            self._save(replace(progress, parts=tuple(writers.flush()), pending={}, pending_at=None))

    def _items(self, reading: Reading) -> Iterator[tuple[Rows, _State | None, MillraceError | None]]:
        """Yield the rows, now and then with the state after them, and at last why reading stopped before its end."""
        try:
            for rows in reading.rows():
                is_due = reading.is_page_saved or self._is_due()
                yield rows, _State(reading.held(), reading.lists) if is_due else None, None
        except (OutOfTime, TransientError) as stop:
            yield {}, _State(reading.held(), reading.lists), stop

    def _is_due(self) -> bool:
        now = self._extractor.limits.monotonic()
        if now - self._saved_at < self._extractor.limits.checkpoint_s:
            return False
        self._saved_at = now
        return True

    def _checkpoint(self, parts: list[Part], pending: Rows, state: _State) -> None:
        done, total = state.lists
        advanced = replace(
            self._progress,
            listing=state.listing,
            parts=tuple(parts),
            pending={table: tuple(some) for table, some in pending.items()},
            pending_at=self._begun_at.isoformat() if pending else None,
            lists_done=done,
            lists_total=total,
            saved_at=self._extractor.clock().isoformat(),
        )
        self._save(replace(advanced, idle=0))

    def _pause(self, stop: MillraceError) -> None:
        """Save that the delivery is over, and request the task again; raise a failure of the source."""
        if not isinstance(stop, OutOfTime):
            raise stop
        progress = self._progress
        if not self._has_moved:
            self._extractor.limits.sleep(min(stop.wait_s, self._deadline.left_s()))
            progress = replace(progress, idle=progress.idle + 1)
        self._save(replace(progress, claim=None))
        if progress.idle >= (_MOST_WAITING if stop.wait_s else _MOST_IDLE):
            name = f"{self._task.task_id} of run {self._task.run_id}"
            raise TransientError(f"{name} made no progress in {progress.idle} deliveries: {stop}")
        self._task.request(self._extractor.bus)
        log.info(
            "paused",
            table=self._task.table,
            task_id=self._task.task_id,
            lists=progress.lists_done,
            of=progress.lists_total,
            rows=progress.rows,
            deliveries=progress.deliveries,
        )

    def _release(self, error: MillraceError) -> None:
        """Let the next delivery read; what cannot be continued begins again."""
        if self._generation or isinstance(error, SourceUnavailable):  # then the next ones know since when
            is_lost = isinstance(error, Incomplete | UnexpectedResponse)
            progress = self._progress.from_the_beginning() if is_lost else self._progress
            with contextlib.suppress(MillraceError):  # the claim ends by itself
                self._save(replace(progress, claim=None))

    def _save(self, progress: Progress) -> None:
        self._progress = replace(progress, cost=asdict(self._stats))
        self._generation = runs.save_progress(self._lake, self._progress, self._generation)

    def _record(self, outcome: Outcome, parts: list[Part]) -> TaskRecord:
        task, stats = self._task, self._stats
        record = TaskRecord(
            run_id=task.run_id,
            task_id=task.task_id,
            table=task.table,
            plan=outcome.plan,
            extracted_at=self._progress.started_at,
            finished_at=self._extractor.clock().isoformat(),
            since=str(outcome.since) if outcome.since else None,
            window_start=str(outcome.window_start) if outcome.window_start else None,
            source_total=outcome.source_total,
            known=outcome.known,
            repeated=outcome.repeated,
            rows=sum(part.rows for part in parts),
            parts=tuple(parts),
            children=_children(ENDPOINTS[task.table], outcome.children),
            requests=stats.requests,
            retries=stats.retries,
            rate_limited=stats.rate_limited,
            waited_s=round(stats.waited_s, 3),
            counts=dict(sorted(outcome.counts.items())),
            totals=dict(sorted(outcome.totals.items())),
            mark=outcome.mark,
        )
        log.info(
            "extracted",
            run_id=task.run_id,
            table=task.table,
            task_id=task.task_id,
            plan=record.plan,
            rows=record.rows,
            known=record.known,
            requests=record.requests,
            retries=record.retries,
            rate_limited=record.rate_limited,
            waited_s=record.waited_s,
            deliveries=self._progress.deliveries,
        )
        return record


def _record_once(lake: Lake, record: TaskRecord) -> TaskRecord:
    try:
        create_once(lake, str(TaskKey(record.run_id, record.task_id)), record.to_json())
    except ObjectExists:
        finished = runs.read_record(lake, record.run_id, record.task_id)
        log.info("another attempt finished first", run_id=record.run_id, task_id=record.task_id)
        return finished or record
    return record


def _children(endpoint: Endpoint, partitions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tasks that start after one of this endpoint: all of one repository before those of the next."""
    below = children_of(endpoint.name, endpoint.source)
    if not all(re.fullmatch("[0-9]{1,19}", partition, re.ASCII) for partition in partitions):
        raise UnexpectedResponse(f"{endpoint.name}: a repository's id that is no number of at most 19 digits")
    of_each = (f"{child.name}__{each}" for each in dict.fromkeys(partitions) for child in below if child.per_repository)
    return (*(child.name for child in below if not child.per_repository), *of_each)


def _parent_rows(lake: Lake, task: TaskEvent, endpoint: Endpoint, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield columns of the rows that the parent's task of the same run extracted."""
    parent = ENDPOINTS[str(endpoint.parent)]
    record = runs.read_record(lake, task.run_id, parent.name)
    if record is None:
        raise TransientError(f"{task.task_id} of run {task.run_id} was requested before {parent.name} was complete")
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "parent.parquet")
        for part in record.parts_of(parent.feeds[0]):
            lake.download(part.version(lake.bucket), path)
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=list(columns)):
                    yield from batch.to_pylist()
