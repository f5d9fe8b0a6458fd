"""The start of a run: what it reads of an account, and the run that follows it."""

from datetime import datetime, timedelta

from millrace import log
from millrace.bus import Bus
from millrace.lake import Lake
from millrace.runs.cursors import read_cursor
from millrace.runs.plan import Origin, Plan, RunRequest, Scope, begin, read_plan, run_id_of
from millrace.runs.records import tasks_of
from millrace.tables import endpoints_of

_FULL_EACH = timedelta(days=6, hours=18)  # a week, at any hour: what a run of changes cannot see is found then
_UNTIL_NEXT = timedelta(seconds=1)
_NO_ORIGIN = Origin()


def start(lake: Lake, bus: Bus, request: RunRequest, origin: Origin = _NO_ORIGIN) -> Plan:
    """Start the run of a schedule time; repeated with the same time, request the tasks of the same run again.

    The first run of an account that is read by repository reads what is recent, and is followed by one that reads
    everything; later ones read what has changed, and once a week everything.
    """
    scope = scope_of(lake, request, origin)
    return begin(lake, bus, request, origin, scope, "full" if scope == "recent" else None)


def scope_of(lake: Lake, request: RunRequest, origin: Origin) -> Scope:
    """Return what a run reads that would be started now."""
    endpoints = [each for each in endpoints_of(origin.source) if each.per_repository]
    if request.scope is not None or request.full_refresh or not endpoints:
        return request.scope or "full"
    since, now = str(request.since) if request.since else None, request.scheduled_at
    cursors = [read_cursor(lake, each.name, since, now, origin.account) for each in endpoints]
    if not any(cursors):
        return "recent"
    oldest = min((cursor.full_at or "" if cursor else "") for cursor in cursors)
    return "changes" if oldest and now - datetime.fromisoformat(oldest) < _FULL_EACH else "full"


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
