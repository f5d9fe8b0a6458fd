"""Load what the lake holds and the ledger lacks, without the source: a warehouse can be lost.

Every start (of a run, a build, a collector, a sweep) recovers first, and only then trusts a cursor.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from millrace import log, runs
from millrace.bus import Bus
from millrace.bus.events import announce
from millrace.errors import BadObject
from millrace.lake import Lake, ObjectVersion, StoredObject, names
from millrace.lake.names import CursorKey
from millrace.load import quarantine, sweep
from millrace.load.handler import Loader
from millrace.runs import build_requests
from millrace.runs.comparison import LOADED, Compared, compare, note_compared, read_compared
from millrace.tables import ENDPOINTS, TABLES
from millrace.warehouse import Warehouse

_BELIEVED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A table that is read again from its beginning: the warehouse has `rows`, finished runs have read `known`."""

    table: str
    rows: int
    known: int


def mend(loader: Loader, bus: Bus) -> dict[str, int]:
    """Load or request again all that was lost; return the numbers of tasks, of objects and of failed runs."""
    noted = read_compared(loader.lake)
    quarantine.retry_due(loader, last_compared(noted, loader.clock()))
    found = recover_if_due(loader, bus)  # also what was copied to `drop/` just now
    result = sweep.sweep(loader.lake, bus, loader.warehouse, loader.clock(), sweep.SweepTimeouts())
    return {"tasks": len(result.tasks), "objects": len(result.objects) + len(found), "failed": len(result.failed)}


def recover(lake: Lake, bus: Bus, warehouse: Warehouse, prefixes: Sequence[str] = LOADED) -> list[ObjectVersion]:
    """Adopt copied objects, then announce every object that the ledger lacks; return the announced ones.

    A reused name is a new version of its object, and is announced.
    """
    unknown = lacking(lake, warehouse, prefixes)
    for stored in unknown:
        announce(bus, stored)
    return [stored.version for stored in unknown]


def recover_if_due(loader: Loader, bus: Bus) -> list[ObjectVersion]:
    """Recover when the ledger shrank, when a file was dropped, and once a day; return the announced versions.

    Otherwise only the extent of the ledger is queried.
    """
    lake, warehouse, now = loader.lake, loader.warehouse, loader.clock()
    noted = read_compared(lake)
    dropped = list(lake.list("drop/"))
    generation = max((stored.version.generation for stored in dropped), default=0)
    extent = warehouse.extent()
    is_whole = extent.load_seq >= max(noted.load_seq, build_requests.requested(lake) or 0)
    is_fresh = last_compared(noted, now) is not None
    if is_whole and extent.objects >= noted.objects and is_fresh:
        if (len(dropped), generation) == (noted.dropped, noted.generation):
            return []
        announced = recover(lake, bus, warehouse, ["drop/"])
        compared_at = noted.compared_at
    else:
        announced = recover(lake, bus, warehouse)
        compared_at = now.isoformat()
    if not announced:
        if compared_at != noted.compared_at:
            settle(loader)
        extent = warehouse.extent()
        is_daily = compared_at != noted.compared_at
        is_listing_due = is_daily or noted.is_listing_due
        note_compared(
            lake,
            Compared(
                extent.load_seq, extent.objects, len(dropped), generation, noted.run_id, compared_at, is_listing_due
            ),
        )
    return announced


def last_compared(noted: Compared, now: datetime) -> datetime | None:
    """Return when everything was last compared; None when that is due: a day later, or if a clock was wrong."""
    at = datetime.fromisoformat(noted.compared_at)
    return at if timedelta(0) <= now - at < _BELIEVED else None


def lacking(lake: Lake, warehouse: Warehouse, prefixes: Sequence[str] = LOADED) -> Sequence[StoredObject]:
    """Adopt copied objects, then return every object that the ledger lacks."""
    found = compare(lake, warehouse.entries(), prefixes)
    if found.copies:
        warehouse.adopt(found.copies)
        log.info("known by their checksums", objects=len(found.copies))
    return found.unknown


def settle(loader: Loader) -> list[Forgotten]:
    """Make requests and cursors agree with a ledger that has all of the lake; return the tables to read again.

    A new warehouse counts its loads from one: no build can include the load sequences that the old one had.
    """
    if build_requests.restart(loader.lake, loader.warehouse.extent().load_seq):
        loader.job.start(None)
    return forget_cursors(loader.lake, loader.warehouse)


def forget_cursors(lake: Lake, warehouse: Warehouse) -> list[Forgotten]:
    """Forget the cursors of an endpoint where the warehouse has fewer rows than were read from the source."""
    cursors: dict[str, dict[str, runs.Cursor]] = {}
    for stored in lake.list("state/"):
        with contextlib.suppress(BadObject):
            key = names.parse(stored.version.name)
            cursor = runs.held_cursor(lake, key.endpoint, key.account) if isinstance(key, CursorKey) else None
            if isinstance(key, CursorKey) and cursor is not None:
                cursors.setdefault(key.endpoint, {})[key.account] = cursor
    forgotten = []
    for endpoint in [each for each in ENDPOINTS.values() if each.name in cursors]:
        table, accounts = TABLES[endpoint.feeds[0]], cursors[endpoint.name]
        known = sum(sum(cursor.counts.values()) for cursor in accounts.values())
        rows = warehouse.count(table) if known else 0
        if rows < known:
            for account in accounts:
                runs.forget_cursor(lake, endpoint.name, account)
            log.warning("read again", table=table.name, rows=rows, known=known)
            forgotten.append(Forgotten(table.name, rows, known))
    return forgotten
