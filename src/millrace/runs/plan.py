"""Plans of runs: the request for a run, its plan in the lake, and its start."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from millrace import log
from millrace.bus import Bus
from millrace.bus.events import NotAnEvent, TaskEvent
from millrace.errors import TerminalError
from millrace.lake import Lake, ObjectExists, ObjectMissing, create_once
from millrace.lake.documents import parsed
from millrace.lake.names import PlanKey
from millrace.tables import children_of

_MOST_AHEAD = timedelta(hours=1)


class PlanMissing(TerminalError):
    """The run was not started: its plan is written before anything else, and never deleted."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request for a run. Its schedule time determines the run's id, `since` bounds the rows."""

    scheduled_at: datetime
    since: date | None = None
    full_refresh: bool = False

    @classmethod
    def parse(cls, scheduled_at: str | None, body: bytes, now: datetime | None = None) -> Self:
        """Read the scheduler's header (none: now) and the JSON body, whose two fields are optional.

        Raises NotAnEvent for anything else, and for a time that is more than an hour ahead of `now` (default: the
        clock's time). A run of the future would be the newest one until then.
        """
        now = now or datetime.now(UTC)
        try:
            fields = json.loads(body or b"{}")
            since, full_refresh = fields.pop("since", None), fields.pop("full_refresh", False)
            if fields or not isinstance(full_refresh, bool):
                raise ValueError
            moment = datetime.fromisoformat(scheduled_at) if scheduled_at else now
            if moment.tzinfo is None:
                raise ValueError
            is_ahead = moment - now > _MOST_AHEAD
            request = cls(moment.astimezone(UTC), None if since is None else date.fromisoformat(since), full_refresh)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise NotAnEvent(
                'expected a JSON object like {"since": "2026-01-31", "full_refresh": true}, and a time by RFC 3339'
            ) from None
        if is_ahead:
            raise NotAnEvent(f"expected a schedule time within an hour of {now}, got {request.scheduled_at}")
        return request


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run. Its tasks are the tables without a parent; children follow from the registry."""

    run_id: str
    scheduled_at: str
    since: str | None
    full_refresh: bool

    @property
    def day(self) -> date:
        """Return the day in the names of the run's parts."""
        return datetime.fromisoformat(self.scheduled_at).date()

    def tasks(self) -> list[TaskEvent]:
        """Return the tasks that a run starts with."""
        return [TaskEvent(self.run_id, table.name, table.name) for table in children_of(None)]


def run_id_of(scheduled_at: datetime) -> str:
    """Return the id of a run from its schedule time (UTC): the time to the second."""
    return f"{scheduled_at.year:04}{scheduled_at:%m%dT%H%M%SZ}"


def start(lake: Lake, bus: Bus, request: RunRequest) -> Plan:
    """Start the run of a schedule time; repeated with the same time, request the tasks of the same run again."""
    moment = request.scheduled_at.replace(microsecond=0)
    since = str(request.since) if request.since else None
    plan = Plan(run_id_of(moment), moment.isoformat(), since, request.full_refresh)
    with log.step("start run", plan.run_id):
        try:
            create_once(lake, str(PlanKey(plan.run_id)), to_json(asdict(plan)))
        except ObjectExists:
            plan = read_plan(lake, plan.run_id)
        log.info("run started", since=plan.since, full_refresh=plan.full_refresh)
        for task in plan.tasks():
            task.request(bus)
        return plan


def read_plan(lake: Lake, run_id: str) -> Plan:
    """Return a run's plan; PlanMissing when there is none, Damaged when it cannot be read."""
    name = str(PlanKey(run_id))
    try:
        return parsed(lake.read(name)[0], name, lambda fields: Plan(**fields))
    except ObjectMissing:
        raise PlanMissing(f"run {run_id} has no plan; start it before asking for its tasks") from None


def to_json(fields: dict[str, Any]) -> bytes:
    """Return the content of an object of the protocol: JSON with sorted names."""
    return json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"
