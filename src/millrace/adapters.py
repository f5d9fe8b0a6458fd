"""From the URL in a setting to the adapter it names. The same URL gives the same adapter for the life of a process.

| setting | URL | adapter |
|---|---|---|
| lake, quarantine | `file:///folder` | a folder; its last part is the bucket's name |
| bus | `inprocess:` | the bus of this process |
| warehouse | `duckdb:///file` | a DuckDB file |
| job | `inprocess:` | a note that a build was asked for |
"""

import os
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from millrace import building
from millrace.building import Build, Node
from millrace.builds import Builder
from millrace.bus.local import LocalBus
from millrace.config import BuildConfig, ExtractConfig, LoadConfig
from millrace.errors import ConfigError
from millrace.extracting import Extractor
from millrace.lake.local import LocalLake
from millrace.loading import Loader
from millrace.sources.http import RateBudget, SourceClient
from millrace.warehouse.duckdb import DuckDBWarehouse


class RequestedBuilds:
    """The job on one machine: remembers who asked, and whoever drives the process runs one build for all."""

    def __init__(self) -> None:
        self.requests: list[str | None] = []

    def start(self, run_id: str | None) -> None:
        """Ask for a build."""
        self.requests.append(run_id)


@cache
def lake_at(url: str) -> LocalLake:
    """Give the lake of `file:///folder`."""
    root = _path(url, "file")
    return LocalLake(root, bucket=root.name)


@cache
def bus_at(url: str) -> LocalBus:
    """Give the bus of `inprocess:`."""
    _only(url, "inprocess")
    return LocalBus()


@cache
def job_at(url: str) -> RequestedBuilds:
    """Give the job of `inprocess:`."""
    _only(url, "inprocess")
    return RequestedBuilds()


@cache
def warehouse_at(url: str, memory: str) -> DuckDBWarehouse:
    """Give the warehouse of `duckdb:///file`."""
    return DuckDBWarehouse(_path(url, "duckdb"), memory_limit=memory)


@cache
def extractor_of(config: ExtractConfig) -> Extractor:
    """Give what the extract functions work with: one client, and so one rate budget, for all tasks of the process."""
    budget = RateBudget(config.requests_per_minute or None, config.request_burst)
    client = SourceClient(config.source_url, config.source_key, budget, config.timeout_s)
    return Extractor(lake_at(config.lake), bus_at(config.bus), client)


def loader_of(config: LoadConfig) -> Loader:
    """Give what the load function works with."""
    return Loader(
        lake_at(config.lake),
        lake_at(config.quarantine),
        warehouse_at(config.warehouse, config.memory),
        job_at(config.job),
    )


def builder_of(config: BuildConfig, hear: Callable[[Node, int], None] = lambda node, total: None) -> Builder:
    """Give what the build job works with, under a holder's name of its own; `hear` is told of each finished node."""
    warehouse = warehouse_at(config.warehouse, config.memory)

    def dbt(number: int, retry_of: int | None) -> Build:
        warehouse.ensure_tables()
        warehouse.close()  # dbt opens the file itself, with its own settings
        return building.build(config, _path(config.warehouse, "duckdb"), hear, number, retry_of)

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
    )


def _path(url: str, scheme: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != scheme or parts.netloc or not parts.path.startswith("/"):
        raise ConfigError(f"{url!r}: {scheme}:///an/absolute/path was expected")
    return Path(unquote(parts.path))


def _only(url: str, scheme: str) -> None:
    if url != f"{scheme}:":
        raise ConfigError(f"{url!r}: {scheme}: was expected")
