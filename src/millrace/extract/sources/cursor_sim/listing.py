"""A complete listing of a table, by the cheapest plan that the server supports.

The *bulk* plan reads `Table.bulk`: in order where the source keeps one, else by value. The *plain* plan reads
`Table.plain`: one list for each row of the parent table. Both end only when the number of different keys is the
source's own number.

An incremental reading leaves out rows that a finished run has read and that are unchanged by the source's counts.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from millrace import log
from millrace.errors import RouteNotFound
from millrace.extract.completeness import Held, ListReading, Row
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim import pages
from millrace.extract.sources.cursor_sim.partitioned import PartitionedListing, Totals, count_key
from millrace.runs import Cursor
from millrace.tables import ChildListing, PageNumberListing, SinglePageListing, Table

Parents = Callable[[tuple[str, ...]], Iterable[Row]]


@dataclass(slots=True)
class Listing:
    """One reading of one table. Iterate `rows`, then read the other fields.

    `source_total` is the number of source rows in the scope. `known` of them were not read because the counts show no
    change; `repeated` of them repeat another row's key. `parents` returns the named columns of the parent table's rows.
    `paused` is the state in which an earlier reading of the same table and scope paused, between two pages.
    """

    client: SourceClient
    table: Table
    since: date | None
    cursor: Cursor | None
    parents: Parents
    paused: Held | None = None
    plan: str = "bulk"
    window_start: date | None = None
    source_total: int = 0
    known: int = 0
    repeated: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    _older: dict[str, int] = field(default_factory=dict)
    _is_window_known: bool = False
    _totals: dict[str, int] = field(default_factory=dict)
    _lists: int = 0  # of the plain plan, that were read to their ends
    _partitioned: PartitionedListing | None = None
    _list: ListReading | None = None

    @property
    def lists(self) -> tuple[int, int | None]:
        """The number of lists that were read, and of those that are known to be needed (None: unknown)."""
        if self._partitioned is not None:
            return self._partitioned.lists
        return self._lists, None if self.plan == "plain" else 1

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows in batches; when it ends without an error, the listing is complete."""
        if self.paused is not None and self.paused["plan"] == "plain" and self.table.plain is not None:
            self.plan = "plain"
            yield from self._plain(self.table.plain)
            return
        is_started = self.paused is not None
        try:
            for rows in self._bulk():
                is_started = True
                yield rows
        except RouteNotFound:
            if self.table.plain is None or is_started:
                raise
            log.info("no bulk route, reading the plain ones", table=self.table.name)
            self.plan = "plain"
            yield from self._plain(self.table.plain)

    def held(self) -> dict[str, Any]:
        """Return the state after the rows that were yielded so far, for `paused` of a later reading."""
        return {
            "plan": self.plan,
            "window_start": str(self.window_start) if self.window_start else None,
            "source_total": self.source_total,
            "repeated": self.repeated,
            "counts": dict(self.counts),
            "older": self._older,
            "is_window_known": self._is_window_known,
            "totals": self._totals,
            "lists": self._lists,
            "partitioned": self._partitioned.held() if self._partitioned and self._partitioned.has_begun else None,
            "list": None if self._list is None else self._list.held(),
        }

    def _bulk(self) -> Iterator[list[Row]]:
        match self.table.bulk:
            case SinglePageListing(path):
                rows = pages.array(path, self.client.get(path).body)
                self.source_total = len(rows)
                yield rows
            case PageNumberListing(dated=None) as listing:
                yield from self._by_value(listing)
            case PageNumberListing() as listing:
                yield from self._dated(listing)

    def _by_value(self, listing: PageNumberListing) -> Iterator[list[Row]]:
        reading = self._partitions(listing, None, dict(self.cursor.counts) if self.cursor else {})
        yield from reading.rows()
        self.source_total, self.repeated = reading.total, reading.repeated
        for value, count in reading.counts.items():
            self.counts[value] = count.total()
            self.known += 0 if value in reading.read else count.total()

    def _partitions(self, listing: PageNumberListing, start: date | None, known: dict[str, int]) -> PartitionedListing:
        held = self.paused["partitioned"] if self.paused else None
        self._partitioned = PartitionedListing(self.client, self.table, listing, start, known, held)
        return self._partitioned

    def _dated(self, listing: PageNumberListing) -> Iterator[list[Row]]:
        """Read from the first day whose older rows may have changed."""
        if self.paused is not None and self.paused["is_window_known"]:
            day = self.paused["window_start"]
            self.window_start, self._older = date.fromisoformat(day) if day else None, self.paused["older"]
        else:
            self._determine_window(listing)
        self._is_window_known = True
        yield from self._in_order(listing) if listing.by is None else self._dated_by_value(listing)
        self.counts.update(self._older)
        self.known = sum(self._older.values())
        self.source_total += self.known

    def _determine_window(self, listing: PageNumberListing) -> None:
        self.window_start = self.since
        if self.cursor is not None:
            self._totals = dict(self.paused["totals"]) if self.paused else {}
            totals = Totals(self.client, listing, self._totals)
            self.window_start = _first_changed_day(self.cursor, self.table, listing, totals, self.since)
            if self.window_start is not None:
                self._older = {key: n for key, n in self.cursor.counts.items() if key[:10] < str(self.window_start)}

    def _in_order(self, listing: PageNumberListing) -> Iterator[list[Row]]:
        parameters = pages.from_day(listing, self.window_start)
        again = pages.passes(self.client, listing, parameters)
        held = self.paused["list"] if self.paused else None
        if self.paused is not None and held is not None:
            self.counts = Counter(self.paused["counts"])
        self._list = ListReading(again, self.table, listing.path, is_stable=True, held=held)
        for rows in self._list.rows():
            self.counts.update([count_key(listing, row) for row in rows])
            yield rows
        end = (self._list.claimed, self._list.pages + 1, self._list.unknown_in)
        pages.require_end(self.client, listing, parameters, *end)
        self.source_total, self.repeated = self._list.total, self._list.repeated

    def _dated_by_value(self, listing: PageNumberListing) -> Iterator[list[Row]]:
        reading = self._partitions(listing, self.window_start, {})
        yield from reading.rows()
        self.source_total, self.repeated = reading.total, reading.repeated
        for count in [*reading.counts.values(), reading.without]:
            self.counts.update(count)

    def _plain(self, listing: ChildListing) -> Iterator[list[Row]]:
        needed = [*pages.placeholders(listing.path), *(column for _, column in listing.sets)]
        columns = tuple(needed + ([listing.total] if listing.total else []))
        read = 0
        if self.paused is not None:
            read, self.source_total, self.repeated = (
                self.paused[name] for name in ("lists", "source_total", "repeated")
            )
        for parent in islice(self.parents(columns), read, None):  # the parent's parts keep their order
            self._lists = read
            path = pages.filled(listing.path, parent)
            if listing.paged:
                yield from self._paged_array(listing, path, parent[listing.total] if listing.total else None)
            else:
                given = {name: parent[column] for name, column in listing.sets}
                rows = [given | row for row in pages.array(path, self.client.get(path).body)]
                self.source_total += len(rows)
                self._lists = read + 1
                yield rows
            read += 1
            self._lists = read

    def _paged_array(self, listing: ChildListing, path: str, expected: int | None) -> Iterator[list[Row]]:
        held = self.paused["list"] if self.paused else None
        self.paused = None
        again = pages.array_passes(self.client, listing, path, expected)
        self._list = reading = ListReading(again, self.table, path, held=held)
        yield from reading.rows()
        self._list = None
        self.source_total += reading.total
        self.repeated += reading.repeated


def _first_changed_day(
    cursor: Cursor, table: Table, listing: PageNumberListing, totals: Totals, since: date | None
) -> date | None:
    """Return the latest day before which the source's counts equal the cursor's, at least the lookback ago.

    None (or `since`): even the oldest rows may have changed, so everything is read.
    """
    latest = datetime.fromisoformat(cursor.extracted_at).date() - timedelta(days=table.lookback_days)

    def is_changed_before(day: date) -> bool:
        for state in listing.states or ("",):
            recorded = sum(n for key, n in cursor.counts.items() if key[:10] < str(day) and key[11:] == state)
            if totals.since(since, state) - totals.since(day, state) != recorded:
                return True
        return False

    recorded_days = {date.fromisoformat(key[:10]) for key in cursor.counts if key[:1].isdigit()}
    days = sorted(day for day in recorded_days | {latest} if day <= latest and (since is None or day > since))
    if not days:
        return since
    changed = bisect_left(days, True, key=is_changed_before) if is_changed_before(days[-1]) else len(days)
    return days[changed - 1] if changed else since
