"""From the agents' logs to usage marts on one machine: collect, send to the lake, load, refresh the marts.

Each step is that of a deployment: the collector, the load function, and dbt's own statements (see build/refresh.py). A
run may stop between any two of them. The next one finds what is missing: files in the spool, objects that are not in
the ledger, changes beyond a mart's watermark.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from millrace import wiring
from millrace.build import job
from millrace.build.dbt import Node
from millrace.build.parsed import project_hash
from millrace.build.refresh import MartScripts
from millrace.bus.events import ObjectFinalized
from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import Collector, CollectResult, ProgressCallback, no_progress
from millrace.collect.machine import Machine
from millrace.collect.shipping import UploadResult, ship
from millrace.errors import ConfigError, Step
from millrace.lake import StoredObject
from millrace.laptop import claims
from millrace.laptop.data_dir import DataDir
from millrace.load import handler, quarantine, recovery
from millrace.load.handler import Loader
from millrace.runs import build_requests
from millrace.status import usage_checks
from millrace.status.usage_checks import Diagnosis
from millrace.warehouse import LedgerEntry
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse


@dataclass(slots=True)
class RunResult:
    """The result of one run, and the seconds of each step."""

    collected: CollectResult
    upload: UploadResult
    loads: list[LedgerEntry] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def inserted(self) -> int:
        """How many rows were new to the warehouse."""
        return sum(entry.rows_inserted for entry in self.loads)

    @property
    def updated(self) -> int:
        """How many rows of the warehouse changed."""
        return sum(entry.rows_updated for entry in self.loads)


class UsagePipeline:
    """The pipeline from this machine's logs to the marts, which `scripts` refresh; without them a build has to."""

    def __init__(self, collector: Collector, spool: Path, loader: Loader, warehouse: DuckDBWarehouse) -> None:
        self.scripts: MartScripts | None = None
        self.lake = loader.lake
        self._collector = collector
        self._spool = spool
        self._loader = loader
        self._warehouse = warehouse

    def run_once(
        self, only: set[Path] | None = None, since: date | None = None, on_progress: ProgressCallback = no_progress
    ) -> RunResult:
        """Collect new events from the named logs and load them; without names, from all, with what was left over."""
        seconds: dict[str, float] = {}
        with _timed(seconds, "collect"):
            collected = self._collector.collect(only, since, on_progress)
        with _timed(seconds, "send"):
            upload = ship(self._spool, self._loader.lake, self._collector.collector_id)
        with _timed(seconds, "load"):
            loads = self._load(self._unloaded() if only is None else upload.sent)
            if only is None:
                loads += self._load(quarantine.retry_due(self._loader))
        result = RunResult(collected, upload, loads, seconds)
        if self.scripts is not None and (only is None or result.inserted + result.updated):
            with _timed(seconds, "marts"):
                self.scripts.refresh(self._warehouse)
        return result

    def _unloaded(self) -> Sequence[StoredObject]:
        return recovery.lacking(self._loader.lake, self._warehouse)

    def _load(self, objects: Sequence[StoredObject]) -> list[LedgerEntry]:
        for stored in objects:
            handler.answer(self._loader, ObjectFinalized(stored.version, stored.crc32c, stored.size_bytes))
        return list(self._warehouse.find_all([stored.version for stored in objects]).values())


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started


@dataclass(frozen=True, slots=True)
class LocalPipeline:
    """The whole pipeline on this machine."""

    data_dir: DataDir
    warehouse: DuckDBWarehouse
    collector: Collector
    usage: UsagePipeline

    def build(
        self, full_refresh: bool = False, on_node: Callable[[Node, int], None] = lambda node, total: None
    ) -> job.Outcome:
        """Build and test all that is due with dbt; afterwards its scripts can refresh the usage marts."""
        outcome = job.run(
            wiring.builder_of(self.data_dir.build_config(), on_node), force=True, full_refresh=full_refresh
        )
        if outcome.state != "failed":
            self.usage.scripts = MartScripts.of_last_build(self.data_dir.dbt)
        return outcome

    def is_current(self) -> bool:
        """Return whether the newest build is good, of this dbt project, contains all changes, and is published."""
        newest, seen = next(iter(self.warehouse.last_builds(1)), None), self.warehouse.published()
        if newest is None or seen is None or seen.number != newest.number:
            return False
        project = project_hash(Path(self.data_dir.build_config().dbt_dir))
        wanted = build_requests.requested(self.usage.lake)
        return job.is_current(newest, wanted, self.warehouse.newest_load_seq(), project)

    def publish(self) -> None:
        """Publish the usage marts as they are."""
        for build in self.warehouse.last_builds(1):
            self.warehouse.publish(build)


@contextmanager
def local_pipeline(machine: Machine, data_dir: DataDir) -> Iterator[LocalPipeline]:
    """Yield the pipeline; meanwhile no run, no build and no other collector uses the data directory.

    Raises ConfigError for the data directory of a demo.
    """
    with ExitStack() as stack:
        stack.enter_context(data_dir.lock())
        claims.claim(data_dir, "real")
        load = data_dir.load_config()
        warehouse = wiring.duckdb_at(load.warehouse, load.memory)
        stack.callback(warehouse.close)
        warehouse.ensure_tables()
        collector = stack.enter_context(machine.collector())
        usage = UsagePipeline(collector, machine.spool, wiring.loader_of(load), warehouse)
        yield LocalPipeline(data_dir, warehouse, collector, usage)


def diagnose(data_dir: DataDir) -> Diagnosis:
    """Return the findings on the usage of a data directory; ConfigError when nothing was built in it yet."""
    if not data_dir.published.exists():
        raise ConfigError(f"nothing was built in {data_dir.root} yet", step=Step.BEGIN)
    load = data_dir.load_config()
    warehouse = wiring.duckdb_at(load.warehouse, load.memory)
    skipped: Counter[tuple[str, str]] = Counter()
    for state in sorted(data_dir.collector_state().glob("**/state.sqlite")):
        with closing(CheckpointStore.copy(state.parent)) as store:
            skipped.update(store.skipped())
    return usage_checks.diagnose(warehouse.query_published, skipped)
