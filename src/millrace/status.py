"""Where things stand: how the runs ended or why they have not, what was built through what, what lies in quarantine."""

from dataclasses import dataclass, field

from millrace import builds, runs, sweeping
from millrace.errors import ConfigError
from millrace.lake import Lake
from millrace.warehouse import BuildLog, BuildRow, Warehouse

_SHOWN_RUNS = 5


@dataclass(frozen=True, slots=True)
class RunState:
    """One run: complete, failed or unfinished; `reason` is given for the last two."""

    run_id: str
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole state. `warehouse` says why the warehouse could not be asked, and then what it knows is None.

    `requested` and `newest_load_seq` are load sequences: the marts are current when the last good build is built
    through both.
    """

    runs: tuple[RunState, ...]
    last_complete: str | None
    requested: int | None
    newest_load_seq: int | None
    builds: tuple[BuildRow, ...]
    in_quarantine: int
    warehouse: str | None = None
    problems: tuple[str, ...] = field(default=())


def assemble(lake: Lake, warehouse: Warehouse, log: BuildLog, in_quarantine: int) -> Status:
    """Read it all. Works while a run goes on, and says then what it cannot see."""
    trouble: str | None = None
    newest: int | None = None
    last: tuple[BuildRow, ...] = ()
    try:
        newest, last = log.newest_load_seq(), tuple(log.last_builds(3))
    except ConfigError as error:
        trouble = str(error)
    ids = sweeping.run_ids(lake)
    recent = tuple(_state(lake, None if trouble else warehouse, run_id) for run_id in ids[-_SHOWN_RUNS:])
    complete = next((run_id for run_id in reversed(ids) if _is_complete(lake, run_id)), None)
    requested = builds.requested(lake)
    problems = _problems(recent, last, requested, in_quarantine)
    return Status(recent, complete, requested, newest, last, in_quarantine, trouble, tuple(problems))


def _is_complete(lake: Lake, run_id: str) -> bool:
    final = runs.read_final(lake, run_id)
    return final is not None and final.status == "complete"


def _state(lake: Lake, warehouse: Warehouse | None, run_id: str) -> RunState:
    final = runs.read_final(lake, run_id)
    if final is not None:
        return RunState(run_id, final.status, final.reason)
    if warehouse is None:
        return RunState(run_id, "unfinished", None)
    why = sweeping.why_unfinished(lake, warehouse, run_id)
    return RunState(run_id, "unfinished", why or "everything is there; run again to end it")


def _problems(
    recent: tuple[RunState, ...], last: tuple[BuildRow, ...], requested: int | None, in_quarantine: int
) -> list[str]:
    """Name what somebody should look at: the newest run, the newest build, what waits at the quarantine desk."""
    found = []
    if recent and recent[-1].status != "complete":
        found.append(f"run {recent[-1].run_id} is {recent[-1].status}: {recent[-1].reason or 'it may be going on'}")
    if last and last[0].result in ("failed", "abandoned"):
        found.append(f"build {last[0].number} {last[0].result}; type: local/run_all.py build")
    good = next((build for build in last if build.result == "good"), None)
    if requested is not None and (last or good) and (good is None or good.built_through < requested):
        found.append(f"the marts are built through {good.built_through if good else 0}, {requested} is requested")
    if in_quarantine:
        found.append(f"{in_quarantine} objects in quarantine; type: local/run_all.py quarantine list")
    return found
