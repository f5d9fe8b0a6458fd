"""Comparison of source, lake and warehouse, down to the keys of the rows in which they differ.

A run's own reconciliation trusts its records. An audit reads again: the source as it is now, every part and dropped
file in the lake, every version in the ledger, every key in the raw tables.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from millrace.errors import BadObject, RouteNotFound
from millrace.extract.completeness import Row
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim import pages
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.lake import Lake, ObjectVersion, names
from millrace.lake.names import DroppedFile, RawPart
from millrace.runs.comparison import LOADED, Comparison, compare
from millrace.tables import CURSOR_SIM, ENDPOINTS, EXTRACTED, TABLES, PageNumberListing, Table, children_of
from millrace.warehouse import LedgerEntry, Warehouse, retries

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows or objects that are in one place and not in the other; `keys` are keys of rows, or names of objects."""

    what: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The result for one table: the number of different rows in each place, and the differences."""

    table: str
    in_source: int | None
    in_lake: int
    in_warehouse: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of a table of the source; `repeated` of the source's total are further versions of a row."""

    rows: list[Row]
    repeated: int


def audit(
    lake: Lake, warehouse: Warehouse, client: SourceClient | None, since: date | None, objects: tuple[str, ...] = ()
) -> list[Audit]:
    """Compare every table; without a client, lake and warehouse only.

    The client requests the source's totals, and reads a table whole only where its total is not the number of rows in
    the warehouse. It is asked for its `objects` only (none: all).
    """
    read: dict[str, Listed] = {}
    entries = warehouse.entries()
    compared = compare(lake, entries)
    loads = {entry.version: entry for entry in retries.settled(entries, entries)}
    return [_audit(lake, loads, warehouse, client, since, table, read, compared, objects) for table in TABLES.values()]


def _audit(
    lake: Lake,
    loads: Mapping[ObjectVersion, LedgerEntry],
    warehouse: Warehouse,
    client: SourceClient | None,
    since: date | None,
    table: Table,
    read: dict[str, Listed],
    compared: Comparison,
    objects: tuple[str, ...],
) -> Audit:
    in_lake: set[Key] = set()
    unloaded: list[Key] = []
    for version in _objects(lake, table):
        copied = compared.copies.get(version)
        entry = loads.get(copied.version if copied else version)
        if entry is None:
            unloaded.append((version.name,))
        elif entry.quarantine_reason is None:
            in_lake |= _part_keys(lake, version, table)
    held = set(warehouse.keys_of(table))
    differences = [
        Difference("parts in the lake that the ledger does not know", tuple(unloaded)),
        Difference("objects that the ledger knows and the lake has no more", _lost(compared, table)),
        Difference("rows of loaded parts that the warehouse lacks", _sorted(in_lake - held)),
    ]
    is_wanted = not objects or (table.name in ENDPOINTS and ENDPOINTS[table.name].objects in objects)
    is_asked = client is not None and table.bulk is not None and is_wanted
    total = _total(client, table, since) if client is not None and is_asked else None
    if client is not None and is_asked and total != len(held):
        listed = _read(client, table, since, read)
        wanted = {_key(row, table) for row in listed.rows}
        said = {each - listed.repeated for each in (total, _total(client, table, since)) if each is not None}
        total = len(wanted)
        is_between = not said or min(said) <= total <= max(said)  # rows may appear while the source is read
        differences += [
            Difference(
                "lists with another total than their different rows (total/rows)",
                () if is_between else ((max(said), total),),
            ),
            Difference("rows of the source that the warehouse lacks", _sorted(wanted - held)),
            Difference("rows of the warehouse that the source has no more", _sorted(held - wanted)),
        ]
    found = tuple(difference for difference in differences if difference.keys)
    return Audit(table.name, total, len(in_lake), len(held), found)


def _lost(compared: Comparison, table: Table) -> tuple[Key, ...]:
    prefixes = tuple(f"{prefix}{table.name}/" for prefix in LOADED)
    return tuple((name,) for name in compared.lost if name.startswith(prefixes))


def _total(client: SourceClient, table: Table, since: date | None) -> int | None:
    """Request the source's total; None where only a complete reading can count the rows.

    Raises Incomplete where the source has rows beyond it.
    """
    listing = table.bulk
    if not isinstance(listing, PageNumberListing):
        return None
    parameters = pages.from_day(listing, since) | {listing.size_parameter: 1}
    try:
        total = pages.numbered_page(client, listing, parameters).total or 0
    except RouteNotFound:
        return None
    pages.require_end(client, listing, parameters, total, max(total, 1) + 1)
    return total


def _read(client: SourceClient, table: Table, since: date | None, read: dict[str, Listed]) -> Listed:
    """Read a table of the source from the beginning; keep only the columns that identify a row and its children."""
    if table.name not in read:

        def parents(columns: tuple[str, ...]) -> list[Row]:
            return _read(client, CURSOR_SIM[str(ENDPOINTS[table.name].parent)], since, read).rows

        listing = Listing(client.for_task(), table, since, None, parents)
        columns = {*table.key, *_needed_by_children(table)}
        kept = [{name: row.get(name) for name in columns} for rows in listing.rows() for row in rows]
        read[table.name] = Listed(kept, listing.repeated)
    return read[table.name]


def _needed_by_children(table: Table) -> set[str]:
    plans = [plain for child in children_of(table.name) if (plain := CURSOR_SIM[child.name].plain) is not None]
    return {
        name
        for plan in plans
        for name in (*pages.placeholders(plan.path), *([plan.total] if plan.total else []), *dict(plan.sets).values())
    }


def _objects(lake: Lake, table: Table) -> list[ObjectVersion]:
    """Return the table's parts; for a table that is not extracted, its dropped Parquet files."""
    found = []
    for stored in lake.list(f"raw/{table.name}/" if table.name in EXTRACTED else f"drop/{table.name}/"):
        try:
            key = names.parse(stored.version.name)
        except BadObject:
            continue
        if isinstance(key, RawPart) or (isinstance(key, DroppedFile) and key.kind == "parquet"):
            found.append(stored.version)
    return found


def _part_keys(lake: Lake, version: ObjectVersion, table: Table) -> set[Key]:
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "part.parquet")
        lake.download(version, path)
        with pq.ParquetFile(path) as file:
            return {
                _key(row, table) for batch in file.iter_batches(columns=list(table.key)) for row in batch.to_pylist()
            }


def _key(row: Row, table: Table) -> Key:
    return tuple(row[name] for name in table.key)


def _sorted(rows: set[Key]) -> tuple[Key, ...]:
    return tuple(sorted(rows, key=repr))
