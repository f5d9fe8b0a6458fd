"""From the agents' logs to usage marts, all on one machine: collect, put into the lake, load, refresh the marts.

Each step is the one that a deployment has: the collector's, the load function's, and dbt's own statements (see
refreshing.py). A cycle may stop between any two of them; the next one finds what is missing by the facts: files that
wait in the spool, objects that the ledger does not know, changes beyond a mart's watermark.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from millrace.build.refresh import MartScripts
from millrace.bus.events import ObjectFinalized
from millrace.collect.collector import Collector, Hear, Tick, unheard
from millrace.collect.shipping import Shipment, ship
from millrace.lake import StoredObject
from millrace.load import handler
from millrace.load.handler import Loader
from millrace.warehouse import LedgerEntry
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

_DROPS = "drop/usage_events/"


@dataclass(slots=True)
class Cycle:
    """What one cycle did, and how many seconds each of its steps took."""

    tick: Tick
    shipment: Shipment
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


class Follower:
    """Follows the logs of this machine down to the marts, which `scripts` refresh; without them a build has to."""

    def __init__(self, collector: Collector, spool: Path, loader: Loader, warehouse: DuckDBWarehouse) -> None:
        self.scripts: MartScripts | None = None
        self._collector = collector
        self._spool = spool
        self._loader = loader
        self._warehouse = warehouse

    def cycle(self, only: set[Path] | None = None, since: date | None = None, hear: Hear = unheard) -> Cycle:
        """Take in what is new, in the logs that are named or in all, and whatever an earlier cycle left."""
        seconds: dict[str, float] = {}
        with _timed(seconds, "collect"):
            tick = self._collector.collect(only, since, hear)
        with _timed(seconds, "send"):
            shipment = ship(self._spool, self._loader.lake, self._collector.collector_id)
        with _timed(seconds, "load"):
            loads = self._load(self._unloaded() if only is None else shipment.sent)
        cycle = Cycle(tick, shipment, loads, seconds)
        if self.scripts is not None and (only is None or cycle.inserted + cycle.updated):
            with _timed(seconds, "marts"):
                self.scripts.refresh(self._warehouse)
        return cycle

    def _unloaded(self) -> list[StoredObject]:
        dropped = list(self._loader.lake.list(_DROPS))
        known = self._warehouse.find_all([stored.version for stored in dropped])
        return [stored for stored in dropped if stored.version not in known]

    def _load(self, objects: Sequence[StoredObject]) -> list[LedgerEntry]:
        for stored in objects:
            handler.answer(self._loader, ObjectFinalized(stored.version, stored.crc32c))
        return list(self._warehouse.find_all([stored.version for stored in objects]).values())


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started
