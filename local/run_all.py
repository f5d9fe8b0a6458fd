"""Run the whole pipeline on this machine: source, extract, load, dbt, marts; and see how it is.

Exit codes: 0 everything reconciled and every dbt test passed · 1 it ran, and something is not right ·
2 it could not start (options, settings, data directory) · 3 the source or the machine failed on the way: run again.
"""

import argparse
import json
import sys
import time
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from millrace import wiring
from millrace.build import job
from millrace.cli import inspect
from millrace.config import BuildConfig, LoadConfig
from millrace.errors import ConfigError, MillraceError
from millrace.laptop import drops, in_process, simulated_usage
from millrace.laptop.data_dir import PROJECT, Place
from millrace.laptop.progress import Watcher
from millrace.laptop.report import Report
from millrace.laptop.source import source_settings, world_of
from millrace.load import sweep
from millrace.load.sweep import Patience
from millrace.runs import reconcile
from millrace.status import remedies


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="local/run_all.py",
        description="Run the whole pipeline on this machine: source, extract, load, dbt, marts.",
        epilog="exit codes: 0 all reconciled and tested, 1 something is not right, 2 could not start, "
        "3 the source or the machine failed: run again",
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="run",
        choices=("run", *inspect.COMMANDS),
        help="run (the default); status: how runs, builds and quarantine are; reconcile: compare source, lake and "
        "warehouse down to keys; reconcile RUN: add up that run as it is now; build: build what is due, or mend a "
        "failed build; quarantine: list, show ID, retry ID, discard ID WHY",
    )
    parser.add_argument("arguments", nargs="*", metavar="...", help="of reconcile and quarantine")
    parser.add_argument(
        "--data-dir", type=Path, default=PROJECT / "data", help="where everything is kept (default: data)"
    )
    parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="leave out older rows")
    parser.add_argument("--full-refresh", action="store_true", help="read everything again, whatever earlier runs read")
    parser.add_argument("--drops", action="store_true", help="only load the files in <data-dir>/lake/drop/<table>/")
    parser.add_argument("--force", action="store_true", help="build although nothing new was loaded: a model changed")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    emulators = parser.add_argument_group("emulators")
    emulators.add_argument(
        "--emulators",
        action="store_true",
        help="run as deployed: each function a process, over Google's clients, against emulators of its services",
    )
    emulators.add_argument("--fault-share", type=float, default=0.0, help="answer that share of the pushes 500")
    emulators.add_argument("--deliver-twice", action="store_true", help="deliver each message twice")
    source = parser.add_argument_group("source")
    source.add_argument(
        "--source-url", metavar="URL", help="a server of the source API; its key in MILLRACE_SOURCE_KEY"
    )
    source.add_argument("--developers", type=int, default=5, help="of the embedded simulator (default 5)")
    source.add_argument("--days", type=int, default=90, help="(default 90)")
    source.add_argument("--seed", type=int, default=1, help="(default 1)")
    source.add_argument("--velocity", choices=("low", "medium", "high"), default="medium", help="(default medium)")
    source.add_argument(
        "--clone-share", type=float, default=0.02, help="share of developers without e-mail on their pull requests"
    )
    source.add_argument(
        "--usage",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="collect the logs of the simulated developers' coding agents as well (default on)",
    )
    source.add_argument("--end", metavar="INSTANT", help="the simulator's now (default: the last midnight, UTC)")
    source.add_argument("--from-recording", type=Path, metavar="FILE", help="let the simulator serve recorded rows")
    source.add_argument(
        "--limiter", action=argparse.BooleanOptionalAction, default=True, help="the simulator's rate limit (default on)"
    )
    return parser.parse_args(arguments)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; one like 2026-01-31 was expected") from None


def run(options: argparse.Namespace) -> Report:
    """Do what the options ask for; gives the outcome."""
    if options.emulators and options.drops:
        raise ConfigError("--drops with --emulators: files are dropped into the folder of a plain run")
    place = Place(options.data_dir.resolve() / ("emulated" if options.emulators else ""))
    report = Report(place)
    started = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(place.alone())
        watcher = stack.enter_context(Watcher())
        settings = place.settings() | source_settings(options, place, stack, watcher.say)
        report.seconds["start"] = time.monotonic() - started
        if options.emulators:
            _run_emulated(stack, options, settings, watcher, report)
        else:
            _run_here(stack, options, settings, watcher, report)
        with redirect_stdout(sys.stderr):  # where dbt says which test failed; the answer is ours
            outcome = job.run(wiring.builder_of(BuildConfig.from_env(), watcher.hear), force=options.force)
        if outcome.build is not None:
            report.build = outcome.build
            report.seconds["build"] = outcome.build.seconds
    report.seconds["total"] = time.monotonic() - started
    return report


def _run_here(
    stack: ExitStack, options: argparse.Namespace, settings: dict[str, str], watcher: Watcher, report: Report
) -> None:
    pipeline = in_process.connect(settings)
    stack.callback(pipeline.warehouse.close)
    pipeline.warehouse.ensure_tables()
    if options.drops:
        _load_drops(pipeline, report.place, watcher, report)
    else:
        _run_pipeline(pipeline, options, settings, watcher, report)
    report.seconds |= {lane: seconds for lane, seconds in pipeline.bus.busy_s.items() if seconds}
    report.problems += [f"{dead.subscription}: {dead.reason}" for dead in pipeline.bus.dead_letters]


def _run_emulated(
    stack: ExitStack, options: argparse.Namespace, settings: dict[str, str], watcher: Watcher, report: Report
) -> None:
    try:
        from emulators import pipeline as emulated
    except ImportError as error:
        raise ConfigError(f"--emulators: {error}; `make test-emulators` installs what it needs") from error
    started = time.monotonic()
    running = stack.enter_context(
        emulated.emulated(report.place, settings, options.fault_share, options.deliver_twice, watcher.say)
    )
    report.seconds["emulators"] = time.monotonic() - started
    load = LoadConfig.from_env()
    warehouse = wiring.duckdb_at(load.warehouse, load.memory)
    stack.callback(warehouse.close)
    warehouse.ensure_tables()
    in_process.probe_source()
    bus = wiring.bus_at(settings["MILLRACE_BUS"])
    sweep.sweep(running.lake, bus, warehouse, datetime.now(UTC), Patience(quiet=timedelta(0)))
    warehouse.close()  # while the functions run, it is the load function's
    report.run_id = running.start_run(_order(options))
    watcher.say(f"run {report.run_id} from {settings['MILLRACE_SOURCE_URL']}")
    report.problems += running.wait_for(report.run_id)
    running.stop_functions()
    report.seconds["run"] = time.monotonic() - started - report.seconds["emulators"]
    report.tables = reconcile.reconcile(running.lake, warehouse, report.run_id)
    missing = reconcile.unfinished(running.lake, report.run_id)
    if missing:
        report.problems.append(f"the run ended without {', '.join(missing)}")


def _order(options: argparse.Namespace) -> bytes:
    since = {"since": str(options.since)} if options.since else {}
    return json.dumps({"full_refresh": options.full_refresh} | since).encode()


def _resume(pipeline: in_process.Pipeline, watcher: Watcher) -> None:
    """Take up what an earlier run left: nobody else is at work here, so whatever has no fact is lost."""
    patience = Patience(quiet=timedelta(0))
    swept = sweep.sweep(pipeline.lake, pipeline.bus, pipeline.warehouse, datetime.now(UTC), patience)
    if swept.tasks or swept.objects:
        watcher.say(f"taking up {len(swept.tasks)} tasks and {len(swept.objects)} objects that an earlier run left")
        pipeline.bus.run()
        pipeline.bus.dead_letters.clear()  # `status` says why a run does not end; this run is another


def _run_pipeline(
    pipeline: in_process.Pipeline,
    options: argparse.Namespace,
    settings: dict[str, str],
    watcher: Watcher,
    report: Report,
) -> None:
    in_process.probe_source()
    _resume(pipeline, watcher)
    report.run_id = pipeline.start_run(options.since, options.full_refresh)
    watcher.say(f"run {report.run_id} from {settings['MILLRACE_SOURCE_URL']}")
    if options.usage and not options.source_url and not options.from_recording:
        started = time.monotonic()
        report.usage = simulated_usage.collect_homes(options, report.place, pipeline.lake)
        report.seconds["collect"] = time.monotonic() - started
    pipeline.bus.run()
    if report.usage is not None:
        report.usage.add_up(pipeline.warehouse)
    report.tables = reconcile.reconcile(pipeline.lake, pipeline.warehouse, report.run_id)
    missing = reconcile.unfinished(pipeline.lake, report.run_id)
    if missing and not pipeline.bus.dead_letters:
        report.problems.append(f"the run ended without {', '.join(missing)}")


def _load_drops(pipeline: in_process.Pipeline, place: Place, watcher: Watcher, report: Report) -> None:
    new = sweep.sweep_drops(pipeline.lake, pipeline.bus, pipeline.warehouse)
    watcher.say(f"{len(new):,} new files in {place.drop}")
    pipeline.bus.run()
    report.drops = drops.outcomes(pipeline, new) + drops.unnameable(place.drop)


def _dry_run(options: argparse.Namespace) -> str:
    place = Place(options.data_dir.resolve())
    if options.drops:
        files = sum(path.is_file() for path in place.drop.rglob("*")) if place.drop.exists() else 0
        return (
            f"would load those of {files:,} files in {place.drop} that the ledger does not know, then build the marts"
        )
    scope = f"rows since {options.since}" if options.since else "all rows"
    state = place.lake / "state"
    is_first = options.full_refresh or not state.exists()
    how = (
        "everything"
        if is_first
        else f"what changed since the last run ({', '.join(sorted(p.stem for p in state.iterdir()))})"
    )
    source = options.source_url or world_of(options)
    return f"would read {scope} of {source}: {how}, into {place.root}, then build the marts"


def _exit_code(report: Report) -> int:
    if report.problems:
        return 3
    return 0 if report.is_good else 1


def main(arguments: list[str] | None = None) -> int:
    """Run, show the outcome, and give the exit code."""
    options = parse(arguments)
    try:
        if options.dry_run:
            print(_dry_run(options))  # noqa: T201 the command's answer
            return 0
        if options.command != "run":
            return inspect.COMMANDS[options.command](options)
        report = run(options)
        if options.json:
            print(json.dumps(report.to_json(), indent=1, default=str))  # noqa: T201 the command's answer
        else:
            report.show(Console(width=None if sys.stdout.isatty() else 120))
    except ConfigError as error:
        return _stop(2, remedies.with_remedy(error, remedies.laptop(options.data_dir)))
    except MillraceError as error:
        return _stop(3, remedies.with_remedy(error, remedies.laptop(options.data_dir)))
    except OSError as error:
        return _stop(3, error)
    except KeyboardInterrupt:
        return _stop(130, "interrupted; run again to finish")
    for problem in report.problems:
        _stop(3, problem)
    return _exit_code(report)


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)  # noqa: T201 the command's answer
    return code


if __name__ == "__main__":
    sys.exit(main())
