"""A listing that is reshuffled on every request, read as several stable lists.

There is one list for each value of the listing's `by` column: each author, each reviewer. The values are the team's
members and those found in the rows. Rows without a value are found by windows of days, where the listing has dates,
else by reading the whole list until it is complete. A row belongs to the list of its value and to no other, so no keys
have to be kept to detect a row that was read before.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from millrace.errors import Incomplete, RouteNotFound, UnexpectedResponse
from millrace.extract.completeness import Held, ListReading, NewPass, Page, Position, Row
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim import pages
from millrace.extract.sources.cursor_sim.pages import Parameters
from millrace.tables import PageNumberListing, Table

MEMBERS = "/teams/members"
_ROUNDS = 4  # of searching for rows that appeared while the lists were read
_FILL = 0.95  # of a page, by an estimate
_SAMPLED_PAGES = 5  # of a dated listing, to find unlisted values


class Totals:
    """The numbers of rows of a dated listing from a day on, each requested once; `asked` are those known so far."""

    def __init__(self, client: SourceClient, listing: PageNumberListing, asked: dict[str, int] | None = None) -> None:
        self._client = client
        self._listing = listing
        self.asked = {} if asked is None else asked

    def since(self, day: date | None, state: str = "") -> int:
        """Count the rows dated `day` or later (None: all), of one state or of any."""
        key = f"{day or ''} {state}"
        if key not in self.asked:
            parameters = pages.from_day(self._listing, day) | {self._listing.size_parameter: 1}
            if self._listing.state_parameter is not None and state:
                parameters[self._listing.state_parameter] = state
            self.asked[key] = pages.numbered_page(self._client, self._listing, parameters).total or 0
        return self.asked[key]


def count_key(listing: PageNumberListing, row: Row) -> str:
    """Return the key under which a row is counted: `<day> <state>` where the listing has them."""
    day = pages.utc_day(row.get(listing.dated)) if listing.dated else ""
    return f"{day} {row.get('state')}" if listing.states else f"{day} " if listing.dated else ""


class PartitionedListing:
    """One reading of such a listing; after `rows`, `counts` holds the counts of each value (see `count_key`).

    `known` are the counts of values that a finished run has read. A value with an unchanged count is not read again and
    not in `read`. `held` is the state in which an earlier reading paused, between two pages.
    """

    def __init__(
        self,
        client: SourceClient,
        table: Table,
        listing: PageNumberListing,
        start: date | None,
        known: dict[str, int],
        held: Held | None = None,
    ) -> None:
        if listing.by is None:
            raise UnexpectedResponse(f"{listing.path}: there is no way to read it in a stable order")
        self.total = 0
        self.repeated = 0
        self.read: set[str] = set()
        self.counts: dict[str, Counter[str]] = {value: Counter({"": n}) for value, n in known.items()}
        self.without: Counter[str] = Counter()
        self._client = client
        self._table = table
        self._listing = listing
        self._start = start
        self._parameter, self._column = listing.by
        self._everything = pages.from_day(listing, start)
        self._expected: dict[str, None] = {}
        self._asked: set[str] = set()
        self._rounds = 0
        self._search: Position | None = None
        self._is_searched = False  # there is no value left to ask for
        self._window: date | None = None  # where the next window of days begins; None: no window was read
        self._window_end: date | None = None  # the end of that window, as far as it is known
        self._totals: dict[str, int] = {}
        self._current: tuple[str, ListReading] | None = None  # the list that is being read
        self._paused: tuple[str, Held] | None = None
        if held is not None:
            self._continue(held)

    @property
    def has_begun(self) -> bool:
        """Whether there is a state to keep."""
        return bool(self._rounds or self.read)

    @property
    def lists(self) -> tuple[int, int]:
        """The number of lists that this round has read, and the number that it knows of."""
        return len(self._asked), len(self._expected)

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows; raise Incomplete when the counts still differ after all rounds."""
        if not self._rounds:
            first = self._page({})
            if not self.counts and first.total is not None and first.total <= len(first.rows):
                yield from self._single_page(first)
                return
            if not self._begins_round(first):
                return
        while True:
            yield from self._round()
            if not self._begins_round(self._page({})):
                return

    def held(self) -> dict[str, Any]:
        """Return the state after the rows that were yielded so far."""
        return {
            "total": self.total,
            "repeated": self.repeated,
            "read": sorted(self.read),
            "counts": {value: dict(count) for value, count in self.counts.items()},
            "without": dict(self.without),
            "expected": list(self._expected),
            "asked": sorted(self._asked),
            "rounds": self._rounds,
            "search": self._search,
            "is_searched": self._is_searched,
            "window": None if self._window is None else str(self._window),
            "window_end": None if self._window_end is None else str(self._window_end),
            "totals": self._totals,
            "list": None if self._current is None else [self._current[0], self._current[1].held()],
        }

    def _continue(self, held: Held) -> None:
        self.total, self.repeated, self.read = held["total"], held["repeated"], set(held["read"])
        self.counts = {value: Counter(count) for value, count in held["counts"].items()}
        self.without = Counter(held["without"])
        self._expected, self._asked = dict.fromkeys(held["expected"]), set(held["asked"])
        self._rounds, self._search, self._is_searched = held["rounds"], held["search"], held["is_searched"]
        self._window = None if held["window"] is None else date.fromisoformat(held["window"])
        self._window_end = None if held["window_end"] is None else date.fromisoformat(held["window_end"])
        self._totals = dict(held["totals"])
        self._paused = None if held["list"] is None else (held["list"][0], held["list"][1])

    def _found(self) -> int:
        return sum(count.total() for count in self.counts.values()) + self.without.total()

    def _single_page(self, first: Page) -> Iterator[list[Row]]:
        again = pages.passes(self._client, self._listing, self._everything, first)
        reading = ListReading(again, self._table, self._listing.path)
        for rows in reading.rows():
            self._own(rows)
            self.read.update(self.counts)
            yield rows
        self._require_end(first, reading.unknown_in)
        self.total, self.repeated = reading.total, reading.repeated

    def _require_end(self, first: Page, unknown_in: Callable[[list[Row]], int] = len) -> None:
        total, size = first.total or 0, len(first.rows)
        if size:
            number = -(-total // size) + 1
            pages.require_end(self._client, self._listing, self._everything, total, number, unknown_in)

    def _begins_round(self, first: Page) -> bool:
        """Return whether rows are missing, after preparing to look for them."""
        self.total = first.total or 0
        if self._found() == self.total:
            self._require_end(first)
            return False
        if self._rounds == _ROUNDS:
            raise Incomplete(
                f"{self._listing.path}: the source says that it has {self.total} rows, {self._found()} were found by "
                f"{self._parameter}; run again, and if it stays so the source's count or filter is broken"
            )
        members = self._members()
        self._rounds += 1
        self.without.clear()  # this round may find the value of one of them
        self._asked.clear()
        self._search = self._window = self._window_end = None
        self._totals.clear()
        self._is_searched = False
        self._expect(first.rows)
        self._expect([{self._column: value} for value in [*self.counts, *members]])
        return True

    def _round(self) -> Iterator[list[Row]]:
        """Read the list of every listed value, then of values found in rows, then the rows without a value."""
        while True:
            for value in [value for value in self._expected if value not in self._asked]:
                yield from self._of_value(value)
                self._asked.add(value)
            if self._found() >= self.total or self._is_searched or not self._is_more_to_ask():
                break
        if self._found() < self.total:
            yield from self._rows_without_value()

    def _of_value(self, value: str) -> Iterator[list[Row]]:
        parameters = self._everything | {self._parameter: value}
        name = f"{self._parameter}={value}"
        if not self._is_paused(name):
            first = self._page(parameters)
            if first.total == (self.counts[value].total() if value in self.counts else 0):
                return
            self.counts[value] = Counter()
            self.read.add(value)
        else:
            first = None
        again = pages.passes(self._client, self._listing, parameters, first)
        for rows in self._list(name, again):
            own = [row for row in rows if row.get(self._column) == value]
            if len(own) < len(rows):
                self._expect(rows)
            self.counts[value].update([count_key(self._listing, row) for row in own])
            yield own

    def _is_paused(self, name: str) -> bool:
        return self._paused is not None and self._paused[0] == name

    def _list(self, name: str, again: NewPass, counts_repeated: bool = True) -> Iterator[list[Row]]:
        """Yield the rows of one list to its end, from where it paused if it is the one that did."""
        held = self._paused[1] if self._paused is not None and self._paused[0] == name else None
        self._paused = None
        reading = ListReading(again, self._table, self._listing.path, held=held)
        self._current = (name, reading)
        yield from reading.rows()
        self._current = None
        self.repeated += reading.repeated if counts_repeated else 0

    def _is_more_to_ask(self) -> bool:
        """Search the listing for values whose list was not read; return whether there are any."""
        for page in pages.passes(self._client, self._listing, self._everything)(self._search):
            self._expect(page.rows)
            self._search = page.after
            if not self._expected.keys() <= self._asked:
                self._search = None
                return True
            if self._listing.dated and page.after is not None and page.after["page"] > _SAMPLED_PAGES:
                break
        self._search, self._is_searched = None, True
        return False

    def _rows_without_value(self) -> Iterator[list[Row]]:
        if not (self._listing.dated and self._listing.until):
            name = "all"
            if not self._is_paused(name):
                self.without.clear()
            yield from self._without_value(name, self._everything, None, lambda row: True)
            return
        end = pages.END - timedelta(days=1)  # a window may need the day after its end
        first = self._start or pages.BEGINNING
        if self._window is None:
            self.without.clear()
            self._window = first
        yield from self._windows(self._window, end)
        if self._found() < self.total:
            totals = Totals(self._client, self._listing, self._totals)
            found = self._found_by_day()
            spans = _spans(found, first, end)
            for day in (day for span in spans for day in self._short_days(totals, found, *span)):
                for key in [key for key in self.without if key[:10] == str(day)]:
                    del self.without[key]
                self._paused = None  # a day is read from its beginning
                yield from self._read_days(day, day, day + timedelta(days=1))

    def _windows(self, first: date, end: date) -> Iterator[list[Row]]:
        """Read windows of days, each short enough to fit into one page."""
        found = self._found_by_day()
        share = (self.total - self._found()) / max(1, len(found))
        likely = {day: found[str(day)] + share for day in _days_of(found)}
        while first <= end and self._found() < self.total:
            last = self._window_end or _reach(first, end, likely, self._listing.page_size)
            page = None
            if not self._is_paused(_days(first, last)):
                self._window_end = last
                page = self._page(self._between(first, last))
                while (page.total or 0) > len(page.rows) and last > first:
                    self._window_end = last = self._narrower(first, last, page)
                    page = self._page(self._between(first, last))
            yield from self._read_days(first, last, last, page)
            self._window, self._window_end = last + timedelta(days=1), None
            first = self._window

    def _narrower(self, first: date, last: date, page: Page) -> date:
        """Return an earlier end of a window that has more rows than its page, by the days on the page."""
        days = sorted(self._day(row) for row in page.rows)
        day = days[int(len(days) * _FILL * len(days) / (page.total or 1))] if days else ""
        if str(first) <= day < str(last):
            return date.fromisoformat(day)
        return first + (last - first) // 2

    def _short_days(self, totals: Totals, found: Counter[str], first: date, last: date) -> Iterator[date]:
        """Yield the days with missing rows: the source's windows leave out the last second of their end day."""
        after = last + timedelta(days=1)
        here = sum(number for day, number in found.items() if str(first) <= day <= str(last))
        if totals.since(first) - totals.since(after) == here:
            return
        if first == last:
            yield first
            return
        middle = first + (last - first) // 2
        yield from self._short_days(totals, found, first, middle)
        yield from self._short_days(totals, found, middle + timedelta(days=1), last)

    def _read_days(self, first: date, last: date, until: date, page: Page | None = None) -> Iterator[list[Row]]:
        days = (str(first), str(last))
        yield from self._without_value(
            _days(first, last), self._between(first, until), page, lambda row: days[0] <= self._day(row) <= days[1]
        )

    def _found_by_day(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for count in [*self.counts.values(), self.without]:
            for key, number in count.items():
                found[key[:10]] += number
        return found

    def _without_value(
        self, name: str, parameters: Parameters, first: Page | None, is_inside: Callable[[Row], bool]
    ) -> Iterator[list[Row]]:
        again = pages.passes(self._client, self._listing, parameters, first)
        for rows in self._list(name, again, counts_repeated=False):
            rows = [row for row in rows if row.get(self._column) not in self.counts and is_inside(row)]
            self.without.update([count_key(self._listing, row) for row in rows])
            yield rows

    def _between(self, first: date, last: date) -> dict[str, str | int]:
        return {str(self._listing.since): str(first), str(self._listing.until): str(last)}

    def _day(self, row: Row) -> str:
        return pages.utc_day(row.get(str(self._listing.dated)))

    def _own(self, rows: list[Row]) -> None:
        for row in rows:
            value = row.get(self._column)
            held = self.counts.setdefault(value, Counter()) if isinstance(value, str) and value else self.without
            held[count_key(self._listing, row)] += 1

    def _expect(self, rows: Iterable[Row]) -> None:
        for row in rows:
            value = row.get(self._column)
            if isinstance(value, str) and value:
                self._expected.setdefault(value)

    def _page(self, parameters: Parameters) -> Page:
        return pages.numbered_page(self._client, self._listing, self._everything | dict(parameters))

    def _members(self) -> list[str]:
        try:
            body = self._client.get(MEMBERS).body
        except RouteNotFound:
            return []
        members = body.get("teamMembers") if isinstance(body, dict) else None
        if members is None and isinstance(body, dict) and "teamMembers" in body:
            return []
        if not isinstance(members, list):
            raise UnexpectedResponse(f"{MEMBERS}: expected an object with a list teamMembers")
        return [
            member["email"] for member in members if isinstance(member, dict) and isinstance(member.get("email"), str)
        ]


def _days_of(found: Mapping[str, int]) -> list[date]:
    """Return the days in counts by day, in their order."""
    return sorted(date.fromisoformat(day) for day in found if day[:1].isdigit())


def _spans(found: Mapping[str, int], first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield the days that have rows, those before and those after: most days of all centuries have none."""
    days = [day for day in _days_of(found) if first < day < last]
    if not days:
        yield first, last
        return
    yield days[0], days[-1]
    yield first, days[0] - timedelta(days=1)
    yield days[-1] + timedelta(days=1), last


def _days(first: date, last: date) -> str:
    return f"from {first} to {last}"


def _reach(first: date, end: date, likely: dict[date, float], page_size: int) -> date:
    """Return the last day of a window from `first` that should fit into one page."""
    rows = 0.0
    for day in sorted(day for day in likely if day >= first):
        rows += likely[day]
        if rows > _FILL * page_size:
            return max(first, day - timedelta(days=1))
    return end
