"""The functions, served in this process with the same subscriptions as on Google Cloud."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from millrace import config, runs, wiring
from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS, events
from millrace.bus.in_process import LocalBus, Subscription
from millrace.config import ExtractConfig, LoadConfig
from millrace.errors import ConfigError
from millrace.extract.sources.cursor_sim import pages
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.extract.sources.cursor_sim.source import CursorSimSource
from millrace.extract.sources.github.source import GitHubSource, Probe
from millrace.lake import Lake
from millrace.lake.local import LocalLake
from millrace.lake.names import PlanKey
from millrace.laptop import github
from millrace.laptop.data_dir import DataDir
from millrace.laptop.functions import EXTRACT, LOAD, START_RUN
from millrace.laptop.github import GitHubOptions
from millrace.laptop.source import NO_SOURCE, SourceOptions
from millrace.load import recovery
from millrace.load.handler import Loader
from millrace.tables import CURSOR_SIM, PageNumberListing, endpoints_of
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.wiring import RequestedBuilds


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The wired pipeline. `account` is the one whose runs its functions serve; "" is that of runs without one."""

    lake: LocalLake
    quarantine: Lake
    warehouse: DuckDBWarehouse
    bus: LocalBus
    job: RequestedBuilds
    account: str = ""

    @property
    def loader(self) -> Loader:
        """The dependencies of a load."""
        return Loader(self.lake, self.quarantine, self.warehouse, self.job)

    def first_scope(self) -> runs.Scope | None:
        """Return that the first run of an account reads everything at once; None: a later run decides itself."""
        origin = wiring.origin_of(ExtractConfig.from_env())
        is_first = runs.scope_of(self.lake, runs.RunRequest(datetime.now(UTC)), origin) == "recent"
        return "full" if is_first else None

    def start_run(self, since: date | None, full_refresh: bool, scope: runs.Scope | None = None) -> str:
        """Start a run as the scheduler does; return its run_id. Nothing is delivered before the bus runs."""
        body = {"full_refresh": full_refresh, "since": str(since) if since else None, "scope": scope}
        now = self._unused_second().isoformat()
        answer = (
            START_RUN.application().test_client().post("/", json=body, headers={"X-CloudScheduler-ScheduleTime": now})
        )
        if answer.status_code != 200:
            raise ConfigError(f"the run could not be started: {answer.get_data(as_text=True)}")
        return str(answer.get_json()["run_id"])

    def _unused_second(self) -> datetime:
        """Return the current time, or that of the next second when a run already has the id of this one."""
        # A second run with the same schedule time is the same run, which has ended: it would extract nothing.
        now = datetime.now(UTC)
        while any(self.lake.list(str(PlanKey(runs.run_id_of(now, self.account))))):
            time.sleep(1 - now.microsecond / 1_000_000)
            now = datetime.now(UTC)
        return now


def probe_source(options: SourceOptions | GitHubOptions) -> Probe | None:
    """Ask the source for little, so that a wrong address or key is reported once, before a run starts.

    Returns what the token of GitHub may see, and None for a source that asks for its shortest list.
    """
    source = wiring.extractor_of(ExtractConfig.from_env()).source
    if isinstance(source, GitHubSource) and isinstance(options, GitHubOptions):
        return github.probe(source, options)
    if isinstance(source, CursorSimSource) and isinstance(options, SourceOptions) and options.objects == ("commits",):
        listing = CURSOR_SIM["commits"].bulk  # Cursor has no shorter list
        if isinstance(listing, PageNumberListing):
            pages.numbered_page(source.client.for_task(), listing, {listing.size_parameter: 1})
    elif isinstance(source, CursorSimSource):
        next(Listing(source.client.for_task(), CURSOR_SIM["repos"], None, None, lambda columns: ()).rows())
    return None


def connect(settings: Mapping[str, str]) -> Pipeline:
    """Serve every function with these settings, and publish the lake's new objects on the bus."""
    config.use(settings)
    wiring.bus_at.cache_clear()  # its subscriptions served another data directory
    wiring.extractor_of.cache_clear()  # it requests tasks on that bus
    load, extract = LoadConfig.from_env(), ExtractConfig.from_env()
    bus, job = wiring.bus_at(settings["MILLRACE_BUS"]), wiring.job_at(load.job)
    lake, quarantine = wiring.lake_at(load.lake), wiring.lake_at(load.quarantine)
    if not isinstance(lake, LocalLake) or not isinstance(bus, LocalBus) or not isinstance(job, RequestedBuilds):
        raise ConfigError("functions in this process need file: and inprocess: adapters")
    lake.finalized = lambda stored: events.notify(bus, stored)
    bus.subscribe(Subscription("load", OBJECT_EVENTS, LOAD.application(), lane="load"))
    for endpoint in endpoints_of(extract.source):
        name, parent = endpoint.name, endpoint.parent
        application = EXTRACT[name].application()
        bus.subscribe(
            Subscription(f"extract-{name}", EXTRACT_REQUESTS, application, lane="extract", matching={"table": name})
        )
        if parent and not endpoint.per_repository:
            after = f"extract-{name}-after-{parent}"
            bus.subscribe(Subscription(after, EXTRACT_EVENTS, application, lane="extract", matching={"table": parent}))
    warehouse = wiring.duckdb_at(load.warehouse, load.memory)
    return Pipeline(lake, quarantine, warehouse, bus, job, extract.account)


def recover(pipeline: Pipeline, say: Callable[[str], None]) -> None:
    """Load all objects of the lake that are not in the warehouse's ledger."""
    again = recovery.recover(pipeline.lake, pipeline.bus, pipeline.warehouse)
    if again:
        say(f"loading {len(again):,} objects of the lake that the warehouse does not know, {again[0].name} first")
        pipeline.bus.run()


def settle(pipeline: Pipeline, say: Callable[[str], None]) -> None:
    """Let the next run read again those rows that are neither in the warehouse nor in the lake."""
    for table in recovery.settle(pipeline.loader):
        held = f"{table.rows:,} rows of the {table.known:,} that were read"
        say(f"reading {table.table} from its beginning: the warehouse has {held}")


@contextmanager
def opened(data_dir: DataDir, source: Mapping[str, str] | None = None) -> Iterator[Pipeline]:
    """Yield the pipeline of a data directory; without the settings of a source, none is read."""
    pipeline = connect(data_dir.settings() | dict(source or NO_SOURCE))
    try:
        yield pipeline
    finally:
        pipeline.warehouse.close()
