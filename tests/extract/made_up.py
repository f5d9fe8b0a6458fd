"""A made-up source of two levels: repositories, and the lists of each, in pages whose order never changes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from millrace import runs
from millrace.bus import EXTRACT_REQUESTS
from millrace.bus.events import TaskEvent
from millrace.errors import MillraceError
from millrace.extract import task as tasks
from millrace.extract.reading import Outcome, Reading, Request, Row, Rows
from millrace.extract.task import DeliveryLimits, Extractor
from millrace.lake import ObjectVersion, StoredObject
from millrace.lake.local import LocalLake
from millrace.lake.names import RawPart, parse
from millrace.runs import Origin, Plan, RunRequest
from millrace.tables import ENDPOINTS, TABLES
from millrace.warehouse import LedgerEntry

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
ACME = Origin("github", "acme")
RECENT, FULL = "20261120T060000Z-acme", "20261120T060001Z-acme"
_PAGE = 4

Asked = tuple[str, str, str, int]


class Killed(BaseException):
    """The process of a delivery ends here."""


@dataclass
class MadeUp:
    """The source: so many repositories, each with pull requests and reviews, and commits.

    `asked` counts the requests by run, endpoint, repository and page. The repositories in `refused` cannot be read;
    `hostile` are named beside the repositories.
    """

    repositories: int
    asked: Counter[Asked] = field(default_factory=Counter)
    refused: frozenset[str] = frozenset()
    hostile: tuple[str, ...] = ()
    failing: MillraceError | None = None

    def ids(self) -> list[str]:
        return [str(1001 + number) for number in range(self.repositories)]

    def rows_of(self, endpoint: str, partition: str) -> list[dict[str, list[Row]]]:
        """Return the pages of one list: rows by raw table."""
        if endpoint == "github_repos":
            made = [
                {"github_repos": {"account": "acme", "repo_id": int(each), "full_name": f"acme/r{each}"}}
                for each in self.ids()
            ]
        elif endpoint == "github_pull_requests":
            made = [
                {
                    "github_pull_requests": {"account": "acme", "repo_id": int(partition), "number": number},
                    "github_reviews": {"account": "acme", "pr_id": int(partition) * 100 + number, "id": number},
                }
                for number in range(int(partition) % 3 * (_PAGE + 1))
            ]
        else:
            made = [
                {"github_commits": {"account": "acme", "repo_id": int(partition), "sha": f"{partition}-{number}"}}
                for number in range(int(partition) % 2 * 2 * _PAGE)
            ]
        pages = [made[first : first + _PAGE] for first in range(0, len(made), _PAGE)] or [[]]
        return [{table: [row[table] for row in page] for table in (page[0] if page else {})} for page in pages]

    def all_rows(self) -> dict[str, set[str]]:
        """Return the keys of every row by raw table."""
        pages = self.rows_of("github_repos", "")
        for each in self.ids():
            if each not in self.refused:
                pages += self.rows_of("github_pull_requests", each) + self.rows_of("github_commits", each)
        found: dict[str, set[str]] = {}
        for page in pages:
            for table, rows in page.items():
                found.setdefault(table, set()).update(key_of(table, row) for row in rows)
        return found

    def reading(self, request: Request) -> Reading:
        return _Reading(self, request)


def key_of(table: str, row: Mapping[str, Any]) -> str:
    return repr([row.get(name) for name in TABLES[table].key])


class _Reading:
    is_page_saved = True

    def __init__(self, source: MadeUp, request: Request) -> None:
        self._source = source
        self._request = request
        self._next = int((request.held or {"next": 0})["next"])
        self._found = dict((request.held or {"found": {}})["found"])
        self._pages = source.rows_of(request.endpoint.name, request.partition)

    @property
    def lists(self) -> tuple[int, int | None]:
        return self._next, len(self._pages)

    def rows(self) -> Iterator[Rows]:
        request = self._request
        if request.partition:
            names = [row["full_name"] for row in request.parents(("repo_id", "full_name"))]
            assert f"acme/r{request.partition}" in names
        if request.partition in self._source.refused:
            yield {"source_windows": [self._window("refused")]}
            return
        while self._next < len(self._pages):
            request.deadline.require()
            if self._source.failing is not None:
                raise self._source.failing
            self._source.asked[(request.plan.run_id, request.endpoint.name, request.partition, self._next)] += 1
            request.stats.requests += 1
            page = self._pages[self._next]
            for table, rows in page.items():
                self._found[table] = self._found.get(table, 0) + len(rows)
            self._next += 1
            yield page

    def _window(self, state: str) -> Row:
        request = self._request
        return {
            "source": "github",
            "account": "acme",
            "object": request.endpoint.name,
            "window": request.partition,
            "state": state,
            "read_at": request.now.isoformat(),
        }

    def held(self) -> dict[str, Any]:
        return {"next": self._next, "found": dict(self._found)}

    def outcome(self) -> Outcome:
        request, main = self._request, self._request.endpoint.feeds[0]
        is_root = request.endpoint.name == "github_repos"
        is_refused = request.partition in self._source.refused
        return Outcome(
            plan="made up",
            source_total=self._found.get(main, 0),
            totals={table: count for table, count in self._found.items() if table != main},
            children=(*self._source.ids(), *self._source.hostile) if is_root else (),
            mark=None if is_refused else {"by": request.plan.run_id},
        )


@dataclass
class Loads:
    """A ledger of everything that was written under `raw/`."""

    rows: list[LedgerEntry] = field(default_factory=list)

    def note(self, stored: StoredObject) -> None:
        key = parse(stored.version.name)
        if isinstance(key, RawPart):
            entry = LedgerEntry(
                stored.version, key.table, key.run_id, START, 0, 0, 0, 0, 0, 0, None, len(self.rows) + 1, START
            )
            self.rows.append(entry)

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        return [entry for entry in self.rows if entry.run_id == run_id]

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        return [] if is_quarantined else list(self.rows)

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        return next((entry for entry in self.rows if entry.version == version), None)


class Account:
    """The extract functions of an account on one machine; a message stays until its delivery ends well.

    `kill` is asked before and after each write whether the process ends there.
    """

    def __init__(self, folder: Path, source: MadeUp, kill: Callable[[str], bool] = lambda moment: False) -> None:
        self.source = source
        self.loads = Loads()
        self.raw_lake = LocalLake(folder / "lake", "lake", self.loads.note)
        self.lake = _Mortal(self.raw_lake, kill)
        self.messages: list[TaskEvent] = []
        self.requested: Counter[str] = Counter()
        self.kills = 0
        self.now = START
        self.limits = DeliveryLimits()
        self._folder = folder

    def publish(self, topic: str, data: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        if topic == EXTRACT_REQUESTS:
            assert attributes["account"] == "acme"
            task = TaskEvent(data["run_id"], data["table"], data["task_id"], f"m{self.requested.total()}")
            self.requested[f"{task.run_id}/{task.task_id}"] += 1
            self.messages.append(task)

    def start(self, **wishes: Any) -> Plan:
        """Start a run as the scheduler does, until it succeeds."""
        while True:
            try:
                return runs.start(self.lake, self, RunRequest(self.now, **wishes), ACME)
            except Killed:
                self.kills += 1

    def extractor(self, account: str = "acme") -> Extractor:
        return Extractor(self.lake, self, self.source, account, lambda: self.now, self.limits)

    def deliver(self, event: TaskEvent, account: str = "acme") -> None:
        tasks.answer(self.extractor(account), ENDPOINTS[event.table], event)

    def run(self) -> None:
        """Deliver every message until none is left."""
        while self.messages:
            event = self.messages.pop(0)
            try:
                self.deliver(event)
            except Killed:
                self.kills += 1
                self.messages.append(event)

    def rows(self, run_id: str) -> dict[str, list[str]]:
        """Return the keys of the rows in the recorded parts of a run, by raw table."""
        found: dict[str, list[str]] = {}
        path = self._folder / "part.parquet"
        for _, record in runs.read_tree(self.raw_lake, run_id):
            assert record is not None
            for part in record.parts:
                self.raw_lake.download(part.version("lake"), path)
                rows = pq.read_table(path).to_pylist()
                found.setdefault(part.table, []).extend(key_of(part.table, row) for row in rows)
        return found


class _Mortal:
    """A lake; before or after a write the process may end."""

    def __init__(self, lake: LocalLake, kill: Callable[[str], bool]) -> None:
        self._lake = lake
        self._kill = kill

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        if self._kill(f"before {name}"):
            raise Killed
        stored = self._lake.write(name, content, if_generation)
        if self._kill(f"after {name}"):
            raise Killed
        return stored
