"""Adapters by the URL in a setting. One URL returns the same adapter for the life of a process.

| setting | URL | adapter |
|---|---|---|
| lake, quarantine | `file:///folder` | a folder; its last part is the bucket's name |
| | `gs://bucket` | a bucket of Cloud Storage |
| bus | `inprocess:` | the bus of this process |
| | `pubsub:///projects/P` | the topics of a project; with `?prefix=dev-`, those whose names begin so |
| warehouse | `duckdb:///file` | a DuckDB file |
| | `snowflake://ACCOUNT/DATABASE?user=U&role=R&warehouse=W` | a database of Snowflake |
| job | `inprocess:` | a list of the requested builds |
| | `run:///projects/P/locations/R/jobs/J` | a Cloud Run job; with `run://host:port/…`, its emulator there |

A library is imported for the first URL that needs it: a function without a warehouse does not import DuckDB, and a
laptop does not wait for Google's clients.
"""

import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

from millrace.bus import Bus
from millrace.config import ApiConfig, BuildConfig, ExtractConfig, LoadConfig, StatusConfig, people
from millrace.errors import ConfigError
from millrace.lake import Lake

if TYPE_CHECKING:
    from fastapi import FastAPI

    from millrace.build.dbt import Build, Node
    from millrace.build.job import Builder
    from millrace.extract.http_client import SourceClient
    from millrace.extract.task import Extractor
    from millrace.load.handler import Job, Loader
    from millrace.runs import Origin
    from millrace.status.remedies import Location
    from millrace.status.rules import Collecting
    from millrace.status.state import Status
    from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
    from millrace.warehouse.reading import Reader
    from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse


P = ParamSpec("P")
T = TypeVar("T")


class ThreadSafeCache(Generic[P, T]):
    """A function that is called once for the same arguments, also by threads that call at the same time.

    `functools.cache` alone would call it once per thread: two adapters of one DuckDB file would each have a lock of
    their own, and load the same object twice.
    """

    def __init__(self, make: Callable[P, T]) -> None:
        update_wrapper(self, make)
        self._made = cache(make)
        self._lock = threading.RLock()

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> T:
        """Return the result for these arguments."""
        with self._lock:
            return self._made(*arguments, **named)  # type: ignore[arg-type]  # all settings are hashable

    def cache_clear(self) -> None:
        """Drop all results."""
        self._made.cache_clear()


class RequestedBuilds:
    """The job on one machine: a list of requests, for which the process runs one build."""

    def __init__(self) -> None:
        self.requests: list[str | None] = []

    def start(self, run_id: str | None) -> None:
        """Request a build."""
        self.requests.append(run_id)


def lake_bucket(url: str) -> str | None:
    """Return the bucket that a URL names, None where it names a folder. Raises ConfigError; nothing is opened."""
    if not url.startswith("gs:"):
        _path(url, "file")
        return None
    bucket = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]+[a-z0-9])/?", url)
    if bucket is None:
        raise ConfigError(f"expected gs://BUCKET, got {url!r}")
    return bucket[1]


def lake_folder(url: str) -> Path | None:
    """Return the folder that a URL names, None where it names a bucket. Raises ConfigError; nothing is opened."""
    return _path(url, "file") if lake_bucket(url) is None else None


@ThreadSafeCache
def lake_at(url: str) -> Lake:
    """Return the lake of `file:///folder` or `gs://bucket`."""
    bucket = lake_bucket(url)
    if bucket is not None:
        from millrace.lake.gcs import GcsLake

        return GcsLake.at(bucket)
    from millrace.lake.local import LocalLake

    root = _path(url, "file")
    return LocalLake(root, bucket=root.name)


@ThreadSafeCache
def bus_at(url: str) -> Bus:
    """Return the bus of `inprocess:`, `pubsub:///projects/P` or `pubsub:///projects/P?prefix=dev-`."""
    if url.startswith("pubsub:"):
        topics = re.fullmatch(r"pubsub:///projects/([a-z0-9.:-]+)(?:\?prefix=([a-z][a-z0-9-]*))?", url)
        if topics is None:
            raise ConfigError(f"expected pubsub:///projects/P or pubsub:///projects/P?prefix=dev-, got {url!r}")
        from millrace.bus.pubsub import PubSubBus

        return PubSubBus(topics[1], topics[2] or "")
    _only(url, "inprocess")
    from millrace.bus.in_process import LocalBus

    return LocalBus()


@ThreadSafeCache
def job_at(url: str) -> "Job":
    """Return the job of `inprocess:` or `run:///projects/P/locations/R/jobs/J`."""
    if url.startswith("run:"):
        job = re.fullmatch(r"run://([a-z0-9.:-]*)/(projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/jobs/[a-z0-9-]+)", url)
        if job is None:
            raise ConfigError(f"expected run:///projects/P/locations/R/jobs/J, got {url!r}")
        from millrace.build.cloud_run import CloudRunJob

        return CloudRunJob.at(job[2], job[1] or None)
    _only(url, "inprocess")
    return RequestedBuilds()


@ThreadSafeCache
def duckdb_at(url: str, memory: str) -> "DuckDBWarehouse":
    """Return the warehouse of `duckdb:///file`."""
    from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

    return DuckDBWarehouse(_path(url, "duckdb"), memory_limit=memory)


@ThreadSafeCache
def snowflake_at(url: str, key: str | None, lake: str) -> "SnowflakeWarehouse":
    """Return the warehouse of `snowflake://…`; Snowflake itself copies parts from the bucket `lake`."""
    from millrace.warehouse.snowflake.session import Address
    from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

    return SnowflakeWarehouse(Address.parse(url, key), lake_at(lake).bucket)


def warehouse_of(config: LoadConfig | BuildConfig) -> "DuckDBWarehouse | SnowflakeWarehouse":
    """Return the configured warehouse."""
    if config.warehouse.startswith("snowflake:"):
        return snowflake_at(config.warehouse, config.snowflake_key, config.lake)
    return duckdb_at(config.warehouse, config.memory)


@ThreadSafeCache
def reader_of(config: ApiConfig) -> "Reader":
    """Return the reader of the read API: of a DuckDB file's published copy, or of Snowflake's schema PUBLISHED."""
    if config.warehouse.startswith("snowflake:"):
        from millrace.warehouse.snowflake.reader import SnowflakeReader
        from millrace.warehouse.snowflake.session import Address

        return SnowflakeReader(Address.parse(config.warehouse, config.snowflake_key))
    from millrace.warehouse.duckdb.reader import DuckDBReader

    return DuckDBReader(duckdb_at(config.warehouse, config.memory).published_path, config.memory)


def api_of(
    config: ApiConfig,
    place: "Location",
    collecting: "Callable[[], Collecting] | None" = None,
    hosts: tuple[str, ...] = ("*",),
    amend: "Callable[[Status], Status]" = lambda status: status,
) -> "FastAPI":
    """Return the read API over the configured adapters, with advice for the place that serves it.

    `collecting` returns the state of a collector on the same machine; `amend` adds to a status what is known there.
    """
    from millrace.api.app import Api, create
    from millrace.api.names import Names
    from millrace.api.people import People
    from millrace.status import report, rules

    reader = reader_of(config)
    limits = StatusConfig.from_env()
    ask = collecting or rules.Collecting

    def now() -> "Status":
        lake, desk = lake_at(config.lake), lake_at(config.quarantine)
        instant = datetime.now(UTC)
        return amend(report.assemble(lake, report.of_reader(reader), desk, ask(), limits, now=instant, place=place))

    names = Names(People.of(*people()))
    return create(Api(reader, now, place=place, names=names), hosts)


def origin_of(config: ExtractConfig) -> "Origin":
    """Return what the runs of these settings read."""
    from millrace.runs import Origin

    return Origin(config.source, config.account, config.repositories, config.first_days, config.objects)


@ThreadSafeCache
def extractor_of(config: ExtractConfig) -> "Extractor":
    """Return the extractor: one client, and so one rate budget, for all tasks of the process.

    The functions of a deployment are processes of their own, and share a budget in the lake.
    """
    from millrace.extract.budget import RateBudget, SharedBudget
    from millrace.extract.sources import source_of
    from millrace.extract.task import DeliveryLimits, Extractor
    from millrace.lake.names import RateKey

    lake, per_minute = lake_at(config.lake), config.requests_per_minute
    is_alone = config.bus == "inprocess:" or not per_minute
    budget = (
        RateBudget(per_minute or None, config.request_burst)
        if is_alone
        else SharedBudget(lake, per_minute, key=RateKey(config.account))
    )
    limits = DeliveryLimits(config.delivery_s or None, config.timeout_s + config.answer_s)
    return Extractor(lake, bus_at(config.bus), source_of(config, budget), config.account, limits=limits)


def audited_client(config: ExtractConfig) -> "SourceClient | None":
    """Return the client of a source whose rows an audit can read again; None for GitHub."""
    from millrace.extract.sources.cursor_sim.source import CursorSimSource

    source = extractor_of(config).source
    return source.client if isinstance(source, CursorSimSource) else None


def loader_of(config: LoadConfig) -> "Loader":
    """Return the loader of the load function."""
    from millrace.load.handler import Loader

    return Loader(
        lake_at(config.lake),
        lake_at(config.quarantine),
        warehouse_of(config),
        job_at(config.job),
    )


def builder_of(config: BuildConfig, on_node: "Callable[[Node, int], None]" = lambda node, total: None) -> "Builder":
    """Return the builder of the build job, with a unique holder name; `on_node` is called for each finished node."""
    from millrace.build.dbt import build
    from millrace.build.job import Builder
    from millrace.build.parsed import project_hash

    warehouse = warehouse_of(config)

    def dbt(number: int, retry_of: int | None) -> "Build":
        with warehouse.released_for_dbt() as settings:
            return build(config, settings, on_node, number, retry_of)

    return Builder(
        lake=lake_at(config.lake),
        log=warehouse,
        publisher=warehouse,
        dbt=dbt,
        holder=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        ttl_s=config.lease_s,
        quiet_s=config.quiet_s,
        project_hash=project_hash(Path(config.dbt_dir)),
    )


def _path(url: str, scheme: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != scheme or parts.netloc or not parts.path.startswith("/"):
        raise ConfigError(f"expected {scheme}:///an/absolute/path, got {url!r}")
    return Path(unquote(parts.path))


def _only(url: str, scheme: str) -> None:
    if url != f"{scheme}:":
        raise ConfigError(f"expected {scheme}:, got {url!r}")
