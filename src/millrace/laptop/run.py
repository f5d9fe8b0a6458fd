"""A run of the whole pipeline on this machine, from the source to the marts."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from millrace import runs, wiring
from millrace.build import job
from millrace.config import BuildConfig
from millrace.lake.local import LocalLake
from millrace.laptop import claims, company, drops, in_process, simulated_usage
from millrace.laptop.company import SimulatedGitHub
from millrace.laptop.completeness import accounts
from millrace.laptop.data_dir import LEASE_S, DataDir
from millrace.laptop.demo_maps import drop_maps
from millrace.laptop.github import GitHubOptions
from millrace.laptop.progress import ProgressLog
from millrace.laptop.report import Report
from millrace.laptop.source import NO_SOURCE, SourceOptions
from millrace.load import quarantine, recovery, sweep
from millrace.load.sweep import SweepTimeouts
from millrace.runs import reconcile

_KEPT = timedelta(days=7)  # what was read of an account so long ago is read on; then everything is due in any case


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run.

    With `is_company`, `source` is a world that is seen through a GitHub, and through Cursor's list of commits.
    """

    data_dir: Path
    source: SourceOptions | GitHubOptions
    since: date | None = None
    full_refresh: bool = False
    drops: bool = False
    builds: bool = True
    force: bool = False
    is_company: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """What the steps of a run share: its options, where progress is shown, and the outcome so far."""

    options: RunOptions
    watcher: ProgressLog
    report: Report


class Engine(Protocol):
    """A way to run the functions, from the start of a run until all of it is loaded."""

    @property
    def folder(self) -> str:
        """The folder below the data directory that it uses; empty: the data directory itself."""

    def load(
        self, stack: ExitStack, options: RunOptions, settings: dict[str, str], watcher: ProgressLog, report: Report
    ) -> None:
        """Extract and load as the options request; started processes end with `stack`, the outcome is in `report`."""


def run(options: RunOptions, engine: Engine) -> Report:
    """Run the pipeline with these options, and return the outcome."""
    data_dir = _place(options, engine)
    report = Report(data_dir)
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(data_dir.lock())
        watcher = stack.enter_context(ProgressLog())
        for part in _parts(options, data_dir):
            began = time.monotonic()
            settings = data_dir.settings() | dict(_source(part, data_dir, stack, watcher))
            report.add_seconds({"start": time.monotonic() - began})
            engine.load(stack, part, settings, watcher, report)
        if options.builds:
            _build(options, watcher, report)
    report.seconds["total"] = time.monotonic() - started
    return report


def _parts(options: RunOptions, data_dir: DataDir) -> list[RunOptions]:
    """Return a run of each source: a simulated company has two, which are read one after the other."""
    if options.drops or not options.is_company or not isinstance(options.source, SourceOptions):
        return [options]
    company.require(options.source, data_dir)
    return [replace(options, source=each) for each in company.sources(options.source, data_dir)]


def _source(options: RunOptions, data_dir: DataDir, stack: ExitStack, watcher: ProgressLog) -> Mapping[str, str]:
    """Return the settings of the source; files that a person dropped have none, and are of the directory's kind."""
    if options.drops:
        claims.claim(data_dir, data_dir.kind() or "real")
        return NO_SOURCE
    return company.settings_of(options.source, data_dir, stack, watcher.say, watcher.expect)


def dry_run(options: RunOptions, engine: Engine) -> str:
    """Return what a run would do, in a sentence."""
    data_dir = _place(options, engine)
    for part in _parts(options, data_dir) if not options.drops else ():
        bound = part.source.binding
        claims.require(data_dir, part.source.kind, bound.source, bound.account, bound.objects)
    then = "then build the marts" if options.builds else "and leave the marts as they are"
    if options.drops:
        files = sum(path.is_file() for path in data_dir.drop.rglob("*")) if data_dir.drop.exists() else 0
        return f"would load those of {files:,} files in {data_dir.drop} that the ledger does not know, {then}"
    if options.is_company and isinstance(options.source, SourceOptions):
        what = "pull requests and reviews from its GitHub, the AI lines of its commits from its Cursor"
        return f"would read {options.source.name}: {what}, into {data_dir.root}, {then}"
    if isinstance(options.source, GitHubOptions):
        return f"would read {_of_github(options.source, data_dir, options.full_refresh)}, into {data_dir.root}, {then}"
    scope = f"rows since {options.since}" if options.since else "all rows"
    if options.source.objects:
        scope += f" of {' and '.join(options.source.objects)}"
    state = data_dir.lake / "state"
    how = "everything"
    if state.exists() and not options.full_refresh:
        how = f"what changed since the last run ({', '.join(sorted(path.stem for path in state.iterdir()))})"
    return f"would read {scope} of {options.source.name}: {how}, into {data_dir.root}, {then}"


def _of_github(source: GitHubOptions, data_dir: DataDir, is_full: bool) -> str:
    """Return what a run of an account that is started now reads."""
    lake = LocalLake(data_dir.lake, data_dir.lake.name, is_only_read=True)
    origin = runs.Origin("github", source.account, source.repositories, source.first_days)
    scope = runs.scope_of(lake, runs.RunRequest(datetime.now(UTC), None, is_full), origin)
    what = {
        "recent": f"what changed in the last {source.first_days} days, then everything",
        "full": "everything",
        "changes": "what changed since the last run",
    }[scope]
    of = f"{', '.join(source.repositories)} of {source.account}" if source.repositories else source.account
    return f"of {of} at {source.binding.source}: {what}"


def _place(options: RunOptions, engine: Engine) -> DataDir:
    return DataDir(options.data_dir / engine.folder)


def _build(options: RunOptions, watcher: ProgressLog, report: Report) -> None:
    config = replace(BuildConfig.from_env(), lease_s=LEASE_S)
    outcome = job.run(wiring.builder_of(config, watcher.on_node), force=options.force)
    if outcome.build is not None:
        report.build = outcome.build
        report.seconds["build"] = outcome.build.seconds


class InProcess:
    """The functions in this process, over a folder, an in-process bus and DuckDB."""

    folder = ""

    def load(
        self, stack: ExitStack, options: RunOptions, settings: dict[str, str], watcher: ProgressLog, report: Report
    ) -> None:
        """Extract and load as the options request; the outcome is in `report`."""
        pipeline = in_process.connect(settings)
        stack.callback(pipeline.warehouse.close)
        pipeline.warehouse.ensure_tables()
        if options.drops:
            _load_drops(pipeline, watcher, report)
        else:
            _run_pipeline(pipeline, settings, _Step(options, watcher, report))
        report.add_seconds({lane: seconds for lane, seconds in pipeline.bus.busy_s.items() if seconds})
        report.problems += [f"{dead.subscription}: {dead.reason}" for dead in pipeline.bus.dead_letters]


def _resume(pipeline: in_process.Pipeline, step: _Step) -> None:
    """Resume what an earlier run left. No other process is at work here, so work without a record is lost."""
    _load_due(pipeline, step.watcher)
    in_process.recover(pipeline, step.watcher.say)
    timeouts = SweepTimeouts(quiet=timedelta(0))
    if pipeline.account:
        timeouts = replace(timeouts, until_failed=_KEPT)
    result = sweep.sweep(pipeline.lake, pipeline.bus, pipeline.warehouse, datetime.now(UTC), timeouts, pipeline.account)
    if result.tasks or result.objects:
        step.watcher.say(
            f"taking up {len(result.tasks)} tasks and {len(result.objects)} objects that an earlier run left"
        )
        _deliver(pipeline, {task.partition("/")[0] for task in result.tasks}, step)
        pipeline.bus.dead_letters.clear()  # `status` reports why that run does not end; this is another run
    in_process.settle(pipeline, step.watcher.say)


def _deliver(pipeline: in_process.Pipeline, run_ids: set[str], step: _Step) -> None:
    """Extract and load these runs. One that follows another waits until the rows of that are built.

    A first run of an account reads what is recent, so that it is here within minutes; reading the rest takes hours.
    """
    plans = [runs.read_plan(pipeline.lake, run_id) for run_id in run_ids]
    following = {runs.next_run_id(plan) for plan in plans if plan.next_scope}
    if following:
        pipeline.bus.run(is_held=lambda message: message.data.get("run_id") in following)
        if step.options.builds:
            _build(step.options, step.watcher, step.report)
            step.watcher.say("the newest days are here, `millrace serve` shows them; reading on")
    pipeline.bus.run()


def _load_due(pipeline: in_process.Pipeline, watcher: ProgressLog) -> None:
    """Copy the quarantined objects that contained a future time to `drop/`, if it has passed."""
    if due := quarantine.retry_due(pipeline.loader):
        watcher.say(f"{len(due)} quarantined objects were stamped with a time that has passed: loading them")


def _run_pipeline(pipeline: in_process.Pipeline, settings: dict[str, str], step: _Step) -> None:
    options, watcher, report = step.options, step.watcher, step.report
    seen = in_process.probe_source(options.source)
    if seen is not None:
        watcher.repositories.expect(seen.repositories, seen.budget)
    _resume(pipeline, step)
    is_github = isinstance(options.source, GitHubOptions)
    scope = pipeline.first_scope() if isinstance(options.source, SimulatedGitHub) else None
    run_id = pipeline.start_run(None if is_github else options.since, options.full_refresh, scope)
    report.run_id = run_id
    watcher.say(f"run {run_id} from {settings['MILLRACE_SOURCE_URL']}")
    if isinstance(options.source, SourceOptions) and options.source.has_agent_logs:
        started = time.monotonic()
        report.usage = simulated_usage.collect_homes(options.source, report.data_dir, pipeline.lake)
        report.seconds["collect"] = time.monotonic() - started
    _deliver(pipeline, {run_id}, step)
    if isinstance(options.source, SourceOptions) and report.usage is not None:
        if options.source.has_maps:
            drop_maps(pipeline.lake, pipeline.warehouse)
            pipeline.bus.run()
        report.usage.add_up(pipeline.warehouse)
    _report_run(pipeline, run_id, step)


def _report_run(pipeline: in_process.Pipeline, run_id: str, step: _Step) -> None:
    """Add up the run, or the one that followed it, and say which of the account's repositories are complete."""
    report = step.report
    missing = reconcile.unfinished(pipeline.lake, run_id)
    next_id = runs.next_run_id(runs.read_plan(pipeline.lake, run_id))
    if next_id is not None and not missing:
        run_id = report.run_id = next_id
        missing = reconcile.unfinished(pipeline.lake, run_id)
    report.tables += reconcile.reconcile(pipeline.lake, pipeline.warehouse, run_id, pipeline.warehouse.count)
    if missing and not pipeline.bus.dead_letters:
        report.problems.append(f"the run ended without {', '.join(missing)}")
    if isinstance(step.options.source, GitHubOptions):
        read = accounts(pipeline.warehouse)
        report.completeness = next((each for each in read if each.account == pipeline.account), None)


def _load_drops(pipeline: in_process.Pipeline, watcher: ProgressLog, report: Report) -> None:
    _load_due(pipeline, watcher)
    new = recovery.recover(pipeline.lake, pipeline.bus, pipeline.warehouse, ["drop/"])
    watcher.say(f"{len(new):,} new files in {report.data_dir.drop}")
    pipeline.bus.run()
    report.drops = drops.outcomes(pipeline, new) + drops.unnameable(report.data_dir.drop)
