"""cursor-sim as a source: each endpoint is one listing, by the plan that the server supports."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from millrace.extract.http_client import SourceClient
from millrace.extract.reading import Outcome, Reading, Request, Rows
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.tables import TABLES


@dataclass(frozen=True, slots=True)
class CursorSimSource:
    """The source at the client's address."""

    client: SourceClient

    def reading(self, request: Request) -> Reading:
        """Return the reading of an endpoint."""
        plan = request.plan
        listing = Listing(
            self.client.for_task(request.stats, request.deadline),
            TABLES[request.endpoint.feeds[0]],
            since=date.fromisoformat(plan.since) if plan.since else None,
            cursor=request.cursor,
            parents=request.parents,
            paused=request.held,
        )
        return ListingReading(listing)


@dataclass(slots=True)
class ListingReading:
    """A listing as the reading of a task. Its order may change with each request, so its pages are not saved alone."""

    listing: Listing
    is_page_saved: bool = False

    @property
    def lists(self) -> tuple[int, int | None]:
        """The number of lists that were read, and of those that are known to be needed (None: unknown)."""
        return self.listing.lists

    def rows(self) -> Iterator[Rows]:
        """Yield the rows of the listing."""
        for rows in self.listing.rows():
            yield {self.listing.table.name: rows}

    def held(self) -> dict[str, Any]:
        """Return the state of the listing."""
        return self.listing.held()

    def outcome(self) -> Outcome:
        """Return what the listing found."""
        listing = self.listing
        return Outcome(
            plan=listing.plan,
            source_total=listing.source_total,
            known=listing.known,
            repeated=listing.repeated,
            since=listing.since,
            window_start=listing.window_start,
            counts=listing.counts,
        )
