"""The rows of a dropped text file, NDJSON or CSV, each with the line that it starts on.

The file is untrusted: no line longer than the cap is read, and nothing is repaired or guessed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import pyarrow as pa

from millrace.errors import BadObject
from millrace.tables import COUNT, FLAG, INSTANT, RATIO, TEXT, Table, is_json

_CELL = re.compile(r'"(?P<quoted>[^"]*(?:""[^"]*)*)"(?=,|\Z)|(?P<plain>[^",\r\n]*)(?=,|\Z)')
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_EXPECTED = {COUNT: "an integer", RATIO: "a number", FLAG: "true or false"}
_FLAGS = {"true": True, "false": False}
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

MOST_VALUES = 1_000_000
"""How many values one JSON text may have: a short text of empty lists takes thirty times its size in memory."""

_VALUE_BYTES = 64  # what a value takes in memory besides its text


class TooDeep(ValueError):
    """JSON nested deeper than Python's recursion limit allows; the callers have used a part of it already."""


class TooMany(ValueError):
    """JSON that may have more than MOST_VALUES values."""


@dataclass(frozen=True, slots=True)
class DropCaps:
    """The limits of one dropped file; `depth` is that of nested JSON."""

    file_bytes: int = 2 << 30
    rows: int = 50_000_000
    columns: int = 300
    line_bytes: int = 8 << 20
    depth: int = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file: the fields it has, where it starts, and about how many bytes of memory they take."""

    line: int
    size_bytes: int
    fields: dict[str, object]


def read_ndjson(source: Path, caps: DropCaps) -> Iterator[Row]:
    """Yield the objects of a file with one JSON object per line; BadObject names a line that is not one."""
    with source.open("rb") as file:
        for number, content in _lines(file, caps):
            if text := _decode(content, number).strip():
                yield Row(number, _cost_of(text), _parse_object(text, number, caps))


def read_csv(source: Path, table: Table, caps: DropCaps) -> Iterator[Row]:
    """Yield the rows of an RFC 4180 file with a header line; BadObject names the line that does not fit.

    An empty cell is no value; `""` is the empty text in a text column, and no value in any other. Lists and JSON
    are written as JSON. A cell that looks like a formula is a text like any other.
    """
    with source.open("rb") as file:
        records = _records(file, caps)
        number, _, header = next(records, (1, 0, []))
        names = [_canonical(cell or "", table) for cell in header]
        _check_header(names, number, caps)
        types = [_field(table, name) for name in names]
        line = number
        for number, cost, cells in records:
            if len(cells) != len(names):
                refuse("unreadable", number, f"expected {len(names)} cells as in the header, got {len(cells)}")
            values = zip(names, cells, types, strict=True)
            fields = {name: _cell_value(cell, kind, number) for name, cell, kind in values if cell is not None}
            yield Row(number, cost, {name: value for name, value in fields.items() if value is not None})
        if number == line and not set(names) & set(table.schema.names):  # a file with rows is refused by the load
            refuse("missing_key", line, f"the file has only a header line, and no column of {table.name}")


def refuse(reason: str, line: int, message: str) -> NoReturn:
    """Raise BadObject with the line in its message."""
    raise BadObject(reason, f"line {line}: {message}")


def parse_json(text: str) -> object:
    """Return the value of a JSON text; ValueError also for NaN, a repeated field, absurd depth and numbers."""
    if _values_in(text) > MOST_VALUES and (values := _values_in(_STRING.sub("", text))) > MOST_VALUES:
        raise TooMany(f"expected JSON of at most {MOST_VALUES:,} values, got up to {values:,}")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise TooDeep("it is nested too deep") from None


def _values_in(text: str) -> int:
    """Return the most values that a text can have: each but the first follows a bracket or comma, even in a string."""
    return sum(map(text.count, "[{,"))


def _cost_of(text: str) -> int:
    return len(text) + _VALUE_BYTES * _values_in(text)


def _lines(file: BinaryIO, caps: DropCaps) -> Iterator[tuple[int, bytes]]:
    number = 0
    while content := file.readline(caps.line_bytes + 1):
        number += 1
        if len(content) > caps.line_bytes:
            refuse("too_large", number, f"longer than {caps.line_bytes:,} bytes")
        yield number, content.removeprefix(b"\xef\xbb\xbf") if number == 1 else content


def _decode(content: bytes, line: int) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        refuse("unreadable", line, f"byte {error.start + 1} is not UTF-8")


def _parse_object(text: str, line: int, caps: DropCaps) -> dict[str, object]:
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        refuse("unreadable", line, f"not JSON: {error.msg} at column {error.colno}")
    except TooDeep:
        refuse("too_large", line, f"JSON is nested deeper than {caps.depth}")
    except TooMany as error:
        refuse("too_large", line, str(error))
    except ValueError as error:
        refuse("unreadable", line, f"not acceptable JSON: {error}")
    if not isinstance(value, dict):
        refuse("unreadable", line, f"expected a JSON object, got {type(value).__name__}")
    if len(value) > caps.columns:
        refuse("too_large", line, f"expected at most {caps.columns} fields, got {len(value)}")
    if text.count("{") + text.count("[") > caps.depth and _depth(value) > caps.depth:
        refuse("too_large", line, f"JSON is nested deeper than {caps.depth}")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice!r:.80} comes twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _depth(value: object) -> int:
    """Count the levels of lists and objects, without recursion."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _records(file: BinaryIO, caps: DropCaps) -> Iterator[tuple[int, int, list[str | None]]]:
    """Yield (line, cost, cells); a quoted cell may span several lines. Empty lines are skipped."""
    start, parts, size_bytes, is_open = 0, list[str](), 0, False
    for number, content in _lines(file, caps):
        if not parts:
            start, size_bytes = number, 0
        text = _decode(content, number)
        parts.append(text)
        size_bytes += len(content)
        is_open ^= text.count('"') % 2 == 1
        if size_bytes > caps.line_bytes:
            refuse("too_large", start, f"a record of more than {caps.line_bytes:,} bytes")
        if not is_open:
            record = "".join(parts).removesuffix("\n").removesuffix("\r")
            parts.clear()
            if record:
                yield start, _cost_of(record), _cells(record, start)
    if parts:
        refuse("unreadable", start, "a quote is opened here and never closed")


def _cells(record: str, line: int) -> list[str | None]:
    if '"' not in record and "\r" not in record:
        return [cell or None for cell in record.split(",")]
    cells: list[str | None] = []
    end = -1
    while end < len(record):
        match = _CELL.match(record, end + 1)
        if match is None:
            refuse("unreadable", line, f"cell {len(cells) + 1} is not as of RFC 4180: a stray quote or line break")
        quoted = match["quoted"]
        cells.append(quoted.replace('""', '"') if quoted is not None else match["plain"] or None)
        end = match.end()
    return cells


def _canonical(name: str, table: Table) -> str:
    known = {column.lower(): column for column in table.schema.names}
    return known.get(name.lower(), name) if name.isascii() else name


def _check_header(names: list[str], line: int, caps: DropCaps) -> None:
    if not names:
        refuse("unreadable", line, "the file has no header line")
    if len(names) > caps.columns:
        refuse("too_large", line, f"expected at most {caps.columns} columns, got {len(names)}")
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if not name:
            refuse("column_name", line, f"column {position} of the header has no name")
        if name.lower() in seen:
            refuse("column_name", line, f"column {name!r:.80} comes twice in the header, if in another case")
        seen.add(name.lower())


def _field(table: Table, name: str) -> pa.Field:
    return table.schema.field(name) if name in table.schema.names else pa.field(name, TEXT)


def _cell_value(cell: str, field: pa.Field, line: int) -> object:
    if field.type == TEXT and not is_json(field):
        return cell
    if cell == "":
        return None
    if field.type == INSTANT:
        return cell
    try:
        return _parse_cell(cell, field)
    except TooMany as error:
        refuse("too_large", line, f"column {field.name}: {error}")
    except (ValueError, KeyError):
        expected = "JSON" if is_json(field) else _EXPECTED.get(field.type, "a JSON list of strings")
        refuse("schema", line, f"column {field.name}: expected {expected}, got another text")


def _parse_cell(cell: str, field: pa.Field) -> object:
    if field.type == FLAG:
        return _FLAGS[cell.lower()]
    if field.type == COUNT and _INTEGER.fullmatch(cell):
        return int(cell)
    if field.type == RATIO and _NUMBER.fullmatch(cell):
        return float(cell)
    if field.type in (COUNT, RATIO):
        raise ValueError(cell)
    return parse_json(cell)
