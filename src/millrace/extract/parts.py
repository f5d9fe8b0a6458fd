"""Write-once Parquet parts from rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from millrace import log
from millrace.arrow import RowError, to_batch
from millrace.errors import UnexpectedResponse
from millrace.extract.completeness import Row
from millrace.lake import Lake, ObjectExists, create_once, names
from millrace.lake.names import RawPart
from millrace.runs import Part
from millrace.tables import TABLES

_PENDING_ROWS = 500  # of the first table
_PENDING_SIZE = 2 << 20  # characters of all rows: they are saved with each page


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


class PartWriter:
    """Cuts rows into parts of at most `limits.rows` or about `limits.size_bytes`; without rows, into one empty part.

    The parts are numbered from `first`, `before` are those of earlier deliveries; a number used by another attempt's
    part is skipped. Raises UnexpectedResponse for a row that its table's schema cannot hold.
    """

    def __init__(
        self,
        lake: Lake,
        first: RawPart,
        extracted_at: datetime,
        folder: Path,
        limits: PartLimits = PartLimits(),
        before: Sequence[Part] = (),
    ) -> None:
        self._lake = lake
        self._next = replace(first, number=_number_after(first, before))
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
        self._parts = list(before)

    def add(self, rows: list[Row]) -> None:
        """Add rows; they are in the lake after `close`."""
        self._rows += rows
        while len(self._rows) >= self._limits.batch_rows:
            self._to_arrow()

    def flush(self) -> list[Part]:
        """Write the rows so far, and return all parts."""
        if self._rows:
            self._to_arrow()
        if self._batches:
            self._write_group()
        if self._part_rows:
            self._finish_part()
        return list(self._parts)

    def close(self) -> list[Part]:
        """Write the remaining rows, and return all parts."""
        self.flush()
        if not self._parts:
            self._to_arrow()
            self._write_group()
            if not self._parts:
                self._finish_part()
        return list(self._parts)

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


class PendingRows:
    """Rows that are not in a part yet; due when they are many, so that an account of many pages has few parts."""

    def __init__(self, main: str) -> None:
        self._main = main
        self._clear()

    def _clear(self) -> None:
        self.rows: dict[str, list[Row]] = {}
        self._size = 0

    def add(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add the rows of a page."""
        for table, some in rows.items():
            if some:
                self.rows.setdefault(table, []).extend(some)
                self._size += len(repr(some))

    @property
    def is_due(self) -> bool:
        """Whether they are enough for parts."""
        return len(self.rows.get(self._main, ())) >= _PENDING_ROWS or self._size >= _PENDING_SIZE

    def take(self) -> dict[str, list[Row]]:
        """Return the rows, and keep none."""
        rows = self.rows
        self._clear()
        return rows


@dataclass(frozen=True, slots=True)
class PartsOf:
    """Where the parts of a task go: the day in their names, their run and task, and the time of their rows."""

    lake: Lake
    day: date
    run_id: str
    task_id: str
    extracted_at: datetime
    folder: Path


class PartWriters:
    """The writers of a task's raw tables. `main` is the table that gets an empty part when no table has a row.

    `before` are the parts of earlier deliveries.
    """

    def __init__(self, of: PartsOf, main: str, before: Sequence[Part] = ()) -> None:
        self._of = of
        self._main = main
        self._before = before
        self._writers: dict[str, PartWriter] = {}
        for table in dict.fromkeys([main, *(part.table for part in before)]):
            self._writer(table)

    def add(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Add rows by raw table; they are in the lake after `flush` or `close`."""
        for table, some in rows.items():
            if some:
                self._writer(table).add(list(some))

    def flush(self) -> list[Part]:
        """Write the rows so far, and return all parts."""
        return [part for writer in self._writers.values() for part in writer.flush()]

    def close(self) -> list[Part]:
        """Write the remaining rows, and return all parts."""
        return self.flush() or self._writers[self._main].close()

    def _writer(self, table: str) -> PartWriter:
        if table not in self._writers:
            of = self._of
            first = RawPart(table, of.day, of.run_id, of.task_id, 0)
            folder = of.folder / table
            folder.mkdir()
            before = [part for part in self._before if part.table == table]
            self._writers[table] = PartWriter(of.lake, first, of.extracted_at, folder, before=before)
        return self._writers[table]


def _pieces(batch: pa.RecordBatch, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yield the batch in pieces of at most `most_bytes`, or of one row."""
    if batch.nbytes <= most_bytes or len(batch) == 1:
        yield batch
        return
    half = len(batch) // 2
    yield from _pieces(batch.slice(0, half), most_bytes)
    yield from _pieces(batch.slice(half), most_bytes)


def _number_after(first: RawPart, before: Sequence[Part]) -> int:
    """Return the number after those of earlier parts, or that of the first one."""
    numbers = [key.number for part in before if isinstance(key := names.parse(part.name), RawPart)]
    return max([first.number - 1, *numbers]) + 1
