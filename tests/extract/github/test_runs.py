"""Whole runs of an account through the extract functions' code: messages, parts, and what the next run knows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.extract.github.mangling import changed, nodes_in
from tests.extract.github.reading import NOW, source_of

from millrace import runs
from millrace.bus.events import TaskEvent
from millrace.extract import task as tasks
from millrace.extract.sources.github.source import GitHubSource
from millrace.extract.task import Extractor
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.lake.names import CursorKey
from millrace.runs import Origin, RunRequest, Scope, TaskRecord
from millrace.runs.reconcile import reconcile
from millrace.tables import TABLES
from millrace.warehouse import LedgerEntry
from simulator.github import Company, Knobs, Served, generate, served

pytestmark = pytest.mark.slow
ORIGIN = Origin("github", "acme")


class Killed(BaseException):
    """The process ended."""


@dataclass
class Account:
    """The runs of an account: messages that are not acknowledged, and a lake."""

    folder: Path
    github: Served
    messages: list[TaskEvent] = field(default_factory=list)
    source: GitHubSource | None = None

    def __post_init__(self) -> None:
        self.lake: LocalLake = LocalLake(self.folder / "lake", "lake")
        self.number = 0

    def publish(self, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        """Keep a request of a task; who else is informed of a finished one does not matter here."""
        if topic.endswith("requests"):
            self.number += 1
            task = TaskEvent(str(data["run_id"]), str(data["table"]), str(data["task_id"]), f"m{self.number}")
            if task.task_id not in [each.task_id for each in self.messages if each.run_id == task.run_id]:
                self.messages.append(task)

    def run(self, scope: Scope | None, at: datetime = NOW) -> str:
        """Start a run, and deliver its messages until none is left; a killed delivery is repeated by a new process."""
        plan = runs.start(self.lake, self, RunRequest(at, scope=scope), ORIGIN)
        while self.messages:
            task = self.messages[0]
            extractor = Extractor(self.lake, self, self.source or source_of(self.github), "acme", lambda: at)
            try:
                record = tasks.extract(extractor, task)
            except Killed:
                continue
            assert record is not None
            self.messages.remove(task)
        return plan.run_id

    def rows(self, run_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of a run's parts by table."""
        found: dict[str, list[dict[str, Any]]] = {}
        for _, record in runs.read_tree(self.lake, run_id):
            assert isinstance(record, TaskRecord)
            for part in record.parts:
                path = self.folder / "part.parquet"
                self.lake.download(part.version("lake"), path)
                table = part.name.split("/")[1]
                found.setdefault(table, []).extend(pq.read_table(path).to_pylist())
        return found


def keys(rows: dict[str, list[dict[str, Any]]], table: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in TABLES[table].key) for row in rows.get(table, []))


def numbers_of(company: Company) -> set[tuple[Any, ...]]:
    return {("acme", each.id, pull.number) for each in company.repositories for pull in each.pulls}


def test_a_full_run_has_every_row_once_and_a_window_for_each_list(tmp_path: Path) -> None:
    company = generate(3, 60, seed=11)
    company.repositories[2].is_disabled = True
    seen = [each for each in company.repositories if not each.is_disabled]
    with served(company, Knobs(long_reviews=40, force_push=True)) as github:
        account = Account(tmp_path, github)
        rows = account.rows(account.run("full"))
    pulls = keys(rows, "github_pull_requests")
    assert set(pulls) == {("acme", each.id, pull.number) for each in seen for pull in each.pulls}
    assert set(pulls.values()) == {1}
    windows = {(row["object"], row["window"]): row["state"] for row in rows["source_windows"]}
    expected = {("repositories", "all"): "known"}
    for each in company.repositories:
        state = "refused" if each.is_disabled else "known"
        expected |= {("pull_requests", str(each.id)): state, ("commits", str(each.id)): state}
    assert windows == expected


def test_the_first_run_is_followed_by_a_full_one(tmp_path: Path) -> None:
    company = generate(2, 200, seed=12)
    with served(company) as github:
        account = Account(tmp_path, github)
        first = account.rows(account.run(None))
        run_ids = sorted(path.name for path in (tmp_path / "lake/runs").iterdir())
        full = account.rows(run_ids[-1])
    states = {row["state"] for row in first["source_windows"] if row["object"] == "pull_requests"}
    assert states == {"provisional"}
    assert set(keys(first, "github_pull_requests")) < numbers_of(company)
    assert len(run_ids) == 2
    assert set(keys(full, "github_pull_requests")) == numbers_of(company)
    assert {row["state"] for row in full["source_windows"]} == {"known"}


class Dying(LocalLake):
    """A lake whose process ends now and then while it saves the progress of a task, before or after that is saved."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, "lake")
        self.kills = 0
        self._random = Random(seed)  # noqa: S311

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        """Replace an object, or end the process."""
        if "/progress/" not in name or self._random.random() > 0.3 or self.kills >= 10:
            return super().write(name, content, if_generation)
        self.kills += 1
        if self._random.random() < 0.5:
            super().write(name, content, if_generation)
        raise Killed


@pytest.mark.parametrize("seed", range(3))
def test_killed_deliveries_repeat_one_page_each_and_lose_no_row(tmp_path: Path, seed: int) -> None:
    company = generate(2, 120, seed=13)
    with served(company, Knobs(long_commits=150)) as github:
        account = Account(tmp_path, github)
        account.lake = lake = Dying(tmp_path / "lake", seed)
        rows = account.rows(account.run("full"))
        asked = Counter(each.digest for each in github.log.requests if each.operation not in ("Offered", ""))
    assert lake.kills > 2
    assert set(keys(rows, "github_pull_requests")) == numbers_of(company)
    assert set(keys(rows, "github_pull_requests").values()) == {1}
    assert asked.total() - len(asked) <= 2 * lake.kills  # a page, and the request that continues its lists
    assert {row["state"] for row in rows["source_windows"]} == {"known"}


def test_a_later_run_reads_what_changed_only(tmp_path: Path) -> None:
    company = generate(2, 120, seed=14)
    with served(company) as github:
        account = Account(tmp_path, github)
        remember(account, account.run("full"))
        before = len(github.log.requests)
        later = account.run("changes", NOW + timedelta(days=1))
        asked = Counter(each.operation for each in github.log.requests[before:])
    assert {row["state"] for row in account.rows(later)["source_windows"]} == {"known"}
    assert asked["PullRequests"] == asked["DefaultBranch"] == 2
    assert asked["History"] == 0


@dataclass
class Loaded:
    """A ledger in which every part of an account's runs is, each of its rows as it was before."""

    account: Account

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        """Return None."""
        return None

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        """Return an entry for each part."""
        return [
            LedgerEntry(part.version("lake"), part.table, run_id, NOW, part.rows, 0, 0, part.rows, 0, 0, None, 1, NOW)
            for _, record in runs.read_tree(self.account.lake, run_id)
            if record is not None
            for part in record.parts
        ]

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        """Return none that is in quarantine."""
        return []


def test_the_runs_of_an_account_are_balanced_also_where_two_endpoints_feed_a_table(tmp_path: Path) -> None:
    company = generate(2, 90, seed=15)
    with served(company, Knobs(deleted_after_listing=("api",))) as github:
        account = Account(tmp_path, github)
        run_ids = [account.run("recent")]
        run_ids.append(account.run("full", NOW + timedelta(seconds=1)))
        remember(account, run_ids[-1])
        run_ids.append(account.run("changes", NOW + timedelta(days=1)))
        seen = {table: set[tuple[Any, ...]]() for table in TABLES}
        for run_id in run_ids:
            for table, rows in account.rows(run_id).items():
                seen[table] |= set(keys({table: rows}, table))
            lines = reconcile(account.lake, Loaded(account), run_id, lambda table: len(seen[table.name]))
            assert [line.table for line in lines if not line.is_balanced] == []
            assert len(lines) > 5


def remember(account: Account, run_id: str) -> None:
    """Write the cursors as the load does after a run."""
    marks: dict[str, dict[str, Any]] = {}
    for task_id, record in runs.read_tree(account.lake, run_id):
        assert isinstance(record, TaskRecord)
        endpoint, _, partition = task_id.partition("__")
        if record.mark is not None:
            marks.setdefault(endpoint, {})[partition] = dict(record.mark)
    for endpoint, of_endpoint in marks.items():
        cursor = runs.Cursor(None, NOW.isoformat(), {}, marks=of_endpoint, run_id=run_id, full_at=NOW.isoformat())
        account.lake.write(str(CursorKey(endpoint, "acme")), cursor.to_json(), if_generation=0)


def test_a_run_with_a_bad_pull_request_is_balanced_and_so_is_the_next_one(tmp_path: Path) -> None:
    company = generate(2, 9, seed=16)

    def spoil(body: dict[str, Any]) -> None:
        for node in nodes_in(body):
            if node.get("number") in bad and "state" in node:
                node["additions"] = 2**64

    with changed(company, spoil) as (source, github):
        account = Account(tmp_path, github, source=source)
        seen = {table: set[tuple[Any, ...]]() for table in TABLES}
        bad = {3}
        run_ids = [account.run("full")]
        bad = set[int]()
        run_ids.append(account.run("full", NOW + timedelta(seconds=1)))
        remember(account, run_ids[-1])
        bad = {5}
        run_ids.append(account.run("changes", NOW + timedelta(days=1)))
        states = []
        for run_id in run_ids:
            rows = account.rows(run_id)
            states.append(Counter(row["state"] for row in rows["source_windows"]))
            for table, some in rows.items():
                seen[table] |= set(keys({table: some}, table))
            lines = reconcile(account.lake, Loaded(account), run_id, lambda table: len(seen[table.name]))
            assert [str(line) for line in lines if not line.is_balanced] == []
        assert seen["github_pull_requests"] == numbers_of(company)
        assert [each["unknown"] for each in states] == [2, 0, 2]
