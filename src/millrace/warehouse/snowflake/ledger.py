# ruff: noqa: S608 - the names are this module's own
"""The ledger on Snowflake: the load result of every object, in META.LOADS. Instants are in UTC, without a zone."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime
from typing import Any

from millrace.lake import ObjectVersion
from millrace.warehouse import QUARANTINED, Extent, LedgerEntry

Execute = Callable[..., list[tuple[Any, ...]]]
_COLUMNS = ", ".join(
    [field.name for part in (ObjectVersion, LedgerEntry) for field in fields(part) if field.name != "version"]
)
_AT_ONCE = 200  # objects in one statement


def next_load_seq(execute: Execute) -> int:
    """Return the load sequence of the next change; drawn under the write lock, it is larger than all before it."""
    return int(execute("SELECT META.LOAD_SEQ.NEXTVAL")[0][0])


def find(execute: Execute, version: ObjectVersion) -> LedgerEntry | None:
    """Return the entry of one object; None while it is not in the ledger."""
    query = f"SELECT {_COLUMNS} FROM META.LOADS WHERE BUCKET = ? AND NAME = ? AND GENERATION = ?"
    found = execute(query, *astuple(version))
    return _entry(found[0]) if found else None


def find_all(execute: Execute, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
    """Return the entries of many objects; those that are not in the ledger are left out."""
    found: dict[ObjectVersion, LedgerEntry] = {}
    wanted = set(versions)
    for first in range(0, len(versions), _AT_ONCE):
        names = sorted({version.name for version in versions[first : first + _AT_ONCE]})
        query = f"SELECT {_COLUMNS} FROM META.LOADS WHERE NAME IN ({', '.join('?' * len(names))})"
        entries = [_entry(row) for row in execute(query, *names)]
        found |= {entry.version: entry for entry in entries if entry.version in wanted}
    return found


def entries(execute: Execute, is_quarantined: bool) -> list[LedgerEntry]:
    """Return the whole ledger, or only quarantined objects and their retries, in the order of `load_seq`."""
    query = f"SELECT {_COLUMNS} FROM META.LOADS WHERE {QUARANTINED if is_quarantined else True} ORDER BY LOAD_SEQ"
    return [_entry(row) for row in execute(query)]


def extent(execute: Execute) -> Extent:
    """Return the extent of the ledger.

    Snowflake answers a bare MAX and COUNT(*) of a whole table from its metadata, while the warehouse sleeps.
    """
    load_seq, objects = execute("SELECT MAX(LOAD_SEQ), COUNT(*) FROM META.LOADS")[0]
    return Extent(int(load_seq or 0), int(objects))


def loads_of(execute: Execute, run_id: str) -> list[LedgerEntry]:
    """Return the entries of one run, in the order of `load_seq`."""
    query = f"SELECT {_COLUMNS} FROM META.LOADS WHERE RUN_ID = ? ORDER BY LOAD_SEQ"
    return [_entry(row) for row in execute(query, run_id)]


def note(execute: Execute, entries: Sequence[LedgerEntry]) -> None:
    """Add rows to the ledger."""
    for first in range(0, len(entries), _AT_ONCE):
        rows = [_row(entry) for entry in entries[first : first + _AT_ONCE]]
        marks = ", ".join(f"({', '.join('?' * len(row))})" for row in rows)
        execute(f"INSERT INTO META.LOADS ({_COLUMNS}) VALUES {marks}", *(value for row in rows for value in row))


def _row(entry: LedgerEntry) -> list[object]:
    version, *values = (getattr(entry, field.name) for field in fields(entry))
    return [*astuple(version), *values]


def _entry(row: tuple[Any, ...]) -> LedgerEntry:
    values: list[Any] = [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row]
    return LedgerEntry(ObjectVersion(*values[:3]), *values[3:])
