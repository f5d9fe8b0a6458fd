"""Reading a list until it is complete, although its order may change between two pages.

If each page is cut from a new shuffle, the list has the right *number* of rows while a third of them is missing and
another third is there twice. So the number of *different keys* decides: the list is read again, and only unseen rows
are passed on, until there are as many as the source reports. A list that repeats a key for good (a commit that was
amended) is recognised by its order: two passes with the same keys in the same order prove that the list is stable, and
then the repetition is the source's own.
"""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.errors import Incomplete, UnexpectedResponse
from millrace.tables import Table

Row = dict[str, Any]
MAX_PASSES = 40
_EQUAL_PASSES = 3  # in a row: the list does not change, so more passes cannot find the missing rows
_BUCKETS = 16


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and the source's total for the whole list (None: not given)."""

    rows: list[Row]
    total: int | None


@dataclass(slots=True)
class Completeness:
    """The state of reading a list: its total, and how many of its rows repeat another row's key."""

    total: int = 0
    repeated: int = 0


def read_until_complete(
    new_pass: Callable[[], Iterator[Page]], table: Table, place: str, is_stable: bool = False
) -> Iterator[tuple[list[Row], Completeness]]:
    """Yield every row of a list, page by page, each with the state so far; the last state is final.

    `new_pass` starts to read the list from its first page. Rows whose key the list repeats for good are yielded too.
    With `is_stable` (the source guarantees one order) the first pass is checked with 8 bytes a row instead of a set.
    Raises Incomplete, and UnexpectedResponse for a row without its key.
    """
    seen: set[int] | None = None if is_stable else set()
    last: array[int] | None = None
    quiet = equal = 0
    for number in range(1, MAX_PASSES + 1):
        order: array[int] = array("q")
        total: int | None = None
        new = 0
        for page in new_pass():
            total = page.total
            hashes = _key_hashes(page.rows, table, place)
            order.extend(hashes)
            fresh = page.rows if seen is None else _unseen(page.rows, hashes, seen)
            new += len(fresh)
            yield fresh, Completeness(total or 0)
        if seen is None:
            distinct = _count_distinct(order)
            if distinct != total:
                seen = set(order)
        else:
            distinct = len(seen)
        if total is not None and distinct >= total:
            yield [], Completeness(distinct)
            return
        quiet = 0 if new or number == 1 else quiet + 1
        equal = equal + 1 if order == last else 1
        if equal > 1 and (total is None or len(order) == total):
            if not is_stable and len(order) > distinct:
                yield from _repetitions(new_pass, table, place)
            yield [], Completeness(len(order), len(order) - distinct)
            return
        if total is None and quiet == 2:
            yield [], Completeness(distinct)
            return
        if equal == _EQUAL_PASSES:
            break
        last = order
    raise Incomplete(
        f"{place}: the source says that it has {total} rows, but {number} readings gave {distinct} different ones; "
        "run again, and if it stays so the source's count or paging is broken"
    )


def _repetitions(
    new_pass: Callable[[], Iterator[Page]], table: Table, place: str
) -> Iterator[tuple[list[Row], Completeness]]:
    """Yield the rows of a stable list whose key an earlier row has: one of them may be the newest version."""
    seen: set[int] = set()
    for page in new_pass():
        hashes = _key_hashes(page.rows, table, place)
        first = {id(row) for row in _unseen(page.rows, hashes, seen)}
        yield [row for row in page.rows if id(row) not in first], Completeness(page.total or 0)


def _unseen(rows: list[Row], hashes: list[int], seen: set[int]) -> list[Row]:
    fresh = []
    for row, each in zip(rows, hashes, strict=True):
        if each not in seen:
            seen.add(each)
            fresh.append(row)
    return fresh


def _key_hashes(rows: list[Row], table: Table, place: str) -> list[int]:
    """Return a hash of each row's key."""
    # Two keys with one hash make a complete list look incomplete, never the reverse.
    for name in table.key:
        if name not in table.key_may_be_null and any(row.get(name) is None for row in rows):
            raise UnexpectedResponse(f"{place}: a row without {name}, which is part of the key of {table.name}")
    try:
        return [hash(tuple([row.get(name) for name in table.key])) for row in rows]
    except TypeError:
        raise UnexpectedResponse(f"{place}: a row whose {' or '.join(table.key)} is no plain value") from None


def _count_distinct(hashes: "array[int]") -> int:
    """Count different values, a part of them at a time, so that memory stays close to the array's size."""
    values = pa.Array.from_buffers(pa.int64(), len(hashes), [None, pa.py_buffer(hashes)])
    bucket = pc.bit_wise_and(values, _BUCKETS - 1)
    return sum(len(pc.unique(values.filter(pc.equal(bucket, number)))) for number in range(_BUCKETS))
