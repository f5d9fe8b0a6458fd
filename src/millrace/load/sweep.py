"""Find what was lost and request it again, so that every run ends: complete, or failed with a reason.

A message may be lost, or become a dead letter. Its request is derived from facts alone: a task without a record, a
part without a ledger row, a complete run without its final object, a final object without a build request. A repeated
request does no harm.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from millrace import log, runs
from millrace.bus import Bus
from millrace.bus.events import TaskEvent, announce
from millrace.errors import BadObject
from millrace.lake import Lake, StoredObject, names
from millrace.lake.documents import Damaged
from millrace.lake.names import FailureKey, FinalKey, PlanKey, ProgressKey, TaskKey
from millrace.runs import Progress, Tasks, build_requests
from millrace.runs.comparison import note_compared, read_compared
from millrace.warehouse import Ledger, Warehouse

_ENDS_ARE_CHECKED = timedelta(days=2)  # a sweep comes every half hour; what it finds of older ends was found before
_NEWEST = 10  # records, and progress of tasks without one, that are read to find when a run was last heard of
_OfRun = PlanKey | TaskKey | FailureKey | ProgressKey | FinalKey


@dataclass(frozen=True, slots=True)
class SweepTimeouts:
    """How long a run may be quiet before it is swept, and how long before it fails."""

    quiet: timedelta = timedelta(minutes=30)
    until_failed: timedelta = timedelta(hours=24)


@dataclass(slots=True)
class SweepResult:
    """The tasks and objects that were requested again, by name, and the runs that were failed."""

    tasks: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tasks or self.objects or self.failed)


def sweep(
    lake: Lake,
    bus: Bus,
    warehouse: Warehouse,
    now: datetime,
    timeouts: SweepTimeouts,
    account: str | None = None,
) -> SweepResult:
    """Request again what is missing, in every run that has not ended and for every end without a build request.

    The newest runs are swept first. Of runs that an earlier sweep has found ended, those of two days are read again.
    With an `account`, only that one's functions are served here: other runs are neither extracted nor failed.
    """
    result = SweepResult()
    noted = read_compared(lake)
    is_untrue = bool(noted.run_id) and names.started_at(noted.run_id) > now  # a clock was ahead: check all
    through, recent = "" if is_untrue else noted.run_id, runs.run_id_of(now - _ENDS_ARE_CHECKED)
    start = "" if noted.is_listing_due else min(through, recent)
    found = _Runs.of(lake, start)
    settled = min(through or recent, recent)  # an unknown `through` would be read once from the first run on
    for run_id in reversed(found.planned):
        if run_id in found.ended and run_id <= settled:
            continue
        is_served = account is None or names.account_of(run_id) == account
        try:
            if is_served and names.account_of(run_id):
                _start_next(lake, bus, run_id, found.planned, result)
            if run_id in found.ended:
                _sweep_end(lake, bus, warehouse, run_id, found.ended[run_id], result)
            else:
                _sweep_run(lake, bus, warehouse, run_id, now, timeouts, result, is_served)
            if now - names.started_at(run_id) < timeouts.until_failed or run_id > settled:
                _advance_cursors(lake, warehouse, run_id)
        except Damaged as error:
            _give_up(lake, run_id, error, run_id in found.ended, result)
    if not result:
        over = found.over_until(runs.run_id_of(now - timeouts.until_failed), through if start else "")
        if over != noted.run_id or noted.is_listing_due:
            note_compared(lake, replace(read_compared(lake), run_id=over, is_listing_due=False))
    if result:
        log.info("swept", tasks=len(result.tasks), objects=len(result.objects), failed=len(result.failed))
    return result


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs with a plan, oldest first, and the final objects of those that have ended."""

    planned: list[str]
    ended: dict[str, StoredObject]

    @classmethod
    def of(cls, lake: Lake, start: str) -> "_Runs":
        """List the runs from the second of the id `start` on."""
        objects = list(_run_objects(lake, start))
        return cls(
            sorted(key.run_id for key, _ in objects if isinstance(key, PlanKey)),
            {key.run_id: stored for key, stored in objects if isinstance(key, FinalKey)},
        )

    def over_until(self, before: str, through: str) -> str:
        """Return the newest run before `before` of those that have ended, with all runs before it; else `through`."""
        for run_id in self.planned:
            if run_id not in self.ended or run_id >= before:
                break
            through = max(through, run_id)
        return through


def run_ids(lake: Lake) -> list[str]:
    """Return every run that has a plan, oldest first."""
    return _Runs.of(lake, "").planned


def newest_first(lake: Lake, now: datetime) -> Iterator[str]:
    """Yield the runs that have a plan, newest first; only as many are listed as are needed."""
    known: str | None = None
    for days in (2, 8, 32, 128, None):
        start = "" if days is None else runs.run_id_of(now - timedelta(days=days))
        found = []
        for key, _ in _run_objects(lake, start):
            if known is not None and key.run_id >= known:
                break
            if isinstance(key, PlanKey):
                found.append(key.run_id)
        yield from sorted(found, reverse=True)
        known = start


def newest_complete(lake: Lake, now: datetime) -> str | None:
    """Return the newest run that is complete; None when there is none."""
    return next((run_id for run_id in newest_first(lake, now) if is_complete(lake, run_id)), None)


def is_complete(lake: Lake, run_id: str) -> bool:
    """Return whether a run ended as complete."""
    try:
        final = runs.read_final(lake, run_id)
    except Damaged:
        return False
    return final is not None and final.status == "complete"


def _run_objects(lake: Lake, start: str) -> Iterator[tuple[_OfRun, StoredObject]]:
    begin = start.partition("-")[0]  # "runs/<time>-<account>/" is listed before "runs/<time>/"
    for stored in lake.list("runs/", f"runs/{begin}" if begin else ""):
        try:
            key = names.parse(stored.version.name)
        except BadObject:
            continue  # not ours; the load function has quarantined it
        if isinstance(key, _OfRun):
            yield key, stored


def _give_up(lake: Lake, run_id: str, error: Damaged, is_ended: bool, result: SweepResult) -> None:
    """Fail a run whose remaining work cannot be read; its parts are loaded all the same."""
    log.warning("run is damaged", run_id=run_id, error=str(error))
    if not is_ended:
        runs.fail(lake, run_id, str(error))
        result.failed[run_id] = str(error)


def _sweep_run(
    lake: Lake,
    bus: Bus,
    ledger: Ledger,
    run_id: str,
    now: datetime,
    timeouts: SweepTimeouts,
    result: SweepResult,
    is_served: bool,
) -> None:
    tasks = runs.tasks_of(lake, runs.read_plan(lake, run_id))
    heard_at = _heard_at(lake, tasks)
    if now - heard_at < timeouts.quiet:
        return
    if is_served and now - heard_at > timeouts.until_failed:
        reason = why_unfinished(lake, ledger, run_id)
        if reason is not None:
            runs.fail(lake, run_id, reason)
            result.failed[run_id] = reason
            return
    for task_id in tasks.waiting if is_served else ():
        TaskEvent.of(run_id, task_id).request(bus)
        result.tasks.append(f"{run_id}/{task_id}")
    for stored in _unloaded(lake, ledger, tasks):
        announce(bus, stored)
        result.objects.append(stored.version.name)
    runs.finish_if_complete(lake, ledger, run_id)


def _heard_at(lake: Lake, tasks: Tasks) -> datetime:
    """Return when a task of a run last advanced: its start, the newest record or the newest progress."""
    times = [names.started_at(tasks.run_id)]
    for task_id in tasks.newest_first()[:_NEWEST]:
        record = runs.read_record(lake, tasks.run_id, task_id)
        times += [datetime.fromisoformat(record.finished_at)] if record else []
    saved = _progress(lake, tasks.run_id, tasks.waiting)
    return max([*times, *(datetime.fromisoformat(each.saved_at) for each in saved)])


def _start_next(lake: Lake, bus: Bus, run_id: str, planned: Sequence[str], result: SweepResult) -> None:
    """Start the run that was to follow this one, in case the function that should have done it was killed."""
    next_id = runs.next_run_id(runs.read_plan(lake, run_id))
    if next_id is not None and next_id not in planned and runs.start_next(lake, bus, run_id):
        result.tasks += [f"{next_id}/{task.task_id}" for task in runs.read_plan(lake, next_id).tasks()]


def _unloaded(lake: Lake, ledger: Ledger, tasks: Tasks) -> list[StoredObject]:
    loaded = {entry.version for entry in ledger.loads_of(tasks.run_id)}
    records = (runs.read_record(lake, tasks.run_id, task_id) for task_id in tasks.known if task_id in tasks.recorded)
    parts = [part for record in records if record for part in record.parts]
    return [
        StoredObject(part.version(lake.bucket), part.size_bytes, part.crc32c)
        for part in parts
        if part.version(lake.bucket) not in loaded
    ]


def in_progress(lake: Lake, run_id: str) -> list[Progress]:
    """Return the progress of those tasks of a run that are not done and have saved one."""
    return _progress(lake, run_id, runs.tasks_of(lake, runs.read_plan(lake, run_id)).waiting)


def _progress(lake: Lake, run_id: str, waiting: Sequence[str]) -> list[Progress]:
    """Return what is saved of these tasks; of the many of an account most have not begun, so the names are listed."""
    begun: set[str] | None = None
    if len(waiting) > _NEWEST:
        folder = f"runs/{run_id}/progress/"
        begun = {stored.version.name.removeprefix(folder).removesuffix(".json") for stored in lake.list(folder)}
    found = [runs.read_progress(lake, run_id, each)[0] for each in waiting if begun is None or each in begun]
    return [progress for progress in found if progress is not None]


def why_unfinished(lake: Lake, ledger: Ledger | None, run_id: str) -> str | None:
    """Return why a run is not complete; None when the lake and the ledger show no reason."""
    tasks = runs.tasks_of(lake, runs.read_plan(lake, run_id))
    for task_id in tasks.waiting[:1]:
        failure = runs.read_failure(lake, run_id, task_id)
        progress, _ = runs.read_progress(lake, run_id, task_id)
        unknown = "no attempt is known" if progress is None else f"it was last read at {progress.saved_at}"
        more = f" (and {len(tasks.waiting) - 1:,} more)" if len(tasks.known) > _NEWEST else ""
        return f"{task_id}{more} was not extracted: {failure.message if failure else unknown}"
    unloaded = _unloaded(lake, ledger, tasks) if ledger else []
    return f"{len(unloaded)} parts were not loaded, the first {unloaded[0].version.name}" if unloaded else None


def _advance_cursors(lake: Lake, ledger: Ledger, run_id: str) -> None:
    """Advance the cursors to the end of a complete run, in case the event of its end was lost.

    A later load may have requested a build beyond it, so nothing else reveals that loss.
    """
    final = runs.read_final(lake, run_id)
    if final is not None and final.status == "complete":
        runs.advance_cursors(lake, ledger, run_id)


def _sweep_end(
    lake: Lake, bus: Bus, warehouse: Warehouse, run_id: str, stored: StoredObject, result: SweepResult
) -> None:
    """Announce the end of a run again if no build was requested for it; a new warehouse counts from one."""
    final = runs.read_final(lake, run_id)
    if final is None or final.status != "complete":
        return
    asked = build_requests.requested(lake) or 0
    if asked < final.load_seq and asked < warehouse.extent().load_seq:
        announce(bus, stored)
        result.objects.append(stored.version.name)
