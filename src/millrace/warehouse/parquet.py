"""What is checked of a Parquet file before an engine reads it: that it is one, its sizes, its column names.

The file is untrusted: anybody who may write into the bucket can drop one, and five megabytes of it can say fifty
gigabytes. What the footer says is only the file's word, so the headers of the pages are read as well, and texts that
are kept in a dictionary are counted out. Nothing is held in memory but one page, and a file within the caps is one
that the engine can load in little memory: so a file that is too large is refused once, not tried for ever.
"""

import mmap
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.errors import BadObject, is_of_the_machine, unreadable
from millrace.tables import LOAD_SEQ
from millrace.warehouse import thrift

MOST_NEW_COLUMNS = 50  # that one file may add to its table, so that none uses up the columns of all
_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# https://docs.snowflake.com/en/sql-reference/reserved-keywords: no names of columns.
_OF_SNOWFLAKE = ("current_date", "current_time", "current_timestamp", "current_user", "localtime", "localtimestamp")
_RESERVED = {
    LOAD_SEQ: "which is given by the load alone",
    "rowid": "which is DuckDB's own name for the place of a row",
    **dict.fromkeys(_OF_SNOWFLAKE, "which Snowflake keeps for itself"),
}
_MAGIC = b"PAR1"
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_DELTA_BYTE_ARRAY = 7
_VECTOR_ROWS = 2048  # what DuckDB holds in memory of every column at once
_LEAST_BYTES = 8  # what a value takes once it is spread out, even NULL
_ELEMENT_BYTES = 16  # what an element of a list takes in DuckDB's memory
_BY_DICTIONARY = (2, 8)  # how a page says that it holds places in the dictionary
_ENTRIES_LOOKED_AT = 2_000_000  # of dictionaries, in Python: more of them are left to Arrow
_SURELY_FINE_BYTES = 2 << 30
_CODECS = {0: "none", 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
_SPREAD_OUT = "bytes when each value stands on its own"


@dataclass(frozen=True, slots=True)
class ParquetLimits:
    """The most that one file may hold.

    `uncompressed_bytes` is what its footer says of itself, `expanded_bytes` what all its values come to when each
    stands on its own, not behind a dictionary or a count of repetitions. `page_bytes` is the longest text as well,
    because a page holds whole values; `vector_bytes` is what one column may take within 2,048 rows. `depth` is how far
    columns may be nested.
    """

    rows: int = 50_000_000
    columns: int = 300
    row_groups: int = 50_000
    uncompressed_bytes: int = 20 << 30
    expanded_bytes: int = 4 << 30
    file_bytes: int = 5 << 30
    footer_bytes: int = 16 << 20
    pages: int = 1_000_000
    page_bytes: int = 32 << 20
    vector_bytes: int = 64 << 20
    list_values: int = 16_000_000
    depth: int = 16


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The part of a column that is in one row group, as the footer describes it."""

    column: str
    codec: str | None
    values: int
    page_at: int
    dictionary_at: int | None


@dataclass(frozen=True, slots=True)
class _Page:
    kind: int
    size_bytes: int
    values: int
    encoding: int
    content_at: int
    next_at: int


def check(path: Path, caps: ParquetLimits, ours: str | None = None) -> list[str]:
    """Give the names of the file's columns in its order, without reading more than one page at a time.

    `ours` is a column that the load itself has added. Raises BadObject: `unreadable` (no Parquet file), `too_large`
    (over a cap), `column_name` (a name that is no plain identifier, that is ours or an engine's own, or that differs
    from another one only in case).
    """
    try:
        with open_file(path, caps) as file:
            metadata, names = file.metadata, file.schema_arrow.names
            _require(metadata.num_columns, caps.columns, "columns")
            _require(metadata.num_rows, caps.rows, "rows")
            _require(metadata.num_row_groups, caps.row_groups, "row groups")
            sizes = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            _require(sum(sizes), caps.uncompressed_bytes, "bytes before compression")
            _check_names([name for name in names if name != ours])
            _check_pages(path, metadata, caps)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(error, "no readable Parquet file") from error
    return list(names)


def open_file(path: Path, caps: ParquetLimits) -> pq.ParquetFile:
    """Open a file whose footer is small enough to be read; BadObject, or what Arrow says, when it is not."""
    _require(path.stat().st_size, caps.file_bytes, "bytes")
    with path.open("rb") as raw:
        raw.seek(max(0, path.stat().st_size - 8))
        tail = raw.read()
    if tail.endswith(_MAGIC):
        _require(int.from_bytes(tail[:4], "little"), caps.footer_bytes, "bytes of footer")
    try:
        return pq.ParquetFile(path)
    except UnicodeDecodeError:
        raise _lying("the name of a column is not UTF-8") from None


def rows_of(path: Path, caps: ParquetLimits) -> int | None:
    """Give how many rows a file says it has; None when it does not say so in a way that can be believed.

    Raises TransientError when the machine cannot read it now.
    """
    try:
        with open_file(path, caps) as file:
            metadata = file.metadata
            groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    except BadObject:
        return None
    except (OSError, pa.ArrowException) as error:
        if is_of_the_machine(error):
            raise unreadable(error, "") from error
        return None
    is_credible = min(groups, default=0) >= 0 and sum(groups) == metadata.num_rows
    return int(metadata.num_rows) if is_credible else None


def _require(came: int, cap: int, what: str) -> None:
    if came > cap:
        raise BadObject("too_large", f"the file has {came:,} {what}; at most {cap:,} are accepted")


def _check_names(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not _SAFE_NAME.fullmatch(name):
            expected = "expected a letter or _, then letters, digits or _, 63 at most"
            raise BadObject("column_name", f"column {name!r:.80} came, {expected}")
        if name.lower() in _RESERVED:
            raise BadObject("column_name", f"column {name} came, {_RESERVED[name.lower()]}: give it another name")
        if name.lower() in seen:
            raise BadObject("column_name", f"columns {seen[name.lower()]} and {name} differ at most in case")
        seen[name.lower()] = name


def _check_pages(path: Path, metadata: pq.FileMetaData, caps: ParquetLimits) -> None:
    """Add up what the values come to: by the headers of the pages, and by the texts that a dictionary repeats."""
    total_bytes = at_most_bytes = 0
    repeating: list[str] = []
    pages_left, entries_left = caps.pages, _ENTRIES_LOOKED_AT
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for chunk, column in _chunks(content, metadata, caps):
            pages = list(_pages(content, chunk, caps, pages_left))
            pages_left -= len(pages)
            is_text = column.physical_type == "BYTE_ARRAY"
            if column.max_repetition_level > 0:
                _require(chunk.values, caps.list_values, "values of lists in one row group")
                if chunk.values * _ELEMENT_BYTES > caps.vector_bytes:
                    repeating.append(chunk.column)
            total_bytes += sum(page.values for page in pages) * max(_LEAST_BYTES, column.length or 0)
            total_bytes += sum(page.size_bytes for page in pages if is_text or page.kind == _DICTIONARY)
            _require(total_bytes, caps.expanded_bytes, _SPREAD_OUT)
            if is_text:
                _check_vectors(chunk.column, pages, caps)
                entries_left -= sum(page.values for page in pages if page.kind == _DICTIONARY)
                longest = _longest(content, pages, chunk.codec if entries_left > 0 else None)
                repeated = sum(
                    page.values for page in pages if page.kind != _DICTIONARY and page.encoding in _BY_DICTIONARY
                )
                at_most_bytes += repeated * longest
                if min(repeated, _VECTOR_ROWS) * longest > caps.vector_bytes or at_most_bytes > _SURELY_FINE_BYTES:
                    repeating.append(chunk.column)
    _check_repeated(path, list(dict.fromkeys(repeating)), caps, total_bytes)


def _chunks(
    content: mmap.mmap, metadata: pq.FileMetaData, caps: ParquetLimits
) -> Iterator[tuple[_Chunk, pq.ColumnSchema]]:
    """Give each chunk with its column, as long as the footer does not contradict itself."""
    counts = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    _require(len(counts) * metadata.num_columns, caps.pages, "column chunks")
    if min(counts, default=0) < 0 or sum(counts) != metadata.num_rows:
        raise _lying("its row groups do not add up to its rows")
    columns = [metadata.schema.column(index) for index in range(metadata.num_columns)]
    for column in columns:
        _require(column.path.count(".") + 1, caps.depth, "levels of nesting")
    footer = content[len(content) - 8 - int.from_bytes(content[-8:-4], "little") : len(content) - 8]
    try:
        groups = [(began, rows) for (_, began, _), rows in zip(thrift.read_lists(footer, 0, 4), counts, strict=True)]
        for began, rows in groups:
            for (fields, _, _), column in zip(thrift.read_lists(footer, began, 1), columns, strict=True):
                chunk = _to_chunk(fields, column.path)
                if column.max_repetition_level == 0 and chunk.values != rows:
                    raise _lying(f"column {column.path!r:.80} has not one value a row")
                yield chunk, column
    except (IndexError, ValueError):
        raise _lying("its footer says nonsense of its columns") from None


def _to_chunk(fields: thrift.Fields, column: str) -> _Chunk:
    """Read https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift: ColumnMetaData."""
    told = fields.get(3)
    if not isinstance(told, dict):
        raise ValueError(3)
    dictionary_at = thrift.number(told, 11, bits=62) if 11 in told else None
    codec = _CODECS.get(thrift.number(told, 4))
    return _Chunk(column, codec, thrift.number(told, 5, 62), thrift.number(told, 9, 62), dictionary_at or None)


def _pages(content: mmap.mmap, chunk: _Chunk, caps: ParquetLimits, most: int) -> Iterator[_Page]:
    """Walk from page to page, as a reader does, until the chunk's values have come."""
    at, left = chunk.dictionary_at or chunk.page_at, chunk.values
    if left and not 4 <= at <= chunk.page_at:
        raise _lying("a column does not begin with its dictionary")
    while left > 0:
        page = _page(content, at, chunk.column)
        at = page.next_at
        most -= 1
        if most < 0:
            raise BadObject("too_large", f"the file has more than {caps.pages:,} pages")
        if page.size_bytes > caps.page_bytes:
            came = f"column {chunk.column!r:.80} has a page of {page.size_bytes:,} bytes"
            raise BadObject("too_large", f"{came}; at most {caps.page_bytes:,} are accepted, for a value or a page")
        if page.encoding == _DELTA_BYTE_ARRAY:
            came = f"column {chunk.column!r:.80} is written as DELTA_BYTE_ARRAY"
            raise BadObject("unreadable", f"{came}, whose size cannot be known; write it as PLAIN or with a dictionary")
        yield page
        left -= page.values if page.kind in (_DATA, _DATA_V2) else 0
    if left < 0:
        raise _lying(f"column {chunk.column!r:.80} has more values than the footer says")


def _check_vectors(column: str, pages: list[_Page], caps: ParquetLimits) -> None:
    """Refuse texts of which too much would be in memory at once: 2,048 values and the pages that they are in."""
    window: deque[_Page] = deque()
    values = size_bytes = 0
    for page in pages:
        if page.kind == _DICTIONARY:
            continue
        window.append(page)
        values, size_bytes = values + page.values, size_bytes + page.size_bytes
        while values - window[0].values >= _VECTOR_ROWS:
            first = window.popleft()
            values, size_bytes = values - first.values, size_bytes - first.size_bytes
        _require_vector(column, size_bytes, caps)


def _longest(content: mmap.mmap, pages: list[_Page], codec: str | None) -> int:
    """Give the bytes of the longest text of a dictionary, or the size of all when it is not looked into."""
    page = next((page for page in pages if page.kind == _DICTIONARY), None)
    if page is None:
        return 0
    stored = content[page.content_at : page.next_at]
    if codec is None:
        return page.size_bytes
    if codec != "none":
        stored = pa.decompress(stored, page.size_bytes, codec, asbytes=True)
    longest = at = 0
    while at < len(stored):
        length = int.from_bytes(stored[at : at + 4], "little")
        longest, at = max(longest, length), at + 4 + length
    return longest


def _check_repeated(path: Path, columns: list[str], caps: ParquetLimits, total_bytes: int) -> None:
    """Count out the texts behind the dictionaries, which stay dictionaries meanwhile."""
    if not columns:
        return
    with pq.ParquetFile(path, read_dictionary=columns) as file:
        for column, group in product(columns, range(file.num_row_groups)):
            for batch in file.iter_batches(_VECTOR_ROWS, row_groups=[group], columns=[column], use_threads=False):
                size_bytes = _text_bytes(batch.column(0))
                _require_vector(column, size_bytes, caps)
                total_bytes += size_bytes
                _require(total_bytes, caps.expanded_bytes, _SPREAD_OUT)


def _text_bytes(values: pa.Array) -> int:
    """Give the bytes of all texts in an array, however deep they lie in lists and structs."""
    if pa.types.is_dictionary(values.type):
        lengths = pc.take(pc.binary_length(values.dictionary), values.indices)
        return int(pc.sum(lengths, min_count=0).as_py())
    if pa.types.is_struct(values.type):
        return sum(_text_bytes(values.field(i)) for i in range(values.type.num_fields))
    if pa.types.is_map(values.type):
        return _text_bytes(values.keys) + _text_bytes(values.items)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        elements = values.flatten()
        return len(elements) * _ELEMENT_BYTES + _text_bytes(elements)
    return int(values.nbytes)


def _require_vector(column: str, size_bytes: int, caps: ParquetLimits) -> None:
    if size_bytes > caps.vector_bytes:
        came = f"column {column!r:.80} has {size_bytes:,} bytes within {_VECTOR_ROWS:,} rows"
        raise BadObject("too_large", f"{came}; at most {caps.vector_bytes:,} are accepted")


def _page(content: mmap.mmap, at: int, column: str) -> _Page:
    """Read the header of the page that begins at `at`.

    https://parquet.apache.org/docs/file-format/metadata/#page-header
    """
    for length in (256, 1 << 16, 16 << 20):  # a header may hold the least and the greatest value of its page
        try:
            header, used = thrift.read_struct(content[at : at + length], 0)
            return _to_page(header, at + used)
        except IndexError:
            continue
        except ValueError:
            break
    raise _lying(f"column {column!r:.80} has a page without a readable header")


def _to_page(header: thrift.Fields, content_at: int) -> _Page:
    kind, size_bytes, stored_bytes = (thrift.number(header, field) for field in (1, 2, 3))
    inner = header.get({_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}.get(kind, 0))
    values = encoding = 0
    if kind in (_DATA, _DICTIONARY, _DATA_V2):
        if not isinstance(inner, dict):
            raise ValueError(kind)
        values, encoding = thrift.number(inner, 1), thrift.number(inner, 4 if kind == _DATA_V2 else 2)
    return _Page(kind, size_bytes, values, encoding, content_at, content_at + stored_bytes)


def _lying(what: str) -> BadObject:
    return BadObject("unreadable", f"no readable Parquet file: {what}")
