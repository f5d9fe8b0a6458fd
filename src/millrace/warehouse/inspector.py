"""The child process of `inspection`: it answers one request a line, about one file each, until its input ends.

It opens the file, decodes every value within the limits of `ParquetLimits`, and refuses what exceeds them. A hostile
file can at worst end this process.
"""

import json
import os
import queue
import re
import resource
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.errors import BadObject, unreadable
from millrace.warehouse import parquet
from millrace.warehouse.inspection import READY
from millrace.warehouse.parquet import ParquetLimits, require

_VECTOR_ROWS = 2048  # what DuckDB holds in memory of every column at once
_LEAST_BYTES = 8  # what a value takes once it is spread out, even NULL
_ELEMENT_BYTES = 16  # what an element of a list takes in DuckDB's memory
_SAMPLE_ROWS = 5
_DATA_FACTOR = 2  # what a process may reserve beyond what may be resident
_STATUS = Path("/proc/self/status")
_ALLOCATION = re.compile(r"size (\d+)")
# The first fields of a page's header: its type and its size before compression, both zigzag numbers of 7 bits a byte.
# https://parquet.apache.org/docs/file-format/metadata/#page-header
_PAGE_HEADER = re.compile(rb"\x15[\x80-\xff]*[\x00-\x7f]\x15([\x80-\xff]*[\x00-\x7f])")


def main() -> None:
    """Answer requests from standard input on standard output; end when the parent does."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints would break the protocol
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    answers.write(READY)
    try:
        while True:
            request = json.loads(requests.get())
            _limit(request["memory_bytes"], request["cpu_s"])
            answers.write(json.dumps(answer(request)).encode() + b"\n")
    finally:
        os._exit(1)  # at the usual end the interpreter aborts, because the other thread reads: that is a file's crash


def _receive(requests: queue.SimpleQueue[bytes]) -> None:
    """Queue requests; without a parent, end at once, also in the middle of a file."""
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def answer(request: dict[str, Any]) -> dict[str, object]:
    """Return the facts about a file, or the reason why there are none: `reason`, `transient` or `exceeded`."""
    # Outside the block: after an upgrade, the parent may ask what this version does not know. No file is to blame.
    work, limits = _ANSWERS[request["what"]], ParquetLimits(**request["limits"])
    try:
        return work(Path(request["path"]), limits)
    except BadObject as error:
        return {"reason": error.reason, "message": str(error)}
    except Exception as error:  # noqa: BLE001 an entry point: whatever a file makes a library raise
        if isinstance(error, MemoryError) and _is_over(request["memory_bytes"], error):
            return {"exceeded": "memory"}
        failed = unreadable(error, "no readable Parquet file")
        if isinstance(failed, BadObject):
            return {"reason": failed.reason, "message": str(failed)}
        return {"transient": str(failed)}


def _is_over(memory_bytes: int, error: MemoryError) -> bool:
    """Return whether memory was refused because of our limit; below it, the machine has too little."""
    refused = _ALLOCATION.search(str(error))
    size_bytes = int(refused[1]) if refused else 0
    peak = re.search(r"VmPeak:\s+(\d+) kB", _STATUS.read_text()) if _STATUS.exists() else None
    peak_bytes = int(peak[1]) * 1024 if peak else 0
    return size_bytes >= memory_bytes or peak_bytes + size_bytes >= _DATA_FACTOR * memory_bytes


def _limit(memory_bytes: int, cpu_s: int) -> None:
    """Let the system end this process after so many seconds more, and refuse it memory if the parent looks too late."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    for which, soft in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_DATA, _DATA_FACTOR * memory_bytes)):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _rows(path: Path, limits: ParquetLimits) -> dict[str, object]:
    with parquet.open_file(path, limits) as file:
        return {"rows": parquet.rows_in(file.metadata)}


def _whole(path: Path, limits: ParquetLimits) -> dict[str, object]:
    with parquet.open_file(path, limits) as file:
        _check(path, file, limits)
        return parquet.facts(file)


def _columns(path: Path, limits: ParquetLimits) -> dict[str, object]:
    with parquet.open_file(path, limits) as file:
        columns = ", ".join(f"{field.name} {field.type}" for field in list(file.schema_arrow)[:100])
        return {"lines": [f"{file.metadata.num_rows:,} rows of ({columns:.1000})"]}


def _first_rows(path: Path, limits: ParquetLimits) -> dict[str, object]:
    with parquet.open_file(path, limits) as file:
        _check(path, file, limits)
        batch = next(file.iter_batches(_SAMPLE_ROWS, use_threads=False), None)
        return {"lines": [f"{row!r:.400}" for row in (batch.to_pylist() if batch else [])]}


_ANSWERS = {"rows": _rows, "whole": _whole, "columns": _columns, "first rows": _first_rows}


def _check(path: Path, file: pq.ParquetFile, limits: ParquetLimits) -> None:
    """Decode the whole file, group by group; raise BadObject when it exceeds a limit or has other rows than it says."""
    parquet.check_footer(file, limits)
    rows = expanded_bytes = 0
    schema = file.schema_arrow
    spread = [index for index, kind in enumerate(schema.types) if not _is_flat(kind)]
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        _check_chunks(file, group, limits)
        try:
            for batch in file.iter_batches(_VECTOR_ROWS, row_groups=[number], use_threads=False):
                rows += batch.num_rows
                held_bytes = batch.nbytes
                expanded_bytes += max(held_bytes, batch.num_rows * batch.num_columns * _LEAST_BYTES)
                for index in spread if held_bytes <= limits.vector_bytes else range(batch.num_columns):
                    values = batch.column(index)
                    size_bytes = _bytes_of(values)
                    if size_bytes > limits.vector_bytes:
                        what = f"column {schema.names[index]!r:.80} has {size_bytes:,} bytes"
                        most = f"at most {limits.vector_bytes:,} are accepted"
                        raise BadObject("too_large", f"{what} within {_VECTOR_ROWS:,} rows; {most}")
                    expanded_bytes += max(0, size_bytes - values.nbytes) if index in spread else 0
                require(expanded_bytes, limits.expanded_bytes, "bytes when each value stands on its own")
        except OSError:  # pages that differ from the footer: a reason that explains more
            _check_first_pages(path, group, limits)
            raise
    if rows != file.metadata.num_rows:
        raise parquet.lying(f"{rows:,} rows, the footer says {file.metadata.num_rows:,}")


def _check_chunks(file: pq.ParquetFile, group: pq.RowGroupMetaData, limits: ParquetLimits) -> None:
    for index in range(group.num_columns):
        chunk = group.column(index)
        if "DELTA_BYTE_ARRAY" in chunk.encodings:
            what = f"column {chunk.path_in_schema!r:.80} is written as DELTA_BYTE_ARRAY"
            raise BadObject("unreadable", f"{what}; write it as PLAIN or with a dictionary")
        if file.schema.column(index).max_repetition_level > 0:
            require(chunk.num_values, limits.list_values, "values of lists in one row group")


def _check_first_pages(path: Path, group: pq.RowGroupMetaData, limits: ParquetLimits) -> None:
    """Raise BadObject when the first page of a column says that it is too large to be read."""
    with path.open("rb") as raw:
        for index in range(group.num_columns):
            chunk = group.column(index)
            raw.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
            if header := _PAGE_HEADER.match(raw.read(16)):
                size_bytes = sum((byte & 127) << 7 * place for place, byte in enumerate(header[1])) >> 1
                if size_bytes > limits.vector_bytes:
                    what = f"column {chunk.path_in_schema!r:.80} has a page of {size_bytes:,} bytes"
                    raise BadObject("too_large", f"{what}; at most {limits.vector_bytes:,} are accepted")


def _is_flat(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType))


def _bytes_of(values: pa.Array) -> int:
    """Return the bytes of an array when each value stands on its own, however deep they lie in lists and structs."""
    if isinstance(values, pa.DictionaryArray):
        if values.dictionary.type not in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
            return len(values) * _LEAST_BYTES
        lengths = pc.take(pc.binary_length(values.dictionary), values.indices)
        return len(values) * _LEAST_BYTES + int(pc.sum(lengths, min_count=0).as_py())
    if isinstance(values, pa.ExtensionArray):
        return _bytes_of(values.storage)
    if isinstance(values, pa.StructArray):
        return sum(_bytes_of(values.field(i)) for i in range(values.type.num_fields))
    if isinstance(values, pa.MapArray):
        return len(values.keys) * _ELEMENT_BYTES + _bytes_of(values.keys) + _bytes_of(values.items)
    if isinstance(values, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        elements = values.flatten()
        return len(elements) * _ELEMENT_BYTES + _bytes_of(elements)
    return max(int(values.nbytes), len(values) * _LEAST_BYTES)
