"""The status as text for a terminal."""

from collections.abc import Iterator
from datetime import datetime

from millrace.status import completeness, unpriced
from millrace.status.rules import Code, age
from millrace.status.state import SourceState, Status, TaskState
from millrace.status.store import MartState

_STORES = {
    "warehouse": "read from the working warehouse",
    "published": "read from the published copy, as the working warehouse is in use or elsewhere",
    None: "no store could be read",
}


def lines(status: Status) -> Iterator[str]:
    """Yield the lines: the verdict first, then each reason with its remedy. Simulated data are named before it."""
    if status.is_simulated:
        yield "Simulated data: the numbers of a made-up company"
    yield f"ETL pipeline: {status.health}; {'nothing is built' if status.is_empty else _STORES[status.store]}"
    for reason in status.reasons:
        yield f"{'wait' if status.health == 'syncing' else 'look'}: {reason}"
    if quarantine := status.check(Code.IN_QUARANTINE):
        yield f"look: {quarantine}"
    yield _watcher(status)
    yield f"Lag      {_lag(status)}"
    yield f"Built    {_built(status)}"
    yield f"Events   {_events(status)}"
    yield "Marts"
    yield from (_mart(mart) for mart in status.marts)
    yield from _coverage(status)
    yield from completeness.lines(status.completeness)
    yield "Sources"
    for source in status.sources:
        yield f"  {source.table:<21} {_source(source)}"
    for run in status.runs:
        yield f"run {run.run_id}: {run.status}{f' ({run.reason})' if run.reason else ''}"
        yield from (_task(task) for task in run.tasks)
    for build in status.builds:
        took = "" if build.seconds is None else f", {build.seconds:.1f} s"
        through = f"built through {build.built_through}, started {_at(build.started_at)}{took}"
        yield f"build {build.number}: {build.result}, {through}"


def _task(task: TaskState) -> str:
    of = "" if task.lists_total is None else f" of {task.lists_total:,}"
    return (
        f"  {task.task:<21} {task.lists_done:,}{of} lists, {task.rows:,} rows in {task.deliveries} deliveries, "
        f"last saved {_at(task.saved_at)}"
    )


def _source(source: SourceState) -> str:
    if not source.is_connected:
        return f"{'not connected':>16}"
    when = "never extracted" if source.seconds_since is None else f"{age(source.seconds_since)} ago"
    return f"{source.rows:>11,} rows  {when}{', silent' if source.is_silent else ''}"


def _watcher(status: Status) -> str:
    watcher = status.watcher
    words = {True: f"running (pid {watcher.pid})", False: "not running", "unknown": "unknown"}
    ago = watcher.seconds_since_refresh
    refreshed = "usage marts never refreshed" if ago is None else f"usage marts refreshed {age(ago)} ago"
    return f"Watcher  {words[watcher.running]}; {refreshed}"


def _lag(status: Status) -> str:
    if status.lag_events is None or status.lag_rows is None or status.lag_seconds is None:
        return "unknown"
    waits = f", the oldest for {age(status.lag_seconds)}" if status.lag_events or status.lag_rows else ""
    return f"{status.lag_events} events, {status.lag_rows} rows{waits}"


def _built(status: Status) -> str:
    if status.built_through is None:
        return f"nothing; loaded through {status.newest_load_seq or 0}"
    as_of = f", as of {_at(status.as_of)}" if status.as_of else ""
    return f"through {status.built_through}{as_of}; loaded through {status.newest_load_seq}"


def _events(status: Status) -> str:
    pairs = (
        f"{name}={count}"
        for by in (status.events.by_provider, status.events.by_cost_source)
        for name, count in by.items()
    )
    return " ".join([f"{status.events.total} total", *pairs])


def _mart(mart: MartState) -> str:
    rows = "not there" if mart.rows is None else f"{mart.rows:,} rows"
    through = (
        "" if mart.watermark is None else f"  through {mart.watermark}, {'current' if mart.is_current else 'behind'}"
    )
    return f"  {mart.name:<21} {rows:>16}{through}"


def _coverage(status: Status) -> Iterator[str]:
    has = status.coverage
    projects = f"{has.projects} projects, {has.projects_with_mart} in the marts, {has.projects_with_repository}"
    repositories = f"{has.repositories} repositories, {has.repositories_with_pull_requests} with merged pull requests"
    yield f"Coverage {projects} with a repository; {repositories}"
    if has.values_made_unknown:
        yield f"  implausible: {has.values_made_unknown:,} values of the sources are unknown; mart.implausible_values"
    for each in has.unpriced:
        name = unpriced.name(each.agent, each.provider, each.model, each.speed, each.region, each.context, each.gap)
        yield f"  no price: {name}: {each.tokens:,} tokens of {each.responses:,} responses"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}Z"
