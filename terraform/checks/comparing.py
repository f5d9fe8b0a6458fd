"""The comparison of a finished run with the source, table by table."""

from dataclasses import dataclass
from datetime import date, datetime

from millrace.errors import MillraceError, RouteNotFound
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim import pages
from millrace.extract.sources.cursor_sim.partitioned import Totals
from millrace.runs import TaskRecord
from millrace.tables import CURSOR_SIM, PageNumberListing, SinglePageListing


@dataclass(frozen=True, slots=True)
class Compared:
    """The result for one table; `is_equal` None: it could not be compared with the source as it is now."""

    table: str
    is_equal: bool | None
    text: str


def compare(record: TaskRecord, client: SourceClient | None) -> Compared:
    """Return whether the run has the source's rows, and whether the source still has as many."""
    held, total = record.known + record.rows, record.source_total
    parts = f"source {total:,}, of the run {record.known:,} known + {record.rows:,} written"
    if held < total:
        return Compared(record.table, False, f"{parts}: {total - held:,} are missing")
    if client is None:
        return Compared(record.table, None, f"{parts}; not compared with the source as it is now")
    try:
        return _with_source(record, client, parts)
    except MillraceError as error:
        return Compared(record.table, None, f"{parts}; could not compare: {error}")


def _with_source(record: TaskRecord, client: SourceClient, parts: str) -> Compared:
    listing, since = CURSOR_SIM[record.table].bulk, date.fromisoformat(record.since) if record.since else None
    totals = Totals(client, listing) if isinstance(listing, PageNumberListing) else None
    try:
        if totals is not None:
            now = totals.since(since)
        elif isinstance(listing, SinglePageListing):
            now = len(pages.array(listing.path, client.get(listing.path).body))
    except RouteNotFound:
        return Compared(record.table, None, f"{parts}; could not compare: the source counts no such rows")
    if now == record.source_total:
        return Compared(record.table, True, f"{parts}, now {now:,}: equal")
    difference = f"{parts}, now {now:,} ({now - record.source_total:+,})"
    read_on = datetime.fromisoformat(record.extracted_at).date()
    if totals is not None and isinstance(listing, PageNumberListing) and listing.dated:
        # Rows of earlier days have had their time to arrive: a difference among them is one of the run.
        settled = now - totals.since(read_on)
        recorded = sum(count for key, count in record.counts.items() if key[:10] < str(read_on))
        if settled == recorded:
            return Compared(record.table, True, f"{difference}: changed meanwhile, equal before {read_on}")
        return Compared(record.table, False, f"{difference}: before {read_on} {settled:,}, by the run {recorded:,}")
    if now > record.source_total:
        return Compared(record.table, True, f"{difference}: changed since {record.extracted_at}")
    return Compared(record.table, False, f"{difference}: rows that the run read are gone")
