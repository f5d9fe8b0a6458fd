"""The rows that both engines get: a simulated source, extracted as ever into a lake in a folder."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import simulator
from millrace import extracting, runs
from millrace.bus.events import TaskEvent
from millrace.bus.local import LocalBus
from millrace.extracting import Extractor
from millrace.lake.local import LocalLake
from millrace.runs import Order
from millrace.sources.http import RateBudget, SourceClient
from millrace.tables import EXTRACTED

END = datetime(2026, 11, 1, 12, tzinfo=UTC)
_KEY = "key_of-the-simulator"
_CLONES = 0.2  # without an e-mail address on their pull requests: it has to be looked up


def extract_twice(folder: Path, developers: int, days: int, seed: int) -> LocalLake:
    """Give a lake of two runs, a third of the days apart: rows of the first have changed by the second."""
    lake = LocalLake(folder / "lake", "lake")
    newer = days // 3
    for missing in (newer, 0):
        end = END - timedelta(days=missing)
        world = simulator.generate(developers=developers, days=days - missing, seed=seed, end=end, clone_share=_CLONES)
        with simulator.serve(world, key=_KEY) as source:
            _extract(lake, source.url, end)
    return lake


def _extract(lake: LocalLake, url: str, now: datetime) -> None:
    extractor = Extractor(lake, LocalBus(), SourceClient(url, _KEY, RateBudget(None, 1)), lambda: now)
    plan = runs.start(lake, extractor.bus, Order(now))
    for name in EXTRACTED:  # a parent comes before its children
        extracting.extract(extractor, TaskEvent(plan.run_id, name, name))
