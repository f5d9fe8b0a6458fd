"""The conversion of a dropped file into a Parquet file that a warehouse loads like any other.

The rules are those of `arrow`, line by line. A known column (its name in any case) must have its type, or the file is
refused. Every other field goes into `_extra`, as at extraction, so neither the order of files nor a sample of lines
decides where a field goes. `_extra`, `_extracted_at` and `_run_id` of the file itself are kept; the fields in its
`_extra` count as fields of their line.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.arrow import RowError, to_batch, to_column
from millrace.errors import BadObject
from millrace.load.dropped_lines import DropCaps, Row, TooMany, parse_json, read_csv, read_ndjson, refuse
from millrace.tables import EXTRA, EXTRACTED_AT, LOAD_SEQ, RUN_ID, Table

_CHUNK_ROWS = 10_000
_CHUNK_BYTES = 16 << 20

Kind = Literal["parquet", "ndjson", "csv"]


def to_parquet(source: Path, table: Table, kind: Kind, to: Path, caps: DropCaps) -> Path:
    """Return a Parquet file with the rows of `source`: itself when it is one, else `to`, written chunk by chunk.

    Raises BadObject, and leaves no file: `unreadable` (not JSON, CSV or UTF-8), `schema` (a value of another type
    than the column), `column_name`, `too_large` (over a cap). The message names the line.
    """
    if kind == "parquet":
        return source
    size_bytes = source.stat().st_size
    if size_bytes == 0:
        raise BadObject("unreadable", "the file is empty")
    if size_bytes > caps.file_bytes:
        raise BadObject("too_large", f"expected at most {caps.file_bytes:,} bytes, got {size_bytes:,}")
    rows = read_ndjson(source, caps) if kind == "ndjson" else read_csv(source, table, caps)
    try:
        with pq.ParquetWriter(to, table.schema, compression="zstd") as writer:
            for chunk in _chunks(rows, caps):
                writer.write_batch(_to_batch(chunk, table))
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    return to


def to_table(source: Path, table: Table, kind: Kind, caps: DropCaps) -> pa.Table:
    """Return the rows of a small NDJSON or CSV file in memory; raises what `to_parquet` raises."""
    if source.stat().st_size == 0:
        raise BadObject("unreadable", "the file is empty")
    rows = read_ndjson(source, caps) if kind == "ndjson" else read_csv(source, table, caps)
    return pa.Table.from_batches([_to_batch(chunk, table) for chunk in _chunks(rows, caps)], table.schema)


def _chunks(rows: Iterator[Row], caps: DropCaps) -> Iterator[list[Row]]:
    """Yield the rows in lists that fit into memory, however long the lines are."""
    chunk: list[Row] = []
    size_bytes = 0
    for total, row in enumerate(rows, 1):
        if total > caps.rows:
            refuse("too_large", row.line, f"more than {caps.rows:,} rows")
        chunk.append(row)
        size_bytes += row.size_bytes
        if len(chunk) == _CHUNK_ROWS or size_bytes > _CHUNK_BYTES:
            yield chunk
            chunk, size_bytes = [], 0
    if chunk:
        yield chunk


def _to_batch(chunk: list[Row], table: Table) -> pa.RecordBatch:
    known = {name.lower(): name for name in (*table.schema.names, LOAD_SEQ)}
    fields = [_canonical(row, known) for row in chunk]
    try:
        stamps = {
            name: to_column([row.pop(name, None) for row in fields], table.schema.field(name))
            for name in (EXTRACTED_AT, RUN_ID)
        }
        noted = [_with_extra(own, row.line) for own, row in zip(fields, chunk, strict=True)]
        batch = to_batch(noted, table, None, None)
    except RowError as error:
        line, message = chunk[error.row].line, f"expected {error.expected}, got {error.got}"
        raise BadObject("schema", f"line {line}, column {error.column}: {message}") from error
    columns = [stamps.get(name, batch.column(name)) for name in table.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _canonical(row: Row, known: dict[str, str]) -> dict[str, object]:
    """Return the row's fields under the table's own names."""
    fields: dict[str, object] = {}
    for name, value in row.fields.items():
        own = known.get(name.lower(), name) if name.isascii() else name
        if own in fields:
            refuse("column_name", row.line, f"field {own} comes twice, in another case")
        if own == LOAD_SEQ:
            refuse("column_name", row.line, f"field {own} is reserved: only the load sets it")
        fields[own] = value
    return fields


def _with_extra(fields: dict[str, object], line: int) -> dict[str, object]:
    """Move the fields of the file's own `_extra` (an object, or the text of one) to the other fields."""
    extra = fields.pop(EXTRA, None)
    if extra is None:
        return fields
    try:
        noted = parse_json(extra) if isinstance(extra, str) else extra
    except TooMany as error:
        refuse("too_large", line, f"column {EXTRA}: {error}")
    except ValueError:
        noted = None
    if not isinstance(noted, dict):
        refuse("schema", line, f"column {EXTRA}: expected a JSON object, got something else")
    for name, value in noted.items():
        if fields.setdefault(name, value) != value:
            refuse("schema", line, f"field {name!r:.80} has one value of its own and another in {EXTRA}")
    return fields
