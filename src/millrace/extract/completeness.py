"""Reading a list until it is complete, although its order may change between two pages.

If each page is cut from a new shuffle, the list has the right *number* of rows while a third of them is missing and
another third is there twice. So the number of *different keys* decides: the list is read again, and only unseen rows
are passed on, until there are as many as the source reports. A list that repeats a key for good (a commit that was
amended) is recognised by its order: two passes with the same keys in the same order prove that the list is stable.

A stable list is also what a server sends that ignores the page it is asked for, or a cache in front of it. So a page
with the keys of an earlier page in their order ends its pass: it is no page. And a repetition is the source's own only
where the row differs from those of earlier pages with its key (another version), where it is on the same page as the
other (one response has both), or where such copies are at most one row in a hundred and no whole page: that many a
source may have stored twice, while a page that was sent in the place of another repeats all of its rows.

A reading can pause between two pages and continue in another process. Its keys are kept with it, so a pause is no more
than a slow request: what moved meanwhile is found as it is without a pause.
"""

import base64
import hashlib
import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from millrace.errors import Incomplete, UnexpectedResponse
from millrace.tables import Table

Row = dict[str, Any]
Held = Mapping[str, Any]
"""The state of a paused reading, as fields of a JSON object."""
Position = Mapping[str, Any]
"""Where a pass continues, as fields of a JSON object."""
MAX_PASSES = 40
_EQUAL_PASSES = 3  # in a row: the list does not change, so more passes cannot find the missing rows
_MOST_COPIES = 0.01  # of the rows of a list
_MOST_BARREN = 100  # pages in a row without a key that is new in their pass, where no total says where a list ends
_BUCKETS = 16
_PLAIN = (str, int, float, type(None))


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, the source's total for the whole list, and where the next page begins.

    `total` None: not given. `after` None: this was the last page of the pass.
    """

    rows: list[Row]
    total: int | None
    after: Position | None = None


NewPass = Callable[[Position | None], Iterator[Page]]
"""Starts to read a list from a position (None: from its first page)."""


class ListReading:
    """One reading of one list. Iterate `rows`; then `total` is the number of its rows, `repeated` of them with the key
    of another row.

    With `is_stable` (the source guarantees one order) the first pass is checked with 8 bytes a row instead of a set.
    `held` is the state in which an earlier reading of the same list paused.
    """

    def __init__(
        self, new_pass: NewPass, table: Table, place: str, is_stable: bool = False, held: Held | None = None
    ) -> None:
        self.total = 0
        self.repeated = 0
        self._new_pass = new_pass
        self._table = table
        self._place = place
        self._is_stable = is_stable
        self._number = 1
        self._position: Position | None = None
        self._is_pass_over = False
        self._order: array[int] = array("q")
        self._sizes: array[int] = array("q")  # of the pages in this order
        self._contents: array[int] = array("q")  # of the rows in this order, from the second pass on
        self._last: array[int] | None = None
        self._seen: set[int] | None = None if is_stable else set()
        self._claimed: int | None = None  # the source's total, on the newest page
        self._new = self._quiet = 0
        self._equal = 1
        self._again = 0  # rows read to find those that repeat a key
        self._first: set[int] | None = None  # keys whose first row was met; not None: rows that repeat a key are read
        if held is not None:
            self._continue(held)

    def rows(self) -> Iterator[list[Row]]:
        """Yield every row, page by page, also those whose key the list repeats for good.

        Raises Incomplete, and UnexpectedResponse for a row without its key.
        """
        while self._first is None:
            yield from self._pass()
            if self._is_decided():
                return
        yield from self._repetitions(self._first)

    @property
    def claimed(self) -> int:
        """The source's total on the newest page; 0 where it gives none."""
        return self._claimed or 0

    @property
    def pages(self) -> int:
        """The number of pages of the newest pass that have rows."""
        return sum(size > 0 for size in self._sizes)

    def unknown_in(self, rows: list[Row]) -> int:
        """Return how many of the rows have a key that the newest pass did not give."""
        left = set(_key_hashes(rows, self._table, self._place))
        left.difference_update(self._order)
        return len(left)

    def held(self) -> dict[str, Any]:
        """Return the state after the rows that were yielded so far."""
        return {
            "number": self._number,
            "position": self._position,
            "is_pass_over": self._is_pass_over,
            "order": _packed(self._order),
            "sizes": _packed(self._sizes),
            "contents": _packed(self._contents),
            "again": self._again,
            "last": None if self._last is None else _packed(self._last),
            "seen": None if self._seen is None else _packed(self._seen),
            "claimed": self._claimed,
            "new": self._new,
            "quiet": self._quiet,
            "equal": self._equal,
            "first": None if self._first is None else _packed(self._first),
        }

    def _continue(self, held: Held) -> None:
        self._number, self._position, self._is_pass_over = held["number"], held["position"], held["is_pass_over"]
        self._order, self._sizes = _unpacked(held["order"]), _unpacked(held.get("sizes", ""))
        self._contents, self._again = _unpacked(held.get("contents", "")), held.get("again", 0)
        self._last = None if held["last"] is None else _unpacked(held["last"])
        self._seen = None if held["seen"] is None else set(_unpacked(held["seen"]))
        self._claimed = held["claimed"]
        self._new, self._quiet, self._equal = held["new"], held["quiet"], held["equal"]
        self._first = None if held["first"] is None else set(_unpacked(held["first"]))

    def _pass(self) -> Iterator[list[Row]]:
        """Read to the end of the pass, and yield the rows that were not seen before."""
        if not self._is_pass_over:
            known, barren = {_digest(page) for page in self._pages_so_far()}, 0
            in_pass: set[int] = set()
            for page in self._new_pass(self._position):
                hashes = _key_hashes(page.rows, self._table, self._place)
                self._claimed = page.total
                digest = _digest(hashes)
                if hashes and digest in known:
                    break
                known.add(digest)
                if page.total is None:
                    barren = 0 if not in_pass.issuperset(hashes) else barren + 1
                    in_pass.update(hashes)
                    if barren == _MOST_BARREN:
                        break
                fresh = self._added(page.rows, hashes)
                self._position, self._is_pass_over = page.after, page.after is None
                yield fresh
        self._is_pass_over = True

    def _pages_so_far(self) -> Iterator["array[int]"]:
        start = 0
        for size in self._sizes:
            yield self._order[start : start + size]
            start += size

    def _added(self, rows: list[Row], hashes: list[int]) -> list[Row]:
        """Add a page to the order of the pass; return the rows that were not seen before."""
        self._order.extend(hashes)
        self._sizes.append(len(hashes))
        if self._number > 1:
            self._contents.extend(_hash(json.dumps(row, sort_keys=True)) for row in rows)
        fresh = rows if self._seen is None else _unseen(rows, hashes, self._seen)
        self._new += len(fresh)
        return fresh

    def _is_decided(self) -> bool:
        """Judge the pass; return whether the list is complete, else prepare what is to be read next."""
        total = self._claimed
        if self._seen is None:
            distinct = _count_distinct(self._order)
            if distinct != total:
                self._seen = set(self._order)
        else:
            distinct = len(self._seen)
        if total is not None and distinct >= total:
            self.total = distinct
            return True
        self._quiet = 0 if self._new or self._number == 1 else self._quiet + 1
        self._equal = self._equal + 1 if self._order == self._last else 1
        if self._equal > 1 and (total is None or (len(self._order) == total and self._are_repetitions_its_own())):
            self.total, self.repeated = len(self._order), len(self._order) - distinct
            if not self._is_stable and self.repeated:
                self._first, self._position, self._is_pass_over = set(), None, False
                return False
            return True
        if total is None and self._quiet == 2:
            self.total = distinct
            return True
        if self._equal == _EQUAL_PASSES or self._number == MAX_PASSES:
            raise Incomplete(
                f"{self._place}: the source says that it has {total} rows, but {self._number} readings gave {distinct} "
                "different ones; run again, and if it stays so the source's count or paging is broken"
            )
        self._number += 1
        self._last, self._order = self._order, array("q")
        self._sizes, self._contents = array("q"), array("q")
        self._new, self._position, self._is_pass_over = 0, None, False
        return False

    def _are_repetitions_its_own(self) -> bool:
        """Return whether the rows that repeat a key are more than copies of rows on earlier pages."""
        if len(self._contents) < len(self._order):  # a part of the pass was read by an earlier version
            return False
        repeated, copies, start = _repeated(self._order), 0, 0
        met: set[tuple[int, int]] = set()
        for page in self._pages_so_far():
            rows = zip(page, self._contents[start : start + len(page)], strict=True)
            of_page = [(key, content) for key, content in rows if key in repeated]
            known = sum(row in met for row in of_page)
            if known and known == len(page):
                return False
            copies += known
            met.update(of_page)
            start += len(page)
        return copies <= len(self._order) * _MOST_COPIES

    def _repetitions(self, first: set[int]) -> Iterator[list[Row]]:
        """Yield the rows of a stable list whose key an earlier row has: one of them may be the newest version."""
        self.total, self.repeated = len(self._order), len(self._order) - len(self._seen or ())
        if self._is_pass_over:
            return
        for page in self._new_pass(self._position):
            hashes = _key_hashes(page.rows, self._table, self._place)
            unseen = {id(row) for row in _unseen(page.rows, hashes, first)}
            self._again += len(page.rows)
            is_over = page.after is None or self._again >= len(self._order)
            self._position, self._is_pass_over = page.after, is_over
            yield [row for row in page.rows if id(row) not in unseen]
            if is_over:
                break
        self._is_pass_over = True


def _unseen(rows: list[Row], hashes: list[int], seen: set[int]) -> list[Row]:
    fresh = []
    for row, each in zip(rows, hashes, strict=True):
        if each not in seen:
            seen.add(each)
            fresh.append(row)
    return fresh


def _key_hashes(rows: list[Row], table: Table, place: str) -> list[int]:
    """Return a hash of each row's key, the same in every process."""
    # Two keys with one hash make a complete list look incomplete, never the reverse.
    for name in table.key:
        if name not in table.key_may_be_null and any(row.get(name) is None for row in rows):
            raise UnexpectedResponse(f"{place}: a row without {name}, which is part of the key of {table.name}")
    keys = [tuple([row.get(name) for name in table.key]) for row in rows]
    if not all(isinstance(value, _PLAIN) for key in keys for value in key):
        raise UnexpectedResponse(f"{place}: a row whose {' or '.join(table.key)} is no plain value")
    return [_hash(repr(key)) for key in keys]


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _digest(hashes: Iterable[int]) -> int:
    """Return a hash of the keys of a page in their order."""
    return _hash(_packed(hashes))


def _count_distinct(hashes: "array[int]") -> int:
    return sum(len(pc.unique(values)) for values in _in_buckets(hashes))


def _repeated(hashes: "array[int]") -> set[int]:
    """Return the values that occur more than once."""
    found: set[int] = set()
    for values in _in_buckets(hashes):
        counted = values.value_counts()
        found.update(counted.field("values").filter(pc.greater(counted.field("counts"), 1)).to_pylist())
    return found


def _in_buckets(hashes: "array[int]") -> Iterator[pa.Array]:
    """Yield the values, a part of them at a time, so that memory stays close to the array's size."""
    values = pa.Array.from_buffers(pa.int64(), len(hashes), [None, pa.py_buffer(hashes)])
    bucket = pc.bit_wise_and(values, _BUCKETS - 1)
    for number in range(_BUCKETS):
        yield values.filter(pc.equal(bucket, number))


def _packed(hashes: Iterable[int]) -> str:
    values = array("q", hashes)
    if sys.byteorder == "big":
        values.byteswap()
    return base64.b64encode(values).decode()


def _unpacked(text: str) -> "array[int]":
    values = array("q", base64.b64decode(text))
    if sys.byteorder == "big":
        values.byteswap()
    return values
