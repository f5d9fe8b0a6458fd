"""Extract one table of one run: from the source's pages to write-once Parquet parts and one task record."""

import contextlib
import queue
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from millrace import log, runs
from millrace.arrow import RowError, to_batch
from millrace.bus import Bus
from millrace.bus.events import TaskEvent
from millrace.errors import MillraceError, TransientError, UnexpectedResponse
from millrace.extract.completeness import Row
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.lake import Lake, ObjectExists, create_once
from millrace.lake.names import RawPart, TaskKey
from millrace.runs import Failure, Part, TaskRecord
from millrace.tables import TABLES, Table, children_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Limits at which parts are cut. One group of rows is held in memory.

    However long the texts, the load accepts a part of these limits (`ParquetLimits`). `size_bytes` is the size of
    the file, `expanded_bytes` that of its rows before compression. A group has at most `piece_bytes` more than
    `group_bytes`, which is less than a column may take within 2,048 rows. Only after each piece, or 1,024 values, does
    the writer check whether a page has reached one megabyte and is full; so no page exceeds that by more than a piece.
    """

    rows: int = 100_000
    size_bytes: int = 64 << 20
    expanded_bytes: int = 1 << 30
    group_rows: int = 20_000
    group_bytes: int = 32 << 20
    piece_bytes: int = 16 << 20
    batch_rows: int = 2_000


@dataclass(frozen=True, slots=True)
class Extractor:
    """The adapters of the extract functions."""

    lake: Lake
    bus: Bus
    client: SourceClient
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


def answer(extractor: Extractor, table: Table, event: TaskEvent) -> None:
    """Run the task of `table` for an event: its own request, or the completion of its parent's task."""
    with log.step(f"extract {table.name}", event.run_id):
        _answer(extractor, table, event)


def _answer(extractor: Extractor, table: Table, event: TaskEvent) -> None:
    if event.table not in (table.name, table.parent):
        log.info("event of another table", table=table.name, event_table=event.table)
        return
    task = TaskEvent(event.run_id, table.name, table.name)
    try:
        extract(extractor, task)
    except MillraceError as error:
        failed_at = extractor.clock().isoformat()
        runs.note_failure(
            extractor.lake, task.run_id, Failure(task.task_id, type(error).__name__, str(error), failed_at)
        )
        raise


def extract(extractor: Extractor, task: TaskEvent) -> TaskRecord:
    """Run a task once: a task with a record is only announced again.

    Parts of a crashed attempt are never overwritten. They hold rows of the source, and the load accepts them. The
    record names only the parts of the attempt that finished.
    """
    record = runs.read_record(extractor.lake, task.run_id, task.task_id)
    if record is None:
        record = _record_once(extractor.lake, _read(extractor, extractor.client.for_task(), task))
    task.complete(extractor.bus)
    return record


def _read(extractor: Extractor, client: SourceClient, task: TaskEvent) -> TaskRecord:
    lake = extractor.lake
    plan = runs.read_plan(lake, task.run_id)
    table = TABLES[task.table]
    extracted_at = extractor.clock()
    listing = Listing(
        client,
        table,
        since=date.fromisoformat(plan.since) if plan.since else None,
        cursor=None if plan.full_refresh else runs.read_cursor(lake, table.name, plan.since, extracted_at),
        parents=lambda columns: _parent_rows(lake, task, table, columns),
    )
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        writer = PartWriter(
            lake, RawPart(table.name, plan.day, task.run_id, task.task_id, 0), extracted_at, Path(folder)
        )
        for rows in read_ahead(listing.rows()):
            writer.add(rows)
        parts = writer.close()
    stats = client.stats
    record = TaskRecord(
        run_id=task.run_id,
        task_id=task.task_id,
        table=table.name,
        plan=listing.plan,
        extracted_at=extracted_at.isoformat(),
        finished_at=extractor.clock().isoformat(),
        since=plan.since,
        window_start=str(listing.window_start) if listing.window_start else None,
        source_total=listing.source_total,
        known=listing.known,
        repeated=listing.repeated,
        rows=sum(part.rows for part in parts),
        parts=tuple(parts),
        children=tuple(child.name for child in children_of(table.name)),
        requests=stats.requests,
        retries=stats.retries,
        rate_limited=stats.rate_limited,
        waited_s=round(stats.waited_s, 3),
        counts=dict(sorted(listing.counts.items())),
    )
    log.info(
        "extracted",
        run_id=task.run_id,
        table=table.name,
        plan=record.plan,
        rows=record.rows,
        known=record.known,
        requests=record.requests,
        retries=record.retries,
        rate_limited=record.rate_limited,
        waited_s=record.waited_s,
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


def _parent_rows(lake: Lake, task: TaskEvent, table: Table, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield columns of the rows that the parent's task of the same run extracted."""
    record = runs.read_record(lake, task.run_id, str(table.parent))
    if record is None:
        raise TransientError(f"{table.name} of run {task.run_id} was requested before {table.parent} was complete")
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "parent.parquet")
        for part in record.parts:
            lake.download(part.version(lake.bucket), path)
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=list(columns)):
                    yield from batch.to_pylist()


class PartWriter:
    """Cuts rows into parts of at most `limits.rows` or about `limits.size_bytes`; without rows, into one empty part.

    The parts are numbered from `first`; a number used by another attempt's part is skipped. Raises UnexpectedResponse
    for a row that its table's schema cannot hold.
    """

    def __init__(
        self,
        lake: Lake,
        first: RawPart,
        extracted_at: datetime,
        folder: Path,
        limits: PartLimits = PartLimits(),
    ) -> None:
        self._lake = lake
        self._next = first
        self._table = TABLES[first.table]
        self._extracted_at = extracted_at
        self._path = folder / "part.parquet"
        self._limits = limits
        self._schema = self._table.schema.with_metadata(
            {"millrace.extracted_at": extracted_at.isoformat(), "millrace.run_id": first.run_id}
        )
        self._rows: list[Row] = []
        self._batches: list[pa.RecordBatch] = []
        self._writer: pq.ParquetWriter | None = None
        self._part_rows = self._part_bytes = 0
        self._parts: list[Part] = []

    def add(self, rows: list[Row]) -> None:
        """Add rows; they are in the lake after `close`."""
        self._rows += rows
        while len(self._rows) >= self._limits.batch_rows:
            self._to_arrow()

    def close(self) -> list[Part]:
        """Write the remaining rows, and return the parts."""
        if self._rows or not (self._batches or self._part_rows or self._parts):
            self._to_arrow()
        if self._batches:
            self._write_group()
        if self._part_rows or not self._parts:
            self._finish_part()
        return self._parts

    def _to_arrow(self) -> None:
        rows, self._rows = self._rows[: self._limits.batch_rows], self._rows[self._limits.batch_rows :]
        try:
            batch = to_batch(rows, self._table, self._extracted_at, self._next.run_id)
        except RowError as error:
            raise UnexpectedResponse(
                f"{self._table.name}: the source's {error.column}: expected {error.expected}, got {error.got}"
            ) from error
        log.debug("rows read", table=self._table.name, rows=len(batch))
        for piece in _pieces(batch, self._limits.piece_bytes):
            self._batches.append(piece)
            if self._group_rows() >= self._limits.group_rows or self._group_bytes() >= self._limits.group_bytes:
                self._write_group()

    def _group_rows(self) -> int:
        return sum(len(batch) for batch in self._batches)

    def _group_bytes(self) -> int:
        return sum(batch.nbytes for batch in self._batches)

    def _write_group(self) -> None:
        if self._part_rows and self._part_rows + self._group_rows() > self._limits.rows:
            self._finish_part()
        self._open().write_table(pa.Table.from_batches(self._batches, self._table.schema))
        self._part_rows += self._group_rows()
        self._part_bytes += self._group_bytes()
        self._batches = []
        size_bytes, limits = self._path.stat().st_size, self._limits
        is_large = size_bytes >= limits.size_bytes or self._part_bytes >= limits.expanded_bytes
        if is_large or self._part_rows >= limits.rows:
            self._finish_part()

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, self._schema, compression="zstd")
        return self._writer

    def _finish_part(self) -> None:
        self._open().close()
        self._writer = None
        while True:
            key = self._next
            self._next = replace(key, number=key.number + 1)
            try:
                stored = create_once(self._lake, str(key), self._path)
                break
            except ObjectExists:  # from an attempt that did not finish
                continue
        self._parts.append(Part.of(stored, self._part_rows))
        self._part_rows = self._part_bytes = 0


def _pieces(batch: pa.RecordBatch, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield the batch in pieces of at most `most_bytes`, or of one row."""
    if batch.nbytes <= most_bytes or len(batch) == 1:
        yield batch
        return
    half = len(batch) // 2
    yield from _pieces(batch.slice(0, half), most_bytes)
    yield from _pieces(batch.slice(half), most_bytes)


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items while another thread fetches the next one, so that network and CPU work in parallel."""
    fetched: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=2)
    is_abandoned = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not is_abandoned.is_set():
            with contextlib.suppress(queue.Full):
                fetched.put((item, error), timeout=0.1)
                break

    def fetch() -> None:
        try:
            for item in items:
                put(item, None)
                if is_abandoned.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:  # noqa: BLE001 raised again in the reading thread
            put(None, error)

    thread = threading.Thread(target=fetch, name="read-ahead")
    thread.start()
    try:
        while True:
            item, error = fetched.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        is_abandoned.set()
        thread.join()
