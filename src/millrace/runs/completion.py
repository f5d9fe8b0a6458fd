"""The end of a run: `final.json`, written once, when all tasks are recorded and all parts are loaded."""

from dataclasses import asdict, dataclass
from typing import Literal

from millrace import log
from millrace.lake import Lake, ObjectExists, ObjectMissing, create_once
from millrace.lake.documents import parsed
from millrace.lake.names import FinalKey
from millrace.runs.plan import read_plan, to_json
from millrace.runs.records import read_record, tasks_of
from millrace.warehouse import Ledger

_MANY_TASKS = 10  # then it is cheaper to look for the final object before all records are read


@dataclass(frozen=True, slots=True)
class Final:
    """How a run ended: `complete` with the change sequence of its last load, or `failed` with a reason."""

    run_id: str
    status: Literal["complete", "failed"]
    reason: str | None
    tasks: tuple[str, ...]
    load_seq: int


def finish_if_complete(lake: Lake, ledger: Ledger, run_id: str) -> bool:
    """Write the final object if every task is recorded and every part is in the ledger; return whether that holds.

    Until all tasks are recorded, their names are listed and few records are read. Then the newest record is read first:
    its parts are the likeliest ones that are not loaded.
    """
    tasks = tasks_of(lake, read_plan(lake, run_id))
    if tasks.waiting:
        return False
    if len(tasks.known) > _MANY_TASKS and _is_complete(lake, run_id):
        return True
    loads = {entry.version: entry for entry in ledger.loads_of(run_id)}
    load_seq = 0
    for task_id in tasks.newest_first():
        record = read_record(lake, run_id, task_id)
        if record is None:  # removed meanwhile
            return False
        entries = [loads.get(part.version(lake.bucket)) for part in record.parts]
        if None in entries:
            return False
        load_seq = max([load_seq, *(entry.load_seq for entry in entries if entry)])
    _end(lake, Final(run_id, "complete", None, tuple(sorted(tasks.known)), load_seq))
    return True


def _is_complete(lake: Lake, run_id: str) -> bool:
    final = read_final(lake, run_id)
    return final is not None and final.status == "complete"


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
