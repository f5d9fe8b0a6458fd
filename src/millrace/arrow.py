"""Conversion of rows of JSON into an Arrow batch with the schema of their table.

Pages of the extract functions and dropped files are both converted here, so the same JSON means the same in both.
Nothing is guessed and nothing gets lost:

* a value keeps its type: `true` is not 1, `"5"` is not 5, `5.0` is not an integer; a RATIO may be an integer
* a timestamp is RFC 3339 with any offset, cut to the microsecond; without an offset it is UTC
* a field that the table does not have, and a known field with an explicit null, are kept in `_extra`
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.compute as pc

from millrace.tables import COUNT, EXTRA, EXTRACTED_AT, FLAG, INSTANT, RATIO, RUN_ID, TEXT, TEXTS, Table, is_json

_ACCEPTED: dict[pa.DataType, tuple[frozenset[type], str]] = {
    TEXT: (frozenset((str, type(None))), "a string"),
    COUNT: (frozenset((int, type(None))), "an integer of at most 64 bits"),
    RATIO: (frozenset((float, int, type(None))), "a finite number"),
    FLAG: (frozenset((bool, type(None))), "true or false"),
    INSTANT: (frozenset((str, type(None))), "a timestamp as of RFC 3339"),
    TEXTS: (frozenset((list, type(None))), "a list of strings"),
}
_JSON_NAMES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    float: "a number with a fraction",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_ARROW_ERRORS = (pa.ArrowException, OverflowError, UnicodeEncodeError)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


class RowError(ValueError):
    """A row does not match its table's entry in the registry; `row` counts from 0."""

    def __init__(self, row: int, column: str, got: str, expected: str) -> None:
        super().__init__(f"row {row}, column {column}: expected {expected}, got {got}")
        self.row, self.column, self.got, self.expected = row, column, got, expected


def to_batch(
    rows: list[dict[str, object]], table: Table, extracted_at: datetime | None, run_id: str | None
) -> pa.RecordBatch:
    """Return the rows as one batch in `table.schema`, in their order; RowError names the value that does not fit.

    `_extra` is NULL for a row whose typed columns hold everything. Every row gets the same `extracted_at` and `run_id`.
    """
    columns = [to_column([row.get(field.name) for row in rows], field) for field in table.columns]
    extra = table.schema.field(EXTRA)
    columns.append(_to_arrow(_extras(rows, frozenset(table.columns.names)), extra))
    columns.append(pa.repeat(pa.scalar(extracted_at, table.schema.field(EXTRACTED_AT).type), len(rows)))
    columns.append(pa.repeat(pa.scalar(run_id, table.schema.field(RUN_ID).type), len(rows)))
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def to_column(values: list[object], field: pa.Field) -> pa.Array:
    """Return one column's values as an array of the field's type; RowError names the first that does not fit."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), field.type)
    if is_json(field):
        return _to_arrow(_json_texts(values, field.name), field)
    accepted, expected = _ACCEPTED[field.type]
    if not accepted.issuperset(map(type, values)):
        row = next(i for i, value in enumerate(values) if type(value) not in accepted)
        raise RowError(row, field.name, _describe(values[row]), expected)
    if field.type == INSTANT:
        return _instants(values, field)
    if field.type == TEXTS:
        _require_strings(values, field)
    array = _to_arrow(values, field)
    if field.type == RATIO and not pc.all(pc.is_finite(array)).as_py():
        row = pc.index(pc.is_finite(array), False).as_py()
        raise RowError(row, field.name, repr(values[row]), expected)
    return array


def _to_arrow(values: Sequence[object], field: pa.Field) -> pa.Array:
    try:
        return pa.array(values, field.type)
    except _ARROW_ERRORS as error:
        if isinstance(error, MemoryError):
            raise
        row = next(i for i, value in enumerate(values) if not _fits(value, field))
        raise RowError(row, field.name, _describe(values[row]), _ACCEPTED[field.type][1]) from None


def _fits(value: object, field: pa.Field) -> bool:
    try:
        pa.array([value], field.type)
    except _ARROW_ERRORS as error:
        if isinstance(error, MemoryError):
            raise
        return False
    return True


def _require_strings(values: list[object], field: pa.Field) -> None:
    for row, value in enumerate(values):
        for item in value if isinstance(value, list) else ():
            if type(item) is not str and item is not None:
                raise RowError(row, field.name, f"a list with {_describe(item)}", _ACCEPTED[TEXTS][1])


def _json_texts(values: Iterable[object], column: str) -> list[str | None]:
    texts: list[str | None] = []
    for row, value in enumerate(values):
        try:
            texts.append(None if value is None else _encode(value))
        except (ValueError, TypeError, RecursionError) as error:
            raise RowError(row, column, f"a value that is not JSON ({error})", "a JSON value") from None
    return texts


def _extras(rows: list[dict[str, object]], known: frozenset[str]) -> list[str | None]:
    """Return for each row the JSON of the values that the typed columns cannot hold."""
    noted: list[dict[str, object] | None] = []
    for row in rows:
        if known.issuperset(row) and None not in row.values():
            noted.append(None)
        else:
            noted.append({name: row[name] for name in row if row[name] is None or name not in known})
    return _json_texts(noted, EXTRA)


def _instants(values: list[object], field: pa.Field) -> pa.Array:
    """Parse in Arrow to the nanosecond; if Arrow refuses (year 1, no offset), parse each value in Python."""
    try:
        nanoseconds = pa.array(values, TEXT).cast(pa.timestamp("ns", tz="UTC"))
    except _ARROW_ERRORS as error:
        if isinstance(error, MemoryError):
            raise
        return pa.array([_instant(value, row, field) for row, value in enumerate(values)], INSTANT)
    # A cast truncates towards 1970, so an instant before 1970 would be one microsecond late.
    return pc.floor_temporal(nanoseconds.cast(pa.timestamp("ns")), unit="microsecond").cast(INSTANT)


def _instant(value: object, row: int, field: pa.Field) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_instant(str(value))
    except ValueError:
        raise RowError(row, field.name, repr(value)[:60], _ACCEPTED[INSTANT][1]) from None


def parse_instant(text: str) -> datetime:
    """Return the UTC instant of an RFC 3339 timestamp, cut to the microsecond; ValueError for any other text."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.60} is not a timestamp as of RFC 3339")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    zone = UTC
    if sign:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
        zone = timezone(-offset if sign == "-" else offset)
    leap_s = 1 if second == 60 else 0  # Unix time has no leap second: use the next second
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    local = datetime(year, month, day, hour, minute, second - leap_s, microsecond, tzinfo=zone)
    try:
        return local.astimezone(UTC) + timedelta(seconds=leap_s)
    except OverflowError:
        raise ValueError(f"{text!r:.60} is not in the years 1 to 9999") from None


def _describe(value: object) -> str:
    """Return the kind of a JSON value, or a number itself."""
    # Never the text: it may be an e-mail address.
    if type(value) is int or type(value) is float:
        return repr(value)[:60]
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= mark <= "\udfff" for mark in value):
        return "a string with half a surrogate pair"
    return _JSON_NAMES.get(type(value), type(value).__name__)
