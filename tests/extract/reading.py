"""Reads every table of a source through its listings, and computes the expected rows of a world."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial

from tests.extract.answering import Answers, client_of, real_client
from tests.extract.conftest import END

import simulator
from millrace.extract.completeness import Row
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.runs import Cursor
from millrace.tables import CURSOR_SIM, ENDPOINTS
from simulator import InjectedFaults
from simulator.api import DEFAULT_KEY

PLAIN = InjectedFaults(plain_only=True)
EXTRACTED_AT = END.isoformat()


@dataclass
class Reading:
    """The rows of a reading of the whole source."""

    requests: int = 0
    rows: dict[str, list[Row]] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)

    @property
    def plans(self) -> dict[str, str]:
        """The plan by which each table was read."""
        return {name: listing.plan for name, listing in self.listings.items()}

    def cursors(self, extracted_at: str) -> dict[str, Cursor]:
        """The cursors with which the next run would start, if this one had been extracted at `extracted_at`."""
        return {
            name: Cursor(str(listing.since) if listing.since else None, extracted_at, dict(listing.counts))
            for name, listing in self.listings.items()
        }


def read(client: SourceClient, cursors: Mapping[str, Cursor] | None = None, since: date | None = None) -> Reading:
    """Read the tables in the order of a run."""
    reading = Reading()
    for table in CURSOR_SIM.values():
        task = client.for_task()
        parents = reading.rows.get(ENDPOINTS[table.name].parent or "", [])
        listing = Listing(task, table, since, (cursors or {}).get(table.name), partial(_columns_of, parents))
        reading.rows[table.name] = [row for batch in listing.rows() for row in batch]
        reading.listings[table.name] = listing
        reading.requests += task.stats.requests
    return reading


def _columns_of(rows: list[Row], columns: tuple[str, ...]) -> list[Row]:
    return [{name: row.get(name) for name in columns} for row in rows]


def read_world(
    world: simulator.World,
    cursors: Mapping[str, Cursor] | None = None,
    since: date | None = None,
    faults: simulator.InjectedFaults | None = None,
) -> Reading:
    """Serve the world and read it."""
    with simulator.serve(world, faults=faults or simulator.InjectedFaults()) as running:
        return read(real_client(running.url, DEFAULT_KEY), cursors, since)


def truth(world: simulator.World) -> dict[str, set[str]]:
    """Return the distinct rows of a world, without any listing."""
    repos = [world.repo_object(name) for name in world.repos if world.pulls.by_repo.get(name)]
    return {
        "repos": distinct(repos),
        "commits": distinct(world.commits.rows),
        "pull_requests": distinct(world.pulls.rows),
        "reviews": distinct(world.reviews.rows),
    }


def distinct(rows: Iterable[Row]) -> set[str]:
    """Return whole rows as texts that are equal if the rows are."""
    return {json.dumps(row, sort_keys=True) for row in rows}


def given_by(reading: Reading) -> dict[str, set[str]]:
    return {name: distinct(rows) for name, rows in reading.rows.items()}


def keys_of(reading: Reading, table: str) -> set[tuple[object, ...]]:
    return {tuple([row.get(name) for name in CURSOR_SIM[table].key]) for row in reading.rows[table]}


def read_answers(answers: Answers, cursors: dict[str, Cursor] | None = None) -> Reading:
    return read(client_of(answers, key=DEFAULT_KEY).client, cursors)


def listing_of(answers: Answers, table: str, cursor: Cursor | None = None, parents: list[Row] | None = None) -> Listing:
    client = client_of(answers, key=DEFAULT_KEY).client
    return Listing(client, CURSOR_SIM[table], None, cursor, lambda columns: parents or [])


def totals_of(reading: Reading) -> dict[str, int]:
    return {name: listing.source_total for name, listing in reading.listings.items()}
