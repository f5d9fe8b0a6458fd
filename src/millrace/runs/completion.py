"""The end of a run: `final.json`, written once, when all tasks are recorded and all parts are loaded."""

from dataclasses import asdict, dataclass
from typing import Literal

from millrace import log
from millrace.lake import Lake, ObjectExists, ObjectMissing, create_once
from millrace.lake.documents import parsed
from millrace.lake.names import FinalKey
from millrace.runs.plan import to_json
from millrace.runs.records import read_tree
from millrace.warehouse import Ledger


@dataclass(frozen=True, slots=True)
class Final:
    """How a run ended: `complete` with the change sequence of its last load, or `failed` with a reason."""

    run_id: str
    status: Literal["complete", "failed"]
    reason: str | None
    tasks: tuple[str, ...]
    load_seq: int


def finish_if_complete(lake: Lake, ledger: Ledger, run_id: str) -> bool:
    """Write the final object if every task is recorded and every part is in the ledger; return whether that holds."""
    records = dict(read_tree(lake, run_id))
    if None in records.values():
        return False
    loads = {entry.version: entry for entry in ledger.loads_of(run_id)}
    parts = [part.version(lake.bucket) for record in records.values() if record for part in record.parts]
    if any(part not in loads for part in parts):
        return False
    load_seq = max((loads[part].load_seq for part in parts), default=0)
    _end(lake, Final(run_id, "complete", None, tuple(sorted(records)), load_seq))
    return True


def fail(lake: Lake, run_id: str, reason: str) -> None:
    """End as failed a run that cannot become complete; a run that has ended keeps its status."""
    _end(lake, Final(run_id, "failed", reason, (), 0))


def read_final(lake: Lake, run_id: str) -> Final | None:
    """Return how a run ended; None while it has not. Raises Damaged when that cannot be read."""
    name = str(FinalKey(run_id))
    try:
        return parsed(lake.read(name)[0], name, lambda fields: Final(**fields | {"tasks": tuple(fields["tasks"])}))
    except ObjectMissing:
        return None


def _end(lake: Lake, final: Final) -> None:
    try:
        create_once(lake, str(FinalKey(final.run_id)), to_json(asdict(final)))
        log.info("run ended", run_id=final.run_id, status=final.status, reason=final.reason)
    except ObjectExists:
        log.info("run had ended already", run_id=final.run_id)
