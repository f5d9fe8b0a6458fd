"""Compares two tables of the same name cell by cell: doubles within 1e-9 of each other, all else exactly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.proofs.parity.engines import Row


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell, or with an empty `column` one row, that differs between the engines."""

    table: str
    key: tuple[object, ...]
    column: str
    one: object
    other: object

    def __str__(self) -> str:
        place = f"{self.table} {', '.join(map(str, self.key))}"
        return f"{place}: {self.column or 'rows'} is {self.one!r} on one engine, {self.other!r} on the other"


@dataclass(frozen=True, slots=True)
class Compared:
    """The outcome of one table."""

    table: str
    rows: int
    cells: int
    differences: tuple[Difference, ...]


def compare(
    table: str, key: Sequence[str], one: Sequence[Row], other: Sequence[Row], without: Sequence[str] = ()
) -> Compared:
    """Compare the rows of two engines, each named by its `key`; the columns `without` are ignored."""
    ones, others = _by_key(one, key, without), _by_key(other, key, without)
    found = [
        Difference(table, named, "", len(ones.get(named, ())), len(others.get(named, ())))
        for named in [*ones, *(others.keys() - ones.keys())]
        if len(ones.get(named, ())) != 1 or len(others.get(named, ())) != 1
    ]
    cells = 0
    for named, (mine,) in ((named, rows) for named, rows in ones.items() if len(rows) == 1):
        theirs = others.get(named, ())
        if len(theirs) == 1:
            cells += len(mine)
            found += _unlike(table, named, mine, theirs[0])
    return Compared(table, len(one), cells, tuple(found))


def _unlike(table: str, key: tuple[object, ...], one: Row, other: Row) -> list[Difference]:
    missing = "no such column"
    values = {name: (one.get(name, missing), other.get(name, missing)) for name in [*one, *(other.keys() - one.keys())]}
    return [Difference(table, key, name, *pair) for name, pair in values.items() if not is_same(*pair)]


def is_same(one: object, other: object) -> bool:
    """Return whether two engines mean the same value; unknown equals only unknown."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, float):
        return one == other or math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    return one == other


def _by_key(rows: Sequence[Row], key: Sequence[str], without: Sequence[str]) -> dict[tuple[object, ...], list[Row]]:
    named: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        kept = {name: value for name, value in row.items() if name not in without}
        named.setdefault(tuple(row[name.lower()] for name in key), []).append(kept)
    return named
