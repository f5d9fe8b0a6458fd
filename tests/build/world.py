"""A simulated world for builds: a clock that a test sets, a real lake and warehouse, and a dbt that only counts.

Every outside call of a job passes through `Steps`, so that a test can act, or stop the job,
between any two of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from millrace.build import job as builds
from millrace.build.dbt import Build, Node
from millrace.build.job import Builder, Outcome
from millrace.build.lease import Lease, LeaseLost
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.runs import build_requests
from millrace.warehouse import BuildRow
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

TTL_S = 60.0
T0 = datetime(2026, 11, 20, tzinfo=UTC)
GOOD = Build((Node("velocity", "model", "success", 0.1, ""), Node("key", "test", "pass", 0.1, "")), 0.2)
FAILED = Build((Node("velocity", "model", "error", 0.1, "no such column"), Node("key", "test", "pass", 0.1, "")), 0.2)


class Died(BaseException):
    """The process is gone: none of its code runs any more, no `finally` either."""


@dataclass
class Steps:
    """Counts the outside calls of a job, and runs actions before the n-th of them."""

    dies_before: int | None = None
    happening: dict[int, list[Callable[[], object]]] = field(default_factory=dict)
    taken: int = 0

    def step(self) -> None:
        if self.dies_before is not None and self.taken >= self.dies_before:
            raise Died
        number, self.taken = self.taken, self.taken + 1
        for happen in self.happening.pop(number, []):
            happen()

    def around(self, target: object) -> Any:
        """Return the same object, with each call counted as a step."""
        return _Stepped(target, self.step)


class _Stepped:
    def __init__(self, target: object, step: Callable[[], None]) -> None:
        self._target, self._step = target, step

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)

        def called(*arguments: Any, **named: Any) -> Any:
            self._step()
            return value(*arguments, **named)

        return called if callable(value) else value


class World:
    """One lake, one warehouse and the jobs over them; `story` lists requests and builds in their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = T0
        self.lake = LocalLake(folder / "lake", "lake")
        self.warehouse = DuckDBWarehouse(folder / "millrace.duckdb", clock=lambda: self.now)
        self.story: list[str] = []
        self.is_building = False
        self._beating: list[Lease] = []
        self._holders = (f"holder-{number}" for number in count(1))
        self._objects = count(1)

    def sleep(self, seconds: float) -> None:
        """Let time pass: every live holder renews its lease, except one that is frozen during a renewal."""
        self.now += timedelta(seconds=seconds)
        for lease in self._beating:
            if not lease._lock.locked():
                with suppress(LeaseLost):
                    lease.renew()

    @contextmanager
    def beating(self, lease: Lease) -> Iterator[None]:
        """Renew the lease whenever time passes, unless its holder is dead."""
        self._beating.append(lease)
        try:
            yield
        finally:
            self._beating.remove(lease)

    def load(self) -> int:
        """Load something and return its load sequence."""
        version = ObjectVersion("lake", f"drop/repos/{next(self._objects)}.csv", 1)
        return self.warehouse.quarantine(version, "repos", None, 1, "a row of the ledger is all it takes").load_seq

    def request(self) -> int:
        """Load something and request a build of it."""
        load_seq = self.load()
        build_requests.request(self.lake, load_seq, None)
        self.story.append("request")
        return load_seq

    def dbt(self, number: int, retry_of: int | None) -> Build:
        """Build one mart, which holds the newest load sequence."""
        assert not self.is_building, "two builds at a time"
        self.is_building = True
        self.story.append("start")
        self.fill_mart()
        self.is_building = False
        self.story.append("end")
        return GOOD

    def fill_mart(self) -> None:
        with duckdb.connect(self.folder / "millrace.duckdb") as connection:
            connection.execute("CREATE OR REPLACE TABLE mart AS SELECT max(load_seq) AS load_seq FROM meta.loads")

    def job(self, steps: Steps | None = None, **changed: Any) -> Builder:
        """Return a new job; `changed` are fields of the Builder."""
        through = (steps or Steps()).around
        parts: dict[str, Any] = {
            "lake": self.lake,
            "log": self.warehouse,
            "publisher": self.warehouse,
            "holder": next(self._holders),
            "clock": lambda: self.now,
            "sleep": self.sleep,
            "ttl_s": TTL_S,
            "beating": self.beating,
        }
        parts |= changed
        parts |= {name: through(parts[name]) for name in ("lake", "log", "publisher")}
        dbt = parts.get("dbt", self.dbt)

        def stepped_dbt(number: int, retry_of: int | None) -> Build:
            (steps or Steps()).step()
            built: Build = dbt(number, retry_of)
            (steps or Steps()).step()
            return built

        return Builder(**parts | {"dbt": stepped_dbt})

    def run(self, **changed: Any) -> Outcome:
        """Run a job to its end."""
        return builds.run(self.job(**changed))

    def results(self) -> list[str]:
        """Return the results of the builds, oldest first."""
        return [build.result for build in reversed(self.warehouse.last_builds(1000))]

    def last(self) -> BuildRow:
        return self.warehouse.last_builds()[0]

    def published_load_seq(self) -> int:
        """Return the load sequence from which the published mart was built."""
        with duckdb.connect(self.warehouse.published_path, read_only=True) as connection:
            return int(connection.execute("SELECT load_seq FROM mart").fetchall()[0][0])

    def close(self) -> None:
        self.warehouse.close()
