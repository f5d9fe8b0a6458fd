"""A run of the whole pipeline on this machine, from the source to the marts."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from millrace import wiring
from millrace.build import job
from millrace.config import BuildConfig
from millrace.laptop import claims, drops, in_process, simulated_usage
from millrace.laptop.data_dir import LEASE_S, DataDir
from millrace.laptop.demo_maps import drop_maps
from millrace.laptop.progress import ProgressLog
from millrace.laptop.report import Report
from millrace.laptop.source import NO_SOURCE, SourceOptions, source_settings
from millrace.load import quarantine, recovery, sweep
from millrace.load.sweep import SweepTimeouts
from millrace.runs import reconcile


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run."""

    data_dir: Path
    source: SourceOptions
    since: date | None = None
    full_refresh: bool = False
    drops: bool = False
    builds: bool = True
    force: bool = False


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
        source = _source(options, data_dir, stack, watcher)
        settings = data_dir.settings() | dict(source)
        report.seconds["start"] = time.monotonic() - started
        engine.load(stack, options, settings, watcher, report)
        if options.builds:
            _build(options, watcher, report)
    report.seconds["total"] = time.monotonic() - started
    return report


def _source(options: RunOptions, data_dir: DataDir, stack: ExitStack, watcher: ProgressLog) -> Mapping[str, str]:
    """Return the settings of the source; files that a person dropped have none, and are of the directory's kind."""
    if options.drops:
        claims.claim(data_dir, data_dir.kind() or "real")
        return NO_SOURCE
    return source_settings(options.source, data_dir, stack, watcher.say, watcher.expect)


def dry_run(options: RunOptions, engine: Engine) -> str:
    """Return what a run would do, in a sentence."""
    data_dir = _place(options, engine)
    if not options.drops:
        claims.require(data_dir, options.source.kind, options.source.name)
    then = "then build the marts" if options.builds else "and leave the marts as they are"
    if options.drops:
        files = sum(path.is_file() for path in data_dir.drop.rglob("*")) if data_dir.drop.exists() else 0
        return f"would load those of {files:,} files in {data_dir.drop} that the ledger does not know, {then}"
    scope = f"rows since {options.since}" if options.since else "all rows"
    state = data_dir.lake / "state"
    how = "everything"
    if state.exists() and not options.full_refresh:
        how = f"what changed since the last run ({', '.join(sorted(path.stem for path in state.iterdir()))})"
    return f"would read {scope} of {options.source.name}: {how}, into {data_dir.root}, {then}"


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
            _run_pipeline(pipeline, options, settings, watcher, report)
        report.seconds |= {lane: seconds for lane, seconds in pipeline.bus.busy_s.items() if seconds}
        report.problems += [f"{dead.subscription}: {dead.reason}" for dead in pipeline.bus.dead_letters]


def _resume(pipeline: in_process.Pipeline, watcher: ProgressLog) -> None:
    """Resume what an earlier run left. No other process is at work here, so work without a record is lost."""
    _load_due(pipeline, watcher)
    in_process.recover(pipeline, watcher.say)
    timeouts = SweepTimeouts(quiet=timedelta(0))
    result = sweep.sweep(pipeline.lake, pipeline.bus, pipeline.warehouse, datetime.now(UTC), timeouts, pipeline.account)
    if result.tasks or result.objects:
        watcher.say(f"taking up {len(result.tasks)} tasks and {len(result.objects)} objects that an earlier run left")
        pipeline.bus.run()
        pipeline.bus.dead_letters.clear()  # `status` reports why that run does not end; this is another run
    in_process.settle(pipeline, watcher.say)


def _load_due(pipeline: in_process.Pipeline, watcher: ProgressLog) -> None:
    """Copy the quarantined objects that contained a future time to `drop/`, if it has passed."""
    if due := quarantine.retry_due(pipeline.loader):
        watcher.say(f"{len(due)} quarantined objects were stamped with a time that has passed: loading them")


def _run_pipeline(
    pipeline: in_process.Pipeline, options: RunOptions, settings: dict[str, str], watcher: ProgressLog, report: Report
) -> None:
    in_process.probe_source()
    _resume(pipeline, watcher)
    report.run_id = pipeline.start_run(options.since, options.full_refresh)
    watcher.say(f"run {report.run_id} from {settings['MILLRACE_SOURCE_URL']}")
    if options.source.has_agent_logs:
        started = time.monotonic()
        report.usage = simulated_usage.collect_homes(options.source, report.data_dir, pipeline.lake)
        report.seconds["collect"] = time.monotonic() - started
    pipeline.bus.run()
    if report.usage is not None:
        drop_maps(pipeline.lake, pipeline.warehouse)
        pipeline.bus.run()
        report.usage.add_up(pipeline.warehouse)
    report.tables = reconcile.reconcile(pipeline.lake, pipeline.warehouse, report.run_id, pipeline.warehouse.count)
    missing = reconcile.unfinished(pipeline.lake, report.run_id)
    if missing and not pipeline.bus.dead_letters:
        report.problems.append(f"the run ended without {', '.join(missing)}")


def _load_drops(pipeline: in_process.Pipeline, watcher: ProgressLog, report: Report) -> None:
    _load_due(pipeline, watcher)
    new = recovery.recover(pipeline.lake, pipeline.bus, pipeline.warehouse, ["drop/"])
    watcher.say(f"{len(new):,} new files in {report.data_dir.drop}")
    pipeline.bus.run()
    report.drops = drops.outcomes(pipeline, new) + drops.unnameable(report.data_dir.drop)
