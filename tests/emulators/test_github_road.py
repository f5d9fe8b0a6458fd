"""An account of GitHub over the emulated platform: the services, settings, filters and rights of Terraform's plan."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.emulators.deployment import Deployed, deployed

from emulators.broker import Broker
from millrace import runs
from millrace.runs import Cursor
from simulator.answers import SimulatedRequest, SimulatedResponse
from simulator.github import DEFAULT_TOKEN, App, Clock, Company, Knobs, generate, truth
from simulator.github.api import SimulatedGitHub
from simulator.server import listening

ENDS = ("repos", "pulls", "commits")
FAULT_SHARE = 0.1
PAUSE_S = 0.55  # of each answer: some three fit into a delivery
SHORT = {"MILLRACE_DELIVERY_S": "4", "MILLRACE_TIMEOUT_S": "1", "MILLRACE_ANSWER_S": "1"}


class Watched:
    """A simulated GitHub as one service reaches it: how many of its GraphQL requests were open at once."""

    def __init__(self, github: SimulatedGitHub, pause_s: float) -> None:
        self.most_at_once = self.asked = 0
        self._github, self._pause_s, self._open = github, pause_s, 0
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        return self._github.requests

    @property
    def rate_limited(self) -> int:
        return self._github.rate_limited

    def answer_request(self, request: SimulatedRequest) -> tuple[SimulatedResponse, bool]:
        is_query = request.target == "/graphql"
        with self._lock:
            self.asked += 1
            self._open += is_query
            self.most_at_once = max(self.most_at_once, self._open)
        try:
            time.sleep(self._pause_s)
            return self._github.answer_request(request)
        finally:
            with self._lock:
                self._open -= is_query


@dataclass(frozen=True, slots=True)
class Road:
    """The running services of one account, and the GitHub that they read."""

    deployed: Deployed
    github: SimulatedGitHub
    watched: dict[str, Watched]
    start: str
    account: str

    def run(self, at: datetime) -> list[runs.Plan]:
        """Start a run as the scheduler does; wait until it has ended, and the one that follows, and all is noted."""
        run_id: str | None = str(self.deployed.call(self.start, at)["run_id"])
        plans = []
        while run_id is not None:
            assert self.deployed.wait_for(run_id).status == "complete"
            plans.append(runs.read_plan(self.deployed.lake, run_id))
            run_id = runs.next_run_id(plans[-1])
        self.deployed.until(lambda: self.cursor("github_pull_requests").run_id == plans[-1].run_id)
        self.deployed.until(lambda: self.cursor("github_commits").run_id == plans[-1].run_id)
        return plans

    def cursor(self, endpoint: str) -> Cursor:
        return runs.held_cursor(self.deployed.lake, endpoint, self.account) or Cursor(None, "", {})


@contextmanager
def road(
    folder: Path,
    company: Company,
    label: str,
    secret: Mapping[str, str],
    github: SimulatedGitHub,
    pause_s: float = 0,
    broker: Broker | None = None,
    **more: str,
) -> Iterator[Road]:
    """Run the services of an account; each reaches the simulator at an address of its own."""
    with ExitStack() as stack:
        watched = {f"{label}-{end}": Watched(github, pause_s) for end in ENDS}
        urls = {name: stack.enter_context(listening(each)).url for name, each in watched.items()}
        settings = {name: {"MILLRACE_SOURCE_URL": url, **secret, **more} for name, url in urls.items()}
        running = stack.enter_context(deployed(folder, {f"{label}-start": {}, "load": {}, **settings}, broker))
        yield Road(running, github, watched, f"{label}-start", company.account.login)
        assert running.refused == []


def company_until(now: datetime, account: str = "acme", **more: Any) -> Company:
    return generate(account=account, end=now.isoformat().replace("+00:00", "Z"), **more)


def app_of(number: str) -> tuple[str, App]:
    """Return the private key of a new App as PEM, and the App as GitHub knows it."""
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return text, App(number, numbers.n, numbers.e)


def assert_is_truth(warehouse: Path, company: Company, unread: dict[str, None]) -> None:
    """Compare the raw tables with the company, whose `unread` columns the settings leave out.

    Which commit shows an identity depends on what was read last, so only the identities themselves are compared.
    """
    tables = {
        table: [{name: value for name, value in (row | unread).items() if name in row} for row in rows]
        for table, rows in truth.rows(company).items()
    }
    tables["identities"] = [
        {name: row[name] for name in ("system", "account", "account_id", "email")} for row in tables["identities"]
    ]
    found = raw(warehouse, tables)
    wrong = {table: found[table] for table, rows in tables.items() if found[table] != ordered(r.values() for r in rows)}
    assert wrong == {}
    assert min(len(rows) for rows in tables.values()) > 0


def raw(warehouse: Path, expected: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of raw tables, in the columns of these rows, sorted."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        found = {}
        for table, rows in expected.items():
            columns = ", ".join(f'"{name}"' for name in rows[0])
            held = connection.execute(f"SELECT {columns} FROM raw.{table}").fetchall()  # noqa: S608
            found[table] = ordered(tuple(map(text, row)) for row in held)
    return found


def text(value: Any) -> Any:
    return value.isoformat() + "Z" if isinstance(value, datetime) else value


def ordered(rows: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in rows), key=repr)


def test_an_account_is_read_by_the_planned_services_and_then_only_its_changes(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    company = company_until(now, repositories=2, pulls=40, days=300, seed=3)
    github = SimulatedGitHub(company, Knobs(), Clock(company.end, is_running=True))
    with road(tmp_path, company, "gh-acme", {"MILLRACE_SOURCE_KEY": DEFAULT_TOKEN}, github) as account:
        assert [plan.scope for plan in account.run(now)] == ["recent", "full"]
        before = len(github.log.requests)
        (later,) = account.run(now + timedelta(minutes=30))
        asked = Counter(each.operation for each in github.log.requests[before:])
    assert later.scope == "changes"
    assert (asked["PullRequests"], asked["DefaultBranch"], asked["History"]) == (2, 2, 0)
    assert {each.most_at_once for each in account.watched.values()} == {1}
    assert github.log.most_at_once <= len(ENDS)
    assert_is_truth(account.deployed.warehouse, company, {"body": None})


@pytest.mark.proof
def test_short_deliveries_faults_duplicates_and_an_expired_token_end_in_the_truth(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    company = company_until(now, "mega-widgets", repositories=2, pulls=120, days=300, seed=4)
    key, app = app_of("12345")
    github = SimulatedGitHub(company, Knobs(token_expires_at=12), Clock(company.end, is_running=True), app=app)
    broker = Broker(FAULT_SHARE, deliver_twice=True)
    with road(
        tmp_path, company, "gh-mega-cb1fb", {"MILLRACE_GITHUB_APP_KEY": key}, github, PAUSE_S, broker, **SHORT
    ) as account:
        assert [plan.scope for plan in account.run(now)] == ["recent", "full"]
        paused, extracted = account.deployed.logged("paused"), account.deployed.logged("extracted")
    assert broker.faults > 0
    assert {401, 200} <= {each.status for each in github.log.requests}
    assert "github_commits" in {line["table"] for line in paused}
    assert max(line["deliveries"] for line in extracted) >= 2
    assert len(extracted) == 2 * (1 + 2 * len(company.repositories))  # each task was finished once
    assert {each.most_at_once for each in account.watched.values()} == {1}
    repeated = Counter(each.digest for each in github.log.requests if each.operation == "PullRequests")
    assert repeated.total() - len(repeated) <= broker.faults
    assert_is_truth(account.deployed.warehouse, company, {"title": None, "headline": None})
