"""Plans of runs: the request for a run, its plan in the lake, and its start."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Self, get_args

from millrace import log
from millrace.bus import Bus
from millrace.bus.events import NotAnEvent, TaskEvent
from millrace.errors import TerminalError
from millrace.lake import Lake, ObjectExists, ObjectMissing, create_once
from millrace.lake.documents import parsed
from millrace.lake.names import PlanKey
from millrace.sources import SOURCES, Source
from millrace.tables import children_of

Scope = Literal["full", "recent", "changes"]
"""What a run reads of each repository: everything, what was active in the first days, or what has changed."""
_MOST_AHEAD = timedelta(hours=1)


class PlanMissing(TerminalError):
    """The run was not started: its plan is written before anything else, and never deleted."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A request for a run. Its schedule time determines the run's id, `since` bounds the rows.

    Without a `scope` the run of an account decides itself what it reads.
    """

    scheduled_at: datetime
    since: date | None = None
    full_refresh: bool = False
    scope: Scope | None = None

    @classmethod
    def parse(cls, scheduled_at: str | None, body: bytes, now: datetime | None = None) -> Self:
        """Read the scheduler's header (none: now) and the JSON body, whose three fields are optional.

        Raises NotAnEvent for anything else, and for a time that is more than an hour ahead of `now` (default: the
        clock's time). A run of the future would be the newest one until then.
        """
        now = now or datetime.now(UTC)
        try:
            fields = json.loads(body or b"{}")
            since, full_refresh = fields.pop("since", None), fields.pop("full_refresh", False)
            scope = fields.pop("scope", None)
            if fields or not isinstance(full_refresh, bool) or scope not in (None, *get_args(Scope)):
                raise ValueError
            moment = datetime.fromisoformat(scheduled_at) if scheduled_at else now
            if moment.tzinfo is None:
                raise ValueError
            is_ahead = moment - now > _MOST_AHEAD
            first_day = None if since is None else date.fromisoformat(since)
            request = cls(moment.astimezone(UTC), first_day, full_refresh, scope)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise NotAnEvent(
                'expected a JSON object like {"since": "2026-01-31", "full_refresh": true}, where "scope" may be '
                "full, recent or changes, and a time by RFC 3339"
            ) from None
        if is_ahead:
            raise NotAnEvent(f"expected a schedule time within an hour of {now}, got {request.scheduled_at}")
        return request


@dataclass(frozen=True, slots=True)
class Origin:
    """What the runs of a deployable read: one account of one source ("" where the source has no accounts).

    Of the account's repositories only those with the names in `repositories` are read (none: all). The first run reads
    what was active in the last `first_days`. Of cursor-sim only the `objects` are read (none: all).
    """

    source: Source = "cursor-sim"
    account: str = ""
    repositories: tuple[str, ...] = ()
    first_days: int = 90
    objects: tuple[str, ...] = ()


_OF_ACCOUNTS = ("source", "account", "scope", "repositories", "first_days", "next_scope")


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run. Its tasks are the endpoints without a parent; children follow from the records.

    The fields from `source` on are those of the run's Origin, and the scope. A run with a `next_scope` is followed by
    one with that scope, as soon as all of its tasks are recorded.
    """

    run_id: str
    scheduled_at: str
    since: str | None
    full_refresh: bool
    source: Source = "cursor-sim"
    account: str = ""
    scope: Scope = "full"
    repositories: tuple[str, ...] = ()
    first_days: int = 90
    next_scope: Scope | None = None
    objects: tuple[str, ...] = ()

    @property
    def day(self) -> date:
        """Return the day in the names of the run's parts."""
        return datetime.fromisoformat(self.scheduled_at).date()

    @property
    def origin(self) -> Origin:
        """Return what the run reads."""
        return Origin(self.source, self.account, self.repositories, self.first_days, self.objects)

    def tasks(self) -> list[TaskEvent]:
        """Return the tasks that a run starts with."""
        first = children_of(None, self.source)
        wanted = [each for each in first if not self.objects or each.objects in self.objects]
        return [TaskEvent.of(self.run_id, each.name) for each in wanted]

    def to_json(self) -> bytes:
        """Return the plan as an object's content; without account and objects, as before there were any."""
        absent = ({"objects"} if not self.objects else set()) | (set() if self.account else {*_OF_ACCOUNTS})
        return to_json({name: value for name, value in asdict(self).items() if name not in absent})

    @classmethod
    def parse(cls, content: bytes, name: str) -> "Plan":
        """Read a plan; Damaged, with the object's name, when it is not one."""

        def make(fields: dict[str, Any]) -> "Plan":
            lists = {name: tuple(fields.get(name, ())) for name in ("repositories", "objects")}
            plan = cls(**fields | lists)
            if plan.source not in SOURCES or {plan.scope, plan.next_scope} - {None, *get_args(Scope)}:
                raise ValueError(plan)
            return plan

        return parsed(content, name, make)


def run_id_of(scheduled_at: datetime, account: str = "") -> str:
    """Return the id of a run from its schedule time (UTC), to the second, and the account that it reads."""
    return f"{scheduled_at.year:04}{scheduled_at:%m%dT%H%M%SZ}" + (f"-{account}" if account else "")


def begin(lake: Lake, bus: Bus, request: RunRequest, origin: Origin, scope: Scope, next_scope: Scope | None) -> Plan:
    """Start the run of a schedule time; repeated with the same time, request the tasks of the same run again."""
    moment = request.scheduled_at.replace(microsecond=0)
    run_id, since = run_id_of(moment, origin.account), str(request.since) if request.since else None
    plan = Plan(
        run_id,
        moment.isoformat(),
        since,
        request.full_refresh,
        origin.source,
        origin.account,
        scope,
        origin.repositories,
        origin.first_days,
        next_scope,
        origin.objects,
    )
    with log.step("start run", run_id):
        try:
            create_once(lake, str(PlanKey(run_id)), plan.to_json())
        except ObjectExists:
            plan = read_plan(lake, run_id)
        log.info("run started", since=plan.since, full_refresh=plan.full_refresh)
        for task in plan.tasks():
            task.request(bus)
        return plan


def read_plan(lake: Lake, run_id: str) -> Plan:
    """Return a run's plan; PlanMissing when there is none, Damaged when it cannot be read."""
    name = str(PlanKey(run_id))
    try:
        return Plan.parse(lake.read(name)[0], name)
    except ObjectMissing:
        raise PlanMissing(f"run {run_id} has no plan; start it before asking for its tasks") from None


def to_json(fields: dict[str, Any]) -> bytes:
    """Return the content of an object of the protocol: JSON with sorted names."""
    return json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"
