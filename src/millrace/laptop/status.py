"""The status of a data directory, as `millrace status` and `local/run_all.py status` print it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from millrace import wiring
from millrace.collect import lock
from millrace.config import StatusConfig
from millrace.errors import Step
from millrace.lake.local import LocalLake
from millrace.laptop.claims import MIXED
from millrace.laptop.data_dir import DataDir
from millrace.status import remedies, report, text
from millrace.status.report import Beside, StoreReport
from millrace.status.rules import Code, Collecting
from millrace.status.state import Check, Status
from millrace.status.store import Store
from millrace.terminal import printable_json
from millrace.warehouse.duckdb import builds
from millrace.warehouse.duckdb.read_only import DatabaseLocked, open_read_only
from millrace.warehouse.reading import AtWork, NothingYet

EXIT_CODES = {"live": 0, "syncing": 0, "stale": 1, "empty": 1, "error": 3}


def show(now: Status, say: Callable[[str], None], is_json: bool) -> None:
    """Print a status."""
    for line in printable_json(now.to_json()).split("\n") if is_json else text.lines(now):
        say(line)


def status_of(data_dir: DataDir, now: datetime | None = None) -> Status:
    """Return the status of a data directory, of the working warehouse if it is free, else of the published copy."""
    lake = LocalLake(data_dir.lake, data_dir.lake.name, is_only_read=True)
    desk = wiring.lake_at(data_dir.quarantine.as_uri()) if data_dir.quarantine.exists() else None
    limits = StatusConfig.from_env()
    where, instant = remedies.laptop(data_dir.root), now or datetime.now(UTC)
    beside = Beside(data_dir.worker() is not None, data_dir.warehouse.exists(), lambda: _published(data_dir))
    status = report.assemble(
        lake, reading(data_dir), desk, collecting(data_dir), limits, beside, now=instant, place=where
    )
    return amend(status, data_dir)


def amend(status: Status, data_dir: DataDir) -> Status:
    """Return a status with the kind of the rows of its data directory, and the finding that they are mixed."""
    kind = data_dir.kind()
    is_simulated = None if kind is None else kind == "demo"
    if not data_dir.is_mixed():
        return replace(status, is_simulated=is_simulated)
    what, _, todo = MIXED.rpartition(": ")
    check = Check(Code.MIXED, f"{data_dir.root} {what}", todo)
    return replace(
        status,
        is_simulated=is_simulated,
        health="error" if status.health == "error" else "stale",
        reasons=(str(check), *status.reasons),
        checks=(check, *status.checks),
    )


def _published(data_dir: DataDir) -> int | None:
    """Return the number of the build that readers have; None when they have none that can be read."""
    build = builds.published(data_dir.published)
    return build.number if build else None


def collecting(data_dir: DataDir) -> Collecting:
    """Return whether a collector of this data directory runs, and which watcher of it has died."""
    state = data_dir.collector_state()
    pid = lock.holder(state)
    return Collecting(pid is not None, pid, lock.dead_watcher(state))


def reading(data_dir: DataDir) -> report.Read:
    """Return a `Read` of the working warehouse, or of the published copy while a run, build or collector is at work.

    A process at work opens and closes the warehouse as needed. Its file is not opened in between either.
    """

    def read(work: Callable[[Store], StoreReport]) -> StoreReport:
        worker = data_dir.worker()
        held = None if worker is None else DatabaseLocked(f"process {worker} is at work in {data_dir.root}")
        if held is None and data_dir.warehouse.exists():
            try:
                with open_read_only(data_dir.warehouse, "warehouse") as store:
                    return work(store)
            except DatabaseLocked as error:
                held = error
        if not data_dir.published.exists():
            if held is not None:
                raise AtWork(str(held), step=Step.WAIT) from held
            raise NothingYet(f"nothing was built in {data_dir.root} yet", step=Step.BEGIN)
        with open_read_only(data_dir.published, "published") as store:
            return work(store)

    return read
