"""What is needed of Thrift's compact protocol to read the headers that a Parquet file says of itself.

In Python, because Arrow ends the process over some footers that say nonsense of a column. Reading past the end raises
IndexError, nonsense ValueError. https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Iterator

_LIST, _STRUCT = (9, 10), 12
_MOST_DEPTH = 8

Fields = dict[int, object]


def read_struct(data: bytes, at: int, depth: int = 0) -> tuple[Fields, int]:
    """Give the numbers and structs of a struct by field, and where it ends; its texts and lists are passed over."""
    fields: Fields = {}
    field = 0
    while head := data[at]:
        field, kind, at = _field(data, at, head, field)
        value, at = _value(data, at, kind, depth)
        if value is not None:
            fields[field] = value
    return fields, at + 1


def read_lists(data: bytes, at: int, wanted: int) -> Iterator[tuple[Fields, int, int]]:
    """Give each struct of the list that is the field `wanted` of a struct: its fields, where it begins and ends."""
    field = 0
    while head := data[at]:
        field, kind, at = _field(data, at, head, field)
        if field != wanted or kind not in _LIST:
            _, at = _value(data, at, kind, 0)
            continue
        of, count, at = _list(data, at)
        if of != _STRUCT and count:
            raise ValueError(of)
        for _ in range(count):
            began = at
            fields, at = read_struct(data, at)
            yield fields, began, at


def number(fields: Fields, field: int, bits: int = 31) -> int:
    """Give a number that must be there and cannot be negative."""
    value = fields.get(field)
    if not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise ValueError(field)
    return value


def _field(data: bytes, at: int, head: int, last: int) -> tuple[int, int, int]:
    at += 1
    if head >> 4:
        return last + (head >> 4), head & 15, at
    field, at = _zigzag(data, at)
    return field, head & 15, at


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[object, int]:
    if kind in (1, 2):  # true, false
        return None, at
    if kind in (4, 5, 6):  # integers of 16, 32 and 64 bits
        return _zigzag(data, at)
    if kind == 8:  # a text
        length, at = _varint(data, at)
        return None, at + length
    if kind == _STRUCT and depth < _MOST_DEPTH:
        return read_struct(data, at, depth + 1)
    if kind in _LIST and depth < _MOST_DEPTH:
        of, count, at = _list(data, at)
        for _ in range(count):
            _, at = (None, at + 1) if of in (1, 2, 3) else _value(data, at, of, depth + 1)
            if at > len(data):
                raise IndexError(at)
        return None, at
    if kind in (3, 7):  # a byte, a double
        return None, at + (1 if kind == 3 else 8)
    raise ValueError(kind)


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    head = data[at]
    if head >> 4 < 15:
        return head & 15, head >> 4, at + 1
    count, at = _varint(data, at + 1)
    return head & 15, count, at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError("a number that does not end")
