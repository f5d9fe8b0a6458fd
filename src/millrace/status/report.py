"""The assembler of the status, for the commands and for the API: it shows whether the numbers can be trusted.

The facts of the lake are always present, those of a store (store.py) only if one can be read. Health and its reasons
follow the rules of rules.py; remedies.py has the next step for the place where the status is read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from millrace import runs
from millrace.build import lease
from millrace.config import StatusConfig
from millrace.errors import MillraceError
from millrace.lake import Lake, names
from millrace.lake.documents import Damaged
from millrace.load import sweep
from millrace.runs import Progress, build_requests
from millrace.runs.comparison import LOADED
from millrace.status.completeness import AccountState
from millrace.status.remedies import DEPLOYMENT, Location
from millrace.status.rules import Code, Collecting, HealthInputs, Reason, judge
from millrace.status.state import Check, RunState, SourceState, Status, TaskState, Watcher
from millrace.status.store import (
    MARTS,
    Coverage,
    Events,
    Loaded,
    MartState,
    Store,
    StoreKind,
    StoreLedger,
    WarehouseStatus,
    read_status,
)
from millrace.tables import CURSOR_SIM, ENDPOINTS, TABLES
from millrace.warehouse.reading import AtWork, NothingYet, Reader

_SHOWN_RUNS = 5
_OF_EACH_RUN = {each.feeds[0] for each in ENDPOINTS.values() if not each.per_repository}  # also when nothing changed
Read = Callable[[Callable[[Store], "StoreReport"]], "StoreReport"]


@dataclass(frozen=True, slots=True)
class Beside:
    """Facts about the processes beside the store; None is unknown, as in a deployment.

    `is_at_work`: a run or a build is in progress. `has_warehouse`: there is a working warehouse. `published` returns
    the number of the build that readers have.
    """

    is_at_work: bool | None = None
    has_warehouse: bool | None = None
    published: Callable[[], int | None] | None = None


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Facts that depend on the store; `warehouse_status` is None without one.

    `unloaded` are objects of the lake that are not in the ledger. `published` is the number of the build that readers
    have, if they do not read the store itself.
    """

    warehouse_status: WarehouseStatus | None
    runs: tuple[RunState, ...]
    in_quarantine: int
    unloaded: tuple[str, ...] = ()
    published: int | None = None


@dataclass(frozen=True, slots=True)
class _SnapshotStore:
    """A published snapshot as a store."""

    marts: str
    query: Any
    kind: StoreKind = "published"


def of_reader(reader: Reader) -> Read:
    """Return a `Read` whose store is the published snapshot; nothing else is opened."""

    def read(work: Callable[[Store], StoreReport]) -> StoreReport:
        return reader.read(lambda snapshot: work(_SnapshotStore(snapshot.schema, snapshot.query)))

    return read


def assemble(
    lake: Lake,
    read: Read,
    desk: Lake | None = None,
    watcher: Collecting = Collecting(),  # noqa: B008 - frozen
    limits: StatusConfig = StatusConfig(),  # noqa: B008 - frozen
    beside: Beside = Beside(),
    *,
    now: datetime,
    place: Location = DEPLOYMENT,
) -> Status:
    """Return the whole status. An error of the store is in `store_error`, and is not raised.

    `read` calls a function with a store, and returns its result (see `of_reader`); it raises NothingYet when there is
    no store yet. `desk` is the bucket of the quarantine, None where it may not be read. Remedies are for `place`.
    """
    ids = list(reversed(list(islice(sweep.newest_first(lake, now), _SHOWN_RUNS))))
    is_building = lease.is_building(lake, now)
    asked = build_requests.requested(lake)
    error: MillraceError | None = None
    nothing: NothingYet | None = None

    def work(store: Store | None) -> StoreReport:
        warehouse_status = read_status(store) if store else None
        is_warehouse = store is not None and store.kind == "warehouse"
        recent = tuple(_run(lake, store if is_warehouse else None, run_id) for run_id in ids)
        quarantined = _in_quarantine(desk, store if warehouse_status and warehouse_status.loads else None)
        if store is None or not is_warehouse:
            return StoreReport(warehouse_status, recent, quarantined)
        published = beside.published() if beside.published else None
        return StoreReport(warehouse_status, recent, quarantined, _unloaded(lake, store), published)

    try:
        found = read(work)
    except MillraceError as reason:
        found = work(None)
        is_on_its_way = is_building or _is_new(found.runs, now, limits, beside)
        is_expected = bool(ids or (asked and not isinstance(reason, AtWork))) and not is_on_its_way
        if isinstance(reason, NothingYet) and not is_expected:
            nothing = reason
        else:
            error = reason
    is_building = is_building or lease.is_building(lake, now)  # one may have started before the store was read
    facts = _facts(found, asked, is_building, watcher, limits, now, beside)
    if isinstance(nothing, AtWork):
        facts = replace(facts, at_work=str(nothing))
    elif nothing is not None:
        facts = replace(facts, nothing=str(nothing))
    return _status(lake, found, error, facts, watcher, limits, now, place)


def _status(
    lake: Lake,
    found: StoreReport,
    error: MillraceError | None,
    facts: HealthInputs,
    watcher: Collecting,
    limits: StatusConfig,
    now: datetime,
    place: Location,
) -> Status:
    warehouse_status = found.warehouse_status or _NOTHING
    health, reasons = judge(facts, error, limits)
    is_known = error is None and not facts.is_behind
    is_watching: bool | Literal["unknown"] = "unknown" if watcher.is_running is None else watcher.is_running
    refreshed_at = _refreshed_at(warehouse_status)
    checks = [Check.of(reason, place) for reason in (*reasons, *_notes(found, error))]
    last_complete = sweep.newest_complete(lake, now)
    return Status(
        health=health,
        reasons=tuple(map(str, checks[: len(reasons)])),
        as_of=warehouse_status.as_of,
        built_through=warehouse_status.good.built_through if warehouse_status.good else None,
        newest_load_seq=warehouse_status.newest_load_seq if found.warehouse_status else None,
        lag_events=facts.lag_events if is_known else None,
        lag_rows=facts.lag_rows if is_known else None,
        lag_seconds=max(facts.events_wait_s, facts.rows_wait_s) if is_known else None,
        watcher=Watcher(is_watching, watcher.pid, refreshed_at, facts.since_refresh_s),
        marts=warehouse_status.marts,
        events=warehouse_status.events,
        coverage=warehouse_status.coverage,
        sources=_sources(warehouse_status, limits, now, has_run=_is_of_cursor_sim(lake, last_complete)),
        runs=found.runs,
        last_complete=last_complete,
        builds=warehouse_status.builds,
        in_quarantine=found.in_quarantine,
        store=found.warehouse_status.kind if found.warehouse_status else None,
        store_error=None if error is None else str(error),
        checks=tuple(checks),
        completeness=warehouse_status.completeness,
    )


def _notes(found: StoreReport, error: MillraceError | None) -> Iterator[Reason]:
    """Yield findings that need attention but do not affect health."""
    warehouse_status = found.warehouse_status or _NOTHING
    if found.in_quarantine:
        yield Reason.of(Code.IN_QUARANTINE, f"{found.in_quarantine} objects in quarantine")
    for account in warehouse_status.completeness:
        if account.provisional:
            first = f"{account.provisional:,} repositories of {account.name} are not read to their beginning yet"
            yield Reason.of(Code.SOURCE_PROVISIONAL, first)
    if warehouse_status.coverage.unpriced:
        responses = sum(each.responses for each in warehouse_status.coverage.unpriced)
        yield Reason.of(Code.NO_PRICE, f"{responses:,} responses have no price")
    if not warehouse_status.events.total and error is None:
        yield Reason.of(Code.NOTHING_COLLECTED, "no usage was collected yet")


_NOTHING = WarehouseStatus(
    kind="published",
    builds=(),
    good=None,
    as_of=None,
    loads={},
    marts=tuple(MartState(name, None, False, None, None) for name in MARTS),
    events=Events(0, 0, {}, {}),
    coverage=Coverage(0, 0, 0, 0, 0, 0, ()),
)


def _facts(
    found: StoreReport,
    asked: int | None,
    is_building: bool,
    watcher: Collecting,
    limits: StatusConfig,
    now: datetime,
    beside: Beside,
) -> HealthInputs:
    warehouse_status = found.warehouse_status or _NOTHING
    newest_run = found.runs[-1] if found.runs else None
    others = [loaded for loaded in warehouse_status.others if loaded.waiting]
    sources = _sources(warehouse_status, limits, now, has_run=False)
    waiting = [*others, *([warehouse_status.usage] if warehouse_status.usage.waiting else [])]
    is_behind = (
        found.warehouse_status is not None
        and warehouse_status.kind == "published"
        and (asked or 0) > warehouse_status.newest_load_seq
    )
    is_warehouse = found.warehouse_status is not None and warehouse_status.kind == "warehouse"
    good = warehouse_status.good.number if warehouse_status.good else None
    return HealthInputs(
        is_building=is_building,
        build=warehouse_status.builds[0].number if warehouse_status.builds else None,
        build_result=warehouse_status.builds[0].result if warehouse_status.builds else None,
        build_met_damage=bool(warehouse_status.builds) and warehouse_status.builds[0].met_damage,
        run_id=newest_run.run_id if newest_run else None,
        run_status=newest_run.status if newest_run else None,
        run_reason=newest_run.reason if newest_run else None,
        run_age_s=_quiet_s(newest_run, now) if newest_run else None,
        is_at_work=beside.is_at_work,
        damaged=tuple(str(run.reason) for run in found.runs if run.status == "damaged"),
        is_gone=found.warehouse_status is not None and beside.has_warehouse is False and not beside.is_at_work,
        unloaded=found.unloaded,
        build_of_readers=found.published if is_warehouse and beside.published else good,
        last_good_build=good,
        is_watching=watcher.is_running,
        dead_watcher=watcher.dead_watcher,
        lag_events=warehouse_status.usage.waiting,
        lag_rows=sum(loaded.waiting for loaded in others),
        events_wait_s=_oldest_s([warehouse_status.usage], now),
        rows_wait_s=_oldest_s(others, now),
        published_through=warehouse_status.newest_load_seq if is_behind else None,
        asked_through=asked,
        since_refresh_s=_since(_refreshed_at(warehouse_status), now),
        since_change_s=min(
            (_since(each.waiting_until, now) or 0.0 for each in waiting if each.waiting_until), default=None
        ),
        silent=tuple((each.table, each.seconds_since or 0.0) for each in sources if each.is_silent),
        ahead=warehouse_status.ahead(now),
        incomplete=tuple(_incomplete(each) for each in warehouse_status.completeness if each.has_to_be_looked_at),
    )


def _incomplete(account: AccountState) -> str:
    return f"{account.name}: {account}; first {account.incomplete[0]}"


def _refreshed_at(warehouse_status: WarehouseStatus) -> datetime | None:
    return max(
        (
            mart.last_refresh_at
            for mart in warehouse_status.marts
            if mart.name.startswith("usage_") and mart.last_refresh_at
        ),
        default=None,
    )


def _since(instant: datetime | None, now: datetime) -> float | None:
    return None if instant is None else max(0.0, (now - instant).total_seconds())


def _oldest_s(loads: list[Loaded], now: datetime) -> float:
    return max((_since(loaded.waiting_since, now) or 0.0 for loaded in loads), default=0.0)


def _sources(
    warehouse_status: WarehouseStatus, limits: StatusConfig, now: datetime, has_run: bool
) -> tuple[SourceState, ...]:
    """Return the state of each table. With `has_run` all of cursor-sim were asked for, also those without rows."""
    found = []
    for table in TABLES:
        if TABLES[table].is_optional and table not in warehouse_status.loads:
            continue
        loaded = warehouse_status.loads.get(table, Loaded())
        seconds = _since(loaded.extracted_at, now)
        is_late = seconds is not None and seconds > limits.silent_h * 3600
        is_silent = is_late and loaded.is_extracted and table in _OF_EACH_RUN
        is_connected = table in warehouse_status.loads or (has_run and table in CURSOR_SIM)
        found.append(SourceState(table, loaded.extracted_at, seconds, loaded.row_count, is_silent, is_connected))
    return tuple(found)


def _is_of_cursor_sim(lake: Lake, run_id: str | None) -> bool:
    try:
        return run_id is not None and runs.read_plan(lake, run_id).source == "cursor-sim"
    except Damaged:
        return False


def _run(lake: Lake, store: Store | None, run_id: str) -> RunState:
    try:
        final = runs.read_final(lake, run_id)
        if final is not None:
            return RunState(run_id, final.status, final.reason)
        why = sweep.why_unfinished(lake, StoreLedger(store) if store else None, run_id)
        tasks = tuple(_task(progress) for progress in sweep.in_progress(lake, run_id))
    except Damaged as error:
        return RunState(run_id, "damaged", str(error))
    reason = why or ("everything is there, and the run is not ended" if store else None)
    return RunState(run_id, "unfinished", reason, tasks)


def _task(progress: Progress) -> TaskState:
    return TaskState(
        progress.task_id,
        progress.lists_done,
        progress.lists_total,
        progress.rows,
        progress.deliveries,
        datetime.fromisoformat(progress.saved_at),
    )


def _unloaded(lake: Lake, store: Store) -> tuple[str, ...]:
    """Return the names of objects that are not in the ledger: their load was killed, or has not started yet."""
    known = {entry.version.name for entry in StoreLedger(store).entries()}
    held = (stored.version.name for prefix in LOADED for stored in lake.list(prefix))
    return tuple(name for name in held if name not in known)


def _quiet_s(run: RunState, now: datetime) -> float:
    """Return the seconds since a run's start, or since one of its tasks last advanced."""
    heard_at = max([names.started_at(run.run_id), *(task.saved_at for task in run.tasks)])
    return max(0.0, (now - heard_at).total_seconds())


def _is_new(recent: tuple[RunState, ...], now: datetime, limits: StatusConfig, beside: Beside) -> bool:
    """Return whether the newest run is in progress, so that its build has not run yet."""
    if not recent or recent[-1].status != "unfinished" or beside.is_at_work is False:
        return False
    return _quiet_s(recent[-1], now) <= limits.stale_s


def _in_quarantine(desk: Lake | None, store: Store | None) -> int:
    if desk is None or next(iter(desk.list("quarantine/")), None) is None:
        return 0
    from millrace.load import quarantine  # it imports the loader of files, which a reader of the status may lack

    return len(quarantine.entries(desk, StoreLedger(store)))
