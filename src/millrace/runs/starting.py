"""The start of a run: what it reads of an account, and the run that follows it."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from millrace import log
from millrace.bus import Bus
from millrace.errors import BadObject
from millrace.lake import Lake
from millrace.lake.documents import Damaged
from millrace.lake.names import FinalKey, PlanKey, account_of, parse
from millrace.runs.cursors import read_cursor
from millrace.runs.plan import Origin, Plan, RunRequest, Scope, begin, read_plan, run_id_of
from millrace.runs.records import tasks_of
from millrace.tables import Endpoint, endpoints_of

_FULL_EACH = timedelta(days=6, hours=18)  # a week, at any hour: what a run of changes cannot see is found then
_LONGEST = timedelta(days=14)  # of a run, as far as others wait for it
_UNTIL_NEXT = timedelta(seconds=1)
_NO_ORIGIN = Origin()


def start(lake: Lake, bus: Bus, request: RunRequest, origin: Origin = _NO_ORIGIN) -> Plan:
    """Start the run of a schedule time; repeated with the same time, request the tasks of the same run again.

    The first run of an account that is read by repository reads what is recent, and is followed by one that reads
    everything; later ones read what has changed, and once a week everything. While one that reads everything goes on,
    which may take days, no other one does.
    """
    return begin(lake, bus, request, origin, *_scopes(lake, request, origin))


def scope_of(lake: Lake, request: RunRequest, origin: Origin) -> Scope:
    """Return what a run reads that would be started now."""
    return _scopes(lake, request, origin)[0]


def _scopes(lake: Lake, request: RunRequest, origin: Origin) -> tuple[Scope, Scope | None]:
    """Return what a run reads, and what the run reads that follows it."""
    endpoints = [each for each in endpoints_of(origin.source) if each.per_repository]
    if request.scope is not None or request.full_refresh or not endpoints:
        return request.scope or "full", "full" if request.scope == "recent" else None
    scope, has_read_all = _scope(lake, request, origin, endpoints)
    if scope != "changes" and _is_full_under_way(lake, request.scheduled_at, origin):
        return "changes" if has_read_all else "recent", None
    return scope, "full" if scope == "recent" else None


def _scope(lake: Lake, request: RunRequest, origin: Origin, endpoints: Sequence[Endpoint]) -> tuple[Scope, bool]:
    """Return what is due, and whether everything was read before."""
    since, now = str(request.since) if request.since else None, request.scheduled_at
    cursors = [read_cursor(lake, each.name, since, now, origin.account) for each in endpoints]
    if not any(cursors):
        return "recent", False
    oldest = min((cursor.full_at or "" if cursor else "") for cursor in cursors)
    return "changes" if oldest and now - datetime.fromisoformat(oldest) < _FULL_EACH else "full", bool(oldest)


def _is_full_under_way(lake: Lake, now: datetime, origin: Origin) -> bool:
    """Return whether a run of the account that reads everything has begun and not ended, or is still to follow one."""
    planned, ended = set[str](), set[str]()
    for stored in lake.list("runs/", f"runs/{run_id_of(now - _LONGEST)}"):
        with contextlib.suppress(BadObject):  # not one of ours
            key = parse(stored.version.name)
            if isinstance(key, PlanKey | FinalKey) and account_of(key.run_id) == origin.account:
                (planned if isinstance(key, PlanKey) else ended).add(key.run_id)
    for run_id in planned - ended - {run_id_of(now, origin.account)}:
        with contextlib.suppress(Damaged):  # the sweep ends it
            plan = read_plan(lake, run_id)
            if plan.scope == "full" or (plan.next_scope and next_run_id(plan) not in planned):
                return True
    return False


def next_run_id(plan: Plan) -> str | None:
    """Return the id of the run that follows a run; None when none does."""
    return run_id_of(_next_at(plan), plan.account) if plan.next_scope else None


def start_next(lake: Lake, bus: Bus, run_id: str) -> bool:
    """Start the run that follows a run whose tasks are all recorded; return whether that holds. Safe to repeat."""
    plan = read_plan(lake, run_id)
    if plan.next_scope is None or tasks_of(lake, plan).waiting:
        return False
    since = datetime.fromisoformat(plan.since).date() if plan.since else None
    log.info("the next run follows", run_id=run_id, scope=plan.next_scope)
    begin(lake, bus, RunRequest(_next_at(plan), since), plan.origin, plan.next_scope, None)
    return True


def _next_at(plan: Plan) -> datetime:
    return datetime.fromisoformat(plan.scheduled_at) + _UNTIL_NEXT
