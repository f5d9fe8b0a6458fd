"""The rows for both engines, extracted as usual into a lake: two simulated sources, and usage, maps and prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.proofs.parity.accounts import company_at, extract_account
from tests.proofs.parity.used import drop_typed, drop_usage
from tests.proofs.parity.wrong_clocks import world_with_wrong_clocks

import simulator
from millrace import runs
from millrace.bus.events import TaskEvent
from millrace.bus.in_process import LocalBus
from millrace.extract import task
from millrace.extract.auth import Basic
from millrace.extract.budget import RateBudget
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim.source import CursorSimSource
from millrace.extract.task import Extractor
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.runs import Origin, RunRequest
from millrace.tables import CURSOR_SIM
from simulator.world import Row, World

END = datetime(2026, 11, 1, 12, tzinfo=UTC)
_KEY = "key_of-the-simulator"
RENAMED = ("acme-corp/service-01", "acme-corp/service-11")  # before and after; of the simulated source
_CLONES = 0.2  # pull requests without an e-mail address, which has to be looked up


@dataclass(frozen=True, slots=True)
class Extracted:
    """A lake, and its objects to load before each build, in order."""

    lake: LocalLake
    rounds: Sequence[Sequence[ObjectVersion]]


def extract_twice(folder: Path, developers: int, days: int, seed: int) -> Extracted:
    """Return a lake of two runs of each source, a third of the days apart: rows have changed by the second.

    By then a repository of each source has another name. The first source has rows of 1970, and ratios that are none.
    """
    lake = LocalLake(folder / "lake", "lake")
    newer = days // 3
    company = company_at(END - timedelta(days=newer), seed)
    rounds: list[list[ObjectVersion]] = []
    for name, missing in (("first", newer), ("second", 0)):
        end = END - timedelta(days=missing)
        world = simulator.generate(developers=developers, days=days - missing, seed=seed, end=end, clone_share=_CLONES)
        wrong = world_with_wrong_clocks(world, end.isoformat())
        with simulator.serve(wrong if missing else _renamed(wrong), key=_KEY) as source:
            extract_world(lake, source.url, end, _KEY)
        extract_account(lake, company, name, end)
        drop_usage(lake, world, name, end)
        drop_typed(lake, world, name, end)
        known = {version for versions in rounds for version in versions}
        there = [stored.version for prefix in ("raw/", "drop/") for stored in lake.list(prefix)]
        rounds.append([version for version in there if version not in known])
    return Extracted(lake, rounds)


def extract_world(lake: LocalLake, url: str, now: datetime, key: str, account: str = "") -> None:
    """Run all tasks of a run over a simulated world at this instant."""
    source = CursorSimSource(SourceClient(url, Basic(key), RateBudget(None, 1)))
    extractor = Extractor(lake, LocalBus(), source, account, lambda: now)
    plan = runs.start(lake, extractor.bus, RunRequest(now), Origin("cursor-sim", account))
    for name in CURSOR_SIM:  # a parent precedes its children
        task.extract(extractor, TaskEvent(plan.run_id, name, name))


def _renamed(world: World) -> World:
    before, after = RENAMED

    def under_new(row: Row, column: str) -> Row:
        return row | {column: after} if row[column] == before else row

    return World.of(
        repos=[after if name == before else name for name in world.repos],
        commits=[under_new(row, "repoName") for row in world.commits.rows],
        pull_requests=[under_new(row, "repo_name") for row in world.pulls.rows],
        reviews=world.reviews.rows,
        members=world.members,
        end=END.isoformat(),
    )
