"""What the tests of the quarantine desk share: a bad file, a part of a run, and what the desk and the ledger hold."""

import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
from tests.load.conftest import NOW, PowerCut, Rig

from millrace import runs
from millrace.bus.in_process import LocalBus
from millrace.lake import ObjectVersion, StoredObject, names
from millrace.load import quarantine
from millrace.runs import Part, RunRequest, TaskRecord, reconcile as reconciling
from millrace.warehouse import LedgerEntry, retries

RUN = "20261120T060000Z"
PART = f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet"
BAD = b'{"full_name": "o/a", "open_pull_requests_count": "five"}\n'


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def only(rig: Rig, state: quarantine.State | None = "open") -> quarantine.Entry:
    (entry,) = rig.entries(state)
    return entry


def recorded(stored: StoredObject, rows: int) -> TaskRecord:
    """Return the record of a task that wrote this part alone."""
    return TaskRecord(
        run_id=RUN,
        task_id="repos",
        table="repos",
        plan="whole",
        extracted_at=NOW.isoformat(),
        finished_at=NOW.isoformat(),
        since=None,
        window_start=None,
        source_total=rows,
        known=0,
        repeated=0,
        rows=rows,
        parts=(Part.of(stored, rows),),
        children=(),
        requests=1,
        retries=0,
        rate_limited=0,
        waited_s=0.0,
        counts={},
    )


def start_run(rig: Rig, content: bytes, rows: int) -> None:
    runs.start(rig.desk.lake, LocalBus(), RunRequest(NOW))
    stored = rig.put(PART, content)
    rig.desk.lake.write(f"runs/{RUN}/tasks/repos.json", recorded(stored, rows).to_json(), 0)


def reconcile(rig: Rig) -> reconciling.Reconciliation:
    (line,) = reconciling.reconcile(rig.desk.lake, rig.desk.warehouse, RUN)
    return line


def settled(rig: Rig) -> dict[ObjectVersion, LedgerEntry]:
    rows = rig.desk.warehouse.entries()
    return {entry.version: entry for entry in retries.settled(rows, rows)}


def dropped(rig: Rig) -> list[str]:
    """Return the names of the retries' drops in the lake."""
    return [stored.version.name for stored in rig.desk.lake.list("drop/") if names.retried_id(stored.version.name)]


def loads(rig: Rig) -> list[str]:
    """Return the names of the loaded objects in the ledger."""
    return [row.version.name for row in rig.desk.warehouse.entries() if row.quarantine_reason is None]


def crashed(do: Callable[[], object]) -> None:
    """Do something that may be interrupted."""
    try:
        do()
    except PowerCut:
        return
