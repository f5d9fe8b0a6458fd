"""Check a Parquet file before it is sent to a remote warehouse: completeness, kinds of columns, bad rows.

Its kinds are those of merge_rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from millrace.errors import BadObject, unreadable
from millrace.tables import EXTRACTED_AT, INSTANT, Table
from millrace.warehouse import merge_rule
from millrace.warehouse.merge_rule import KINDS, NESTED, NOTHING, Months, months_of
from millrace.warehouse.parquet import ParquetLimits, check, open_file

_ROWS_AT_ONCE = 20_000
_TEXT_BYTES = 16_777_216  # https://docs.snowflake.com/en/sql-reference/data-types-text: a VARCHAR without a length
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
_CANONICAL = {kind: of for of, kind in KINDS.items()}
_SIMPLE: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_null, NOTHING),
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_uint64, "UBIGINT"),
    (pa.types.is_integer, "BIGINT"),
    (pa.types.is_floating, "DOUBLE"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
)


@dataclass(slots=True)
class Content:
    """The content of a file: `columns` are its kinds by name; `bad` counts the rows that fail each check.

    Of the `dated` rows, those with an instant that decides their month, `first_us` and `last_us` are the bounds.
    """

    columns: dict[str, str]
    rows: int = 0
    extracted_at_us: int | None = None
    dated: int = 0
    first_us: int = _LAST_US
    last_us: int = _FIRST_US
    is_canonical: bool = True
    bad: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def months(self) -> Months | None:
        """The months that contain all rows; None where that is not known of one."""
        if not self.rows or self.dated < self.rows:
            return None
        return months_of(_instant(self.first_us), _instant(self.last_us))

    def refuse(self) -> None:
        """Raise BadObject when a row cannot be loaded."""
        for (reason, message), count in self.bad.items():
            if count:
                raise BadObject(reason, f"{count} of {self.rows} rows {message}")


def kind_of(of: pa.DataType) -> str:
    """Return the kind of an Arrow type."""
    if pa.types.is_dictionary(of):
        return kind_of(of.value_type)
    if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of):
        return "VARCHAR"
    if pa.types.is_binary(of) or pa.types.is_large_binary(of) or pa.types.is_fixed_size_binary(of):
        return "BLOB"
    if pa.types.is_decimal(of):
        return f"DECIMAL({of.precision},{of.scale})"
    if pa.types.is_list(of) or pa.types.is_large_list(of):
        return "VARCHAR[]" if kind_of(of.value_type) in ("VARCHAR", NOTHING) else NESTED
    return next((kind for is_it, kind in _SIMPLE if is_it(of)), NESTED)


def read(
    path: Path,
    table: Table,
    caps: ParquetLimits,
    to: Path,
    owner: tuple[str, str] | None = None,
    *,
    is_checked: bool = False,
) -> Content:
    """Read a whole file, and write it again at `to` if one of its types cannot be loaded as it is.

    `owner` is that of the batch; a file that `is_checked` is known to be within the limits. Raises BadObject: what
    `parquet.check` raises, `missing_key`, `unreadable`, and for bad rows `null_key`, `out_of_range`, `foreign` and
    `too_large`.
    """
    if not is_checked:
        check(path, caps)
    try:
        with open_file(path, caps) as file:
            content = Content({column.name: kind_of(column.type) for column in file.schema_arrow})
            merge_rule.require_key(table, content.columns)
            target = _target(file.schema_arrow)
            content.is_canonical = target.equals(file.schema_arrow)
            batches = (
                _counted(batch, table, content, owner) for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False)
            )
            if content.is_canonical:
                for _ in batches:
                    pass
            else:
                with pq.ParquetWriter(to, target, compression="zstd") as writer:
                    for batch in batches:
                        writer.write_batch(_cast(batch, target))
            if content.rows != file.metadata.num_rows:
                raise BadObject(
                    "unreadable", f"expected {file.metadata.num_rows} rows by its footer, got {content.rows}"
                )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise unreadable(error, "no readable Parquet file") from error
    content.refuse()
    return content


def _target(schema: pa.Schema) -> pa.Schema:
    """Return the schema in which the file is loaded; columns without values are left out."""
    kinds = {column.name: kind_of(column.type) for column in schema}
    return pa.schema(
        [
            pa.field(column.name, _CANONICAL.get(kinds[column.name], column.type))
            for column in schema
            if kinds[column.name] != NOTHING
        ]
    )


def _counted(batch: pa.RecordBatch, table: Table, content: Content, owner: tuple[str, str] | None) -> pa.RecordBatch:
    """Add a batch to the counts of the file; Arrow raises when a text in it is not UTF-8."""
    batch.validate(full=True)
    content.rows += batch.num_rows
    given = {name.lower(): name for name in content.columns}
    for name in table.key:
        if name not in table.key_may_be_null:
            without = merge_rule.without_key(table, name)
            _count(content, "null_key", without, batch[given[name.lower()]].null_count)
    for name, value in [owner] if owner else []:
        own = pc.sum(pc.equal(_plain(batch[given[name]]), value)).as_py() or 0
        _count(content, "foreign", merge_rule.of_another_owner(name, value), batch.num_rows - own)
    for name, kind in content.columns.items():
        if kind == "VARCHAR":
            long = pc.sum(pc.greater(pc.binary_length(_plain(batch[name])), _TEXT_BYTES)).as_py() or 0
            _count(content, "too_large", f"have a {name} of more than {_TEXT_BYTES:,} bytes", long)
        if kind == "TIMESTAMP":
            microseconds = _microseconds(batch[name])
            early, late = pc.less(microseconds, _FIRST_US), pc.greater(microseconds, _LAST_US)
            outside = pc.sum(pc.or_(early, late)).as_py() or 0
            _count(content, "out_of_range", merge_rule.out_of_range(name), outside)
            if name.lower() == EXTRACTED_AT and (newest := pc.max(microseconds).as_py()) is not None:
                content.extracted_at_us = max(newest, content.extracted_at_us or newest)
            if name.lower() == table.month_of and (dated := pc.count(microseconds).as_py()):
                content.dated += dated
                content.first_us = min(content.first_us, pc.min(microseconds).as_py())
                content.last_us = max(content.last_us, pc.max(microseconds).as_py())
    return batch


def _count(content: Content, reason: str, message: str, rows: int) -> None:
    content.bad[reason, message] = content.bad.get((reason, message), 0) + rows


def _instant(us: int) -> datetime:
    return datetime(1970, 1, 1) + timedelta(microseconds=us)  # noqa: DTZ001 - UTC, as everywhere in the warehouse


def _microseconds(instants: pa.Array) -> pa.Array:
    """Return instants as microseconds since 1970; finer ones are rounded down, before 1970 too."""
    unit, values = instants.type.unit, instants.cast(pa.int64())
    if unit == "ns":
        return pc.floor(pc.divide(pc.subtract(values, _modulo(values, 1000)), 1000)).cast(pa.int64())
    factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    return pc.multiply_checked(values, factor) if factor > 1 else values


def _modulo(values: pa.Array, by: int) -> pa.Array:
    """Return the remainder of a division that rounds down."""
    rest = pc.subtract(values, pc.multiply(pc.divide(values, by), by))
    return pc.if_else(pc.less(rest, 0), pc.add(rest, by), rest)


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _cast(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column in target:
        values = batch[column.name]
        values = _plain(values)
        if column.type == INSTANT:
            values = _microseconds(values)
        columns.append(values.cast(column.type))
    return pa.RecordBatch.from_arrays(columns, schema=target)
