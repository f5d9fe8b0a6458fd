"""Check a Parquet file before an engine reads it: its sizes, its columns, and the values in it.

The file is untrusted: anybody who may write into the bucket can drop one, and five megabytes of it can say fifty
gigabytes. So a child process reads it first, footer included, within limits of memory and time (`inspection`). A file
within the limits is one that the engine can load in little memory. Only files that this project wrote itself are
opened here.
"""

import contextlib
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.errors import BadObject, unreadable
from millrace.tables import LOAD_SEQ
from millrace.warehouse import inspection

_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# https://docs.snowflake.com/en/sql-reference/reserved-keywords: no names of columns.
_OF_SNOWFLAKE = ("current_date", "current_time", "current_timestamp", "current_user", "localtime", "localtimestamp")
_RESERVED = {
    LOAD_SEQ: "which is given by the load alone",
    "rowid": "which is DuckDB's own name for the place of a row",
    **dict.fromkeys(_OF_SNOWFLAKE, "which Snowflake keeps for itself"),
}
_MAGIC = b"PAR1"
_READ_BYTES = 1 << 16  # of a column at once: a column of gigabytes is not read as a whole
_EXTRACTED_AT = b"millrace.extracted_at"
_MOST_NAME = 100  # characters of an answer: a longer name or time is invalid


@dataclass(frozen=True, slots=True)
class ParquetLimits:
    """The most that one file may hold, and that its check may take.

    `uncompressed_bytes` is the size in its footer, `expanded_bytes` the size of all its values when each stands on its
    own, not behind a dictionary or a count of repetitions. `vector_bytes` is what one column may take within 2,048
    rows, so also the longest text. `depth` is how far columns may be nested, `chunks` are columns times row groups.
    `memory_bytes` is the resident memory of the process that checks it: with DuckDB's 800 MB, a quarter of the 2 GiB
    of the load function (terraform/load.tf). `cpu_s` is its processor time.
    """

    rows: int = 50_000_000
    columns: int = 300
    row_groups: int = 50_000
    uncompressed_bytes: int = 20 << 30
    expanded_bytes: int = 4 << 30
    file_bytes: int = 5 << 30
    footer_bytes: int = 16 << 20
    chunks: int = 1_000_000
    vector_bytes: int = 64 << 20
    list_values: int = 16_000_000
    depth: int = 16
    memory_bytes: int = 512 << 20
    cpu_s: int = 120


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is known of a file within the limits; `extracted_at` is None when its metadata has no valid time."""

    columns: tuple[str, ...]
    extracted_at: datetime | None


def inspect(path: Path, limits: ParquetLimits, *, is_own: bool = False) -> Inspected:
    """Check a file; of one that `is_own`, that a function of this project wrote, only the footer is read.

    Raises BadObject: `unreadable` (no Parquet file), `too_large` (over a limit), `column_name` (a name that is no plain
    identifier, that is ours or an engine's own, or that differs from another one only in case); and TransientError.
    """
    answer = _read_own(path, limits) if is_own else _ask("whole", path, limits)
    _check_names(answer["columns"])
    return Inspected(tuple(answer["columns"]), _moment(answer["extracted_at"]))


def check(path: Path, limits: ParquetLimits) -> tuple[str, ...]:
    """Check a file that is not our own, and return the names of its columns in its order; raises as `inspect` does."""
    return inspect(path, limits).columns


def _moment(claim: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(claim or "")
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)  # without a zone it is UTC, on any machine
    except (ValueError, OverflowError):
        return None


def rows_of(path: Path, limits: ParquetLimits) -> int | None:
    """Return how many rows a file says it has; None when it does not say so in a way that can be believed.

    Raises TransientError when the machine cannot read it now.
    """
    if not _tail(path).endswith(_MAGIC):
        return None
    try:
        rows: int | None = _ask("rows", path, limits)["rows"]
    except BadObject:
        return None
    return rows


def sample(path: Path, limits: ParquetLimits) -> list[str]:
    """Return lines of text: the columns, then the first rows of a file that can be read; BadObject without columns."""
    lines: list[str] = _ask("columns", path, limits)["lines"]
    with contextlib.suppress(BadObject):
        lines += _ask("first rows", path, limits)["lines"]
    return lines


def _ask(what: str, path: Path, limits: ParquetLimits) -> dict[str, Any]:
    request = {"what": what, "path": str(path.absolute()), "limits": asdict(limits)}
    return inspection.ask(request, limits.memory_bytes, limits.cpu_s)


def _read_own(path: Path, limits: ParquetLimits) -> dict[str, Any]:
    try:
        with open_file(path, limits) as file:
            check_footer(file, limits)
            return facts(file)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(error, "no readable Parquet file") from error


def open_file(path: Path, limits: ParquetLimits) -> pq.ParquetFile:
    """Open a file whose footer is small enough to be read; BadObject, or what Arrow raises, when it is not.

    Only the child opens a file that it has not checked yet.
    """
    require(path.stat().st_size, limits.file_bytes, "bytes")
    tail = _tail(path)
    if tail.endswith(_MAGIC):
        require(int.from_bytes(tail[:4], "little"), limits.footer_bytes, "bytes of footer")
    try:
        return pq.ParquetFile(path, buffer_size=_READ_BYTES)
    except UnicodeDecodeError:
        raise lying("the name of a column is not UTF-8") from None


def facts(file: pq.ParquetFile) -> dict[str, object]:
    """Return what the footer has of a file: `columns` and `extracted_at`, cut where they cannot be valid."""
    claim = (file.metadata.metadata or {}).get(_EXTRACTED_AT)
    return {
        "columns": [name[:_MOST_NAME] for name in file.schema_arrow.names],
        "extracted_at": claim[:_MOST_NAME].decode(errors="replace") if claim is not None else None,
    }


def rows_in(metadata: pq.FileMetaData) -> int | None:
    """Return the number of rows in a footer; None when its row groups have others."""
    counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return metadata.num_rows if min(counts, default=0) >= 0 and sum(counts) == metadata.num_rows else None


def check_footer(file: pq.ParquetFile, limits: ParquetLimits) -> None:
    """Raise BadObject when the footer exceeds a limit, or contradicts itself."""
    metadata = file.metadata
    require(metadata.num_columns, limits.columns, "columns")
    require(metadata.num_rows, limits.rows, "rows")
    require(metadata.num_row_groups, limits.row_groups, "row groups")
    require(metadata.num_row_groups * metadata.num_columns, limits.chunks, "column chunks")
    sizes = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    require(sum(sizes), limits.uncompressed_bytes, "bytes before compression")
    if rows_in(metadata) is None:
        raise lying("its row groups do not add up to its rows")
    for index in range(metadata.num_columns):
        require(file.schema.column(index).path.count(".") + 1, limits.depth, "levels of nesting")


def require(value: int, limit: int, what: str) -> None:
    """Raise BadObject when a value is over its limit."""
    if value > limit:
        raise BadObject("too_large", f"the file has {value:,} {what}; at most {limit:,} are accepted")


def lying(what: str) -> BadObject:
    """Return the error for a file whose parts contradict each other."""
    return BadObject("unreadable", f"no readable Parquet file: {what}")


def _tail(path: Path) -> bytes:
    with path.open("rb") as raw:
        raw.seek(max(0, path.stat().st_size - 8))
        return raw.read(8)


def _check_names(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not _SAFE_NAME.fullmatch(name):
            expected = "a letter or _, then letters, digits or _, 63 at most"
            raise BadObject("column_name", f"column {name!r:.80}: expected {expected}")
        if name.lower() in _RESERVED:
            raise BadObject(
                "column_name", f"column {name} is not accepted, {_RESERVED[name.lower()]}: give it another name"
            )
        if name.lower() in seen:
            raise BadObject("column_name", f"columns {seen[name.lower()]} and {name} differ at most in case")
        seen[name.lower()] = name
