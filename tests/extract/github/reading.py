"""Readings of a simulated GitHub over a real socket, one delivery or several."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from millrace.extract.auth import Bearer
from millrace.extract.budget import RateBudget
from millrace.extract.deadline import Deadline
from millrace.extract.graphql import GraphQL
from millrace.extract.http_client import RequestStats, SourceClient
from millrace.extract.reading import Outcome, Request
from millrace.extract.sources.github.credentials import HEADERS, App
from millrace.extract.sources.github.source import GitHubSource
from millrace.runs import Cursor, Plan
from millrace.tables import ENDPOINTS, TABLES
from simulator.github import DEFAULT_TOKEN, App as SimulatedApp, Clock, Company, Knobs, Served, served

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Read:
    """What a reading gave: its rows by table, the state after each page, and its outcome."""

    rows: Rows = field(default_factory=dict)
    states: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def windows(self) -> list[dict[str, Any]]:
        """The rows of source_windows."""
        return self.rows.get("source_windows", [])

    @property
    def window(self) -> dict[str, Any]:
        """The only row of source_windows."""
        (row,) = self.windows
        return row

    def keys(self, table: str) -> set[tuple[Any, ...]]:
        """Return the different keys of the rows of a table."""
        return {tuple(row[name] for name in TABLES[table].key) for row in self.rows.get(table, [])}

    @property
    def is_accounted(self) -> bool:
        """Whether the rows that the record reports as read now are those that were read: no more, no less."""
        assert self.outcome is not None
        table = next(name for name in self.outcome.totals if name.startswith("github_"))
        return self.outcome.source_total - self.outcome.known == len(self.keys(table))

    def add(self, batch: Mapping[str, Sequence[dict[str, Any]]]) -> None:
        """Keep a batch."""
        for table, rows in batch.items():
            self.rows.setdefault(table, []).extend(rows)


def source_of(served: Served, token: str = DEFAULT_TOKEN, rest: str = "", path: str = "") -> GitHubSource:
    """Return a source that reads a simulated GitHub, whose clock moves when the client waits."""
    return GitHubSource(GraphQL(client_of(served.url + path, served.clock, token)), "acme", rest)


@contextmanager
def as_app(company: Company, knobs: Knobs) -> Iterator[GitHubSource]:
    """Serve a company to an App that is installed on its account; yield the source."""
    with served_to_app(company, knobs) as (_, source):
        yield source


@contextmanager
def served_to_app(company: Company, knobs: Knobs, clock: Clock | None = None) -> Iterator[tuple[Served, GitHubSource]]:
    """Serve a company to an App that is installed on its account; yield the server, and the source that reads it."""
    key = rsa.generate_private_key(65537, 2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    numbers = key.public_key().public_numbers()
    with served(company, knobs, app=SimulatedApp("12345", numbers.n, numbers.e), clock=clock) as github:
        auth = App("12345", text, "acme", clock=github.clock.now_s)
        client = replace(client_of(github.url, github.clock, "unused"), auth=auth)
        yield github, GitHubSource(GraphQL(client), "acme")


def client_of(url: str, clock: Clock, token: str) -> SourceClient:
    """Return a client without a pace, which waits on the simulator's clock."""
    session = requests.Session()
    session.trust_env = False
    budget = RateBudget(None, 1, sleep=clock.advance)
    return SourceClient(url, Bearer(token), budget, session=session, sleep=clock.advance, headers=HEADERS)


def request_of(
    endpoint: str,
    company: Company,
    at: int = 0,
    *,
    scope: Any = "full",
    mark: Mapping[str, Any] | None = None,
    held: Mapping[str, Any] | None = None,
    now: datetime = NOW,
    repositories: tuple[str, ...] = (),
    names: Mapping[int, str] | None = None,
) -> Request:
    """Return the request for one repository of a company as it was listed; `at` is its place."""
    ids = {each.id: each.full_name for each in company.repositories} if names is None else dict(names)
    partition = "" if endpoint == "github_repos" else str(list(ids)[at])
    plan = Plan(
        "20261101T120000Z-acme",
        now.isoformat(),
        None,
        False,
        source="github",
        account="acme",
        scope=scope,
        repositories=repositories,
    )
    cursor = None if mark is None else Cursor(None, now.isoformat(), {}, marks={partition: mark})
    return Request(
        plan,
        ENDPOINTS[endpoint],
        partition,
        cursor,
        lambda columns: [{"repo_id": repo_id, "full_name": name} for repo_id, name in ids.items()],
        held,
        now,
        RequestStats(),
        Deadline(),
    )


def read(source: GitHubSource, request: Request) -> Read:
    """Read a task to its end."""
    result = Read()
    reading = source.reading(request)
    for batch in reading.rows():
        result.add(batch)
        result.states.append(reading.held())
    result.outcome = reading.outcome()
    return result


def pages(source: GitHubSource, request: Request) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the batches of a reading with the state after each."""
    reading = source.reading(request)
    for batch in reading.rows():
        yield batch, reading.held()
