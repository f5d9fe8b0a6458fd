"""One account of a simulated GitHub through the functions as they are deployed: the bus, a lake, DuckDB, real sockets.

Only the source's client differs from a deployed one: its waits move the simulator's clock.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.extract.github.reading import served_to_app, source_of
from tests.proofs.faults.world import replaced
from tests.proofs.github.sent import Sent

from millrace import runs, wiring
from millrace.extract.sources.github.rows import Texts
from millrace.extract.sources.github.source import GitHubSource
from millrace.extract.task import Extractor
from millrace.laptop import in_process
from millrace.laptop.data_dir import DataDir
from millrace.laptop.functions import START_RUN
from millrace.load import sweep
from millrace.load.sweep import SweepTimeouts
from millrace.tables import TABLES
from millrace.warehouse.duckdb.merge import quoted
from simulator.github import Clock, Company, Knobs, Served, served

END = "2026-01-31T12:00:00Z"
"""Until when companies are generated: past, as the load refuses rows from a time to come."""
NAME = "acme"
Row = dict[str, Any]


def settings(url: str = "https://api.github.com", token: str = "unused") -> dict[str, str]:  # noqa: S107 no secret
    """Return the settings of the functions for the account."""
    names = {"SOURCE": "github", "ACCOUNT": NAME, "SOURCE_URL": url, "SOURCE_KEY": token, "BODIES": "on"}
    return {f"MILLRACE_{name}": value for name, value in names.items()} | {"MILLRACE_REQUESTS_PER_MINUTE": "0"}


@dataclass
class Account:
    """The pipeline, and the source that its extract functions read now."""

    pipeline: in_process.Pipeline
    clock: Clock = field(default_factory=lambda: Clock(END))
    source: GitHubSource | None = None
    failures: list[str] = field(default_factory=list)
    sent: Sent = field(default_factory=Sent)

    @contextmanager
    def reading(self, company: Company, knobs: Knobs, is_app: bool = False) -> Iterator[Served]:
        """Serve a company, and read it, while the context lasts; as an App, or with a token."""
        with ExitStack() as stack:
            if is_app:
                github, source = stack.enter_context(served_to_app(company, knobs, self.clock))
            else:
                github = stack.enter_context(served(company, knobs, clock=self.clock))
                source = source_of(github)
            source.graphql.client.session.mount("http://", self.sent)
            self.source = replace(source, texts=Texts(bodies=True))
            yield github

    def extractor(self, *_: object) -> Extractor:
        """Return what the extract functions use."""
        assert self.source is not None
        return Extractor(self.pipeline.lake, self.pipeline.bus, self.source, NAME, self.now)

    def now(self) -> datetime:
        """Return the time of the simulator's clock."""
        return datetime.fromtimestamp(self.clock.now_s(), UTC)

    def run(self, scope: str | None = None) -> str:
        """Start a run an hour later, and deliver its messages, also those of the run that follows it.

        The reasons of deliveries that fail for good are added to `failures`.
        """
        self.clock.advance(timedelta(hours=1).total_seconds())
        run_id = start_run(self.now(), scope)
        self.pipeline.bus.run()
        self.failures += [f"{each.subscription}: {each.reason}" for each in self.pipeline.bus.dead_letters]
        self.pipeline.bus.dead_letters.clear()
        return run_id

    def sweep(self) -> None:
        """Take up what earlier runs left, as the scheduled sweep does."""
        at, quiet = self.now(), SweepTimeouts(timedelta(0), timedelta(days=10_000))
        sweep.sweep(self.pipeline.lake, self.pipeline.bus, self.pipeline.warehouse, at, quiet, NAME)
        self.pipeline.bus.run()

    def is_final(self, run_id: str) -> bool:
        """Return whether a run is complete."""
        final = runs.read_final(self.pipeline.lake, run_id)
        return final is not None and final.status == "complete"

    def rows(self, table: str) -> list[Row]:
        """Return the rows of a raw table, without the columns about how they were loaded."""
        names = TABLES[table].columns.names
        with self.pipeline.warehouse._transaction() as connection:
            found = connection.execute(f"SELECT {', '.join(map(quoted, names))} FROM raw.{table}").fetchall()  # noqa: S608
        return [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in found]

    def windows(self) -> dict[tuple[str, str], Row]:
        """Return the rows of source_windows by object and window."""
        return {(row["object"], row["window"]): row for row in self.rows("source_windows")}


def start_run(at: datetime, scope: str | None) -> str:
    """Call the function that starts runs; return the id of the run."""
    body = {} if scope is None else {"scope": scope}
    headers = {"X-CloudScheduler-ScheduleTime": at.isoformat()}
    answer = START_RUN.application().test_client().post("/", json=body, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return str(answer.get_json()["run_id"])


@contextmanager
def opened(folder: Path) -> Iterator[Account]:
    """Yield the account of an empty data directory; the environment is as it was afterwards."""
    with ExitStack() as stack:
        stack.enter_context(environment(settings()))
        pipeline = in_process.connect(DataDir(folder / "data").settings())
        stack.callback(pipeline.warehouse.close)
        pipeline.warehouse.ensure_tables()
        logger = logging.getLogger("millrace")
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
        account = Account(pipeline)
        stack.enter_context(replaced(wiring, "extractor_of", account.extractor))
        yield account


@contextmanager
def environment(more: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a while, and undo what the block sets."""
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _plain(value: object) -> object:
    """Return a value as the truth has it."""
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value
