"""`millrace collect`: read the logs of this machine's coding agents, and add new events to a lake; `usage backfill`."""

import time
from datetime import date, time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace import interrupts
from millrace.cli import collected, options, output, scheduling
from millrace.cli.output import ATTENTION, DONE, ProgressLine, say
from millrace.errors import ConfigError, TransientError

if TYPE_CHECKING:
    from millrace.build import job
    from millrace.collect.machine import Machine
    from millrace.collect.schedule import Every
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.usage_pipeline import LocalPipeline, RunResult

_PUBLISH_EVERY_S = 2.0


@click.command(short_help="Count what the coding agents of this machine used.")
@options.data_dir_or_lake
@click.option("--watch", is_flag=True, help="Go on as the logs change, until stopped.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent or installed, and write nothing.")
@options.since
@options.as_json
@options.logs
@options.owners
@options.schedule
def collect(
    data_dir: Path | None,
    lake: str | None,
    watch: bool,
    dry_run: bool,
    since: date | None,
    as_json: bool,
    agents: tuple[str, ...] | None,
    without: tuple[str, ...] | None,
    home: Path,
    owners: frozenset[str] | None,
    install: bool,
    every: "Every | None",
    at: time_of_day | None,
    uninstall: bool,
    installed: bool,
    settings: tuple[tuple[str, str], ...],
    log: Path | None,
) -> int:
    """Read the logs of this machine's coding agents, and add new events to the lake.

    In a data directory, it also loads them and refreshes the usage marts. With a lake, it only sends them. Agents
    delete their logs after some time: --install lets the system run it every day.

    \b
    Example: millrace collect --watch
    """
    from millrace import config

    if lake and data_dir:
        raise click.UsageError("expected --lake or --data-dir, got both")
    if as_json and watch:
        raise click.UsageError("expected --json or --watch, got both")
    _check_schedule({"--install": install, "--uninstall": uninstall, "--installed": installed}, watch or as_json)
    if (every or at) and not install:
        raise click.UsageError("expected --install beside --every and --at")
    if every == "hourly" and at:
        raise click.UsageError("expected --at or --every hourly, got both")
    if install:
        _require_real(lake or (None if data_dir else config.CollectConfig.from_env().lake), data_dir)
        own = None if home == Path.home() else home
        asked = scheduling.Asked(own, data_dir, lake, agents, without, since, owners)
        return scheduling.install(asked, every or "daily", at or time_of_day(12), dry_run)
    if uninstall:
        return scheduling.uninstall(dry_run)
    if installed:
        return scheduling.show()
    config.use(dict(settings))
    if log is not None:
        output.append_to(log)
    url = lake or (None if data_dir else config.CollectConfig.from_env().lake)
    if url:
        return _to_lake(machine_of(home, agents, without, None, owners), url, watch, dry_run, since, as_json)
    directory = _directory(data_dir)
    machine = machine_of(home, agents, without, directory.collector, owners)
    return _to_data_dir(directory, machine, watch, dry_run, since, as_json)


def _directory(named: Path | None) -> "DataDir":
    """Return the named data directory, or the one of real rows."""
    from millrace.laptop import places
    from millrace.laptop.data_dir import DataDir

    return DataDir((named or places.real()).resolve())


def _require_real(url: str | None, data_dir: Path | None) -> None:
    """Raise ConfigError where the rows of a demo are: in a lake's folder, or without a lake in a data directory."""
    from millrace import wiring
    from millrace.laptop import claims

    if url is None:
        claims.require(_directory(data_dir), "real")
    elif folder := wiring.lake_folder(url):
        claims.require_real_lake(folder)


def _check_schedule(asked: dict[str, bool], is_otherwise: bool) -> None:
    """Raise UsageError for two of the options of a schedule, and for one of them beside --watch or --json."""
    given = [name for name, is_given in asked.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"expected one of {', '.join(asked)}, got {' and '.join(given)}")
    if given and is_otherwise:
        raise click.UsageError(f"expected {given[0]} without --watch and --json")


def _to_data_dir(
    directory: "DataDir",
    machine: "Machine | None",
    is_watching: bool,
    dry_run: bool,
    since: date | None,
    as_json: bool,
) -> int:
    """Read what is new, load it and refresh the marts, once or as the logs change."""
    from millrace.laptop import claims

    if machine is None:
        return DONE
    claims.require(directory, "real")
    if dry_run:
        return _dry_run(machine, directory, since, as_json)
    if not is_watching and collected.nothing_to_read(machine, as_json):
        return ATTENTION
    from millrace.collect import lock
    from millrace.laptop.usage_pipeline import local_pipeline

    with local_pipeline(machine, directory) as pipeline:
        if is_watching:
            return _watch(pipeline, machine, since)
        code = _collect(pipeline, machine, since, as_json)
    lock.forget_watcher(machine.state)
    return code


def machine_of(
    home: Path,
    agents: tuple[str, ...] | None,
    without: tuple[str, ...] | None,
    default_state: Path | None,
    owners: frozenset[str] | None = None,
) -> "Machine | None":
    """Return the machine of a command line; None when MILLRACE_COLLECT is off.

    `default_state` is the state of a data directory. There repositories of all owners are named unless some are
    listed, for nothing leaves the machine.
    """
    from millrace.collect.discovery import default_state_folder
    from millrace.collect.machine import Machine, platform
    from millrace.collect.parsers.agents import AGENTS
    from millrace.collect.repositories import ANY, NONE, Owners
    from millrace.config import CollectConfig

    config = CollectConfig.from_env()
    listed = owners or config.owners
    named = Owners(listed) if listed else NONE if default_state is None else ANY
    if config.is_off:
        say("MILLRACE_COLLECT is off: nothing is read, and nothing is sent")
        return None
    if config.state:
        state = Path(config.state).resolve()
    else:
        state = default_state or default_state_folder(home, config.environment, platform())
    return Machine(home, config, frozenset(agents or AGENTS) - frozenset(without or ()), state, owners=named)


def _dry_run(machine: "Machine", directory: "DataDir", since: date | None, as_json: bool) -> int:
    if collected.nothing_to_read(machine, as_json):
        return ATTENTION
    collector = machine.dry_collector()
    result = collector.collect(since=since)
    if as_json:
        output.say_json({"would_send": collected.to_json(result, machine, collector.store, directory.typed_prices)})
        return collected.code(result)
    code = collected.show(result, "would send")
    collected.show_news(result, machine)
    collected.show_table(collector.store, directory.typed_prices)
    return code


def _to_lake(
    machine: "Machine | None", url: str, is_watching: bool, dry_run: bool, since: date | None, as_json: bool
) -> int:
    """Read what is new and add it to the lake, once or as the logs change."""
    from millrace import wiring
    from millrace.cli import watch
    from millrace.collect import lock
    from millrace.collect.shipping import ship

    if machine is None:
        return DONE
    _require_real(url, None)
    if dry_run:
        return _dry_run(machine, _directory(None), since, as_json)
    if not is_watching and collected.nothing_to_read(machine, as_json):
        return ATTENTION
    lake, typed = wiring.lake_at(url), _directory(None).typed_prices
    with machine.collector() as collector:

        def run(only: set[Path] | None) -> int:
            progress = ProgressLine("read")
            found = collector.collect(only, since, progress.bytes)
            progress.end()
            sent = ship(machine.spool, lake, collector.collector_id)
            if is_watching and not (found.rows or found.bad_files or sent.sent or sent.waiting):
                return DONE
            if as_json:
                said = collected.to_json(found, machine, collector.store, typed)
                output.say_json({"collected": said, "sent": len(sent.sent), "waiting": len(sent.waiting)})
                return collected.code(found) | (ATTENTION if sent.waiting else DONE)
            code = collected.show(found, "collected") | collected.show_upload(sent)
            if not is_watching:
                collected.show_news(found, machine)
                collected.show_table(collector.store, typed)
            return code

        if is_watching:
            watch.follow(machine, lambda only: run(only) if only != set() else DONE)
            return DONE
        code = run(None)
    lock.forget_watcher(machine.state)
    return code


def _collect(pipeline: "LocalPipeline", machine: "Machine", since: date | None, as_json: bool = False) -> int:
    """Collect, load, print what was used, and build, once."""
    progress = ProgressLine("read")
    result = pipeline.usage.run_once(since=since, on_progress=progress.bytes)
    progress.end()
    code = _code(result)
    is_due = bool(result.inserted + result.updated) or not pipeline.is_current()
    if not as_json:
        collected.show(result.collected, "collected")
        collected.show_upload(result.upload)
        _show_loads(result)
        collected.show_news(result.collected, machine)
        collected.show_table(pipeline.collector.store, pipeline.data_dir.typed_prices)
    outcome = _build(pipeline) if is_due else None
    if as_json:
        output.say_json(_result_json(result, outcome, pipeline, machine))
        return code | (ATTENTION if outcome and outcome.state == "failed" else DONE)
    if outcome is None:
        say("nothing new")
        return code
    return code | _show_build(outcome, pipeline.data_dir)


def _build(pipeline: "LocalPipeline", full_refresh: bool = False) -> "job.Outcome":
    progress = ProgressLine("build")
    outcome = pipeline.build(full_refresh, lambda node, total: progress.step(node.name, total))
    progress.end()
    return outcome


def _watch(pipeline: "LocalPipeline", machine: "Machine", since: date | None) -> int:
    """Collect, load and refresh as the logs change."""
    from millrace.cli import watch

    following = _Following(pipeline, machine, since)
    try:
        code = following.begin()
    except ConfigError:
        raise
    except Exception as error:  # as in the watch, which retries
        if interrupts.is_asked():
            raise
        output.fail(DONE, f"{watch.reason(error)}; it is tried again")
    else:
        if code is not None:
            return code
    watch.follow(machine, following.act, pipeline.warehouse.close, _PUBLISH_EVERY_S)
    return following.end()


class _Following:
    """The watch of a data directory: a run after each change, and a publication every two seconds at most."""

    def __init__(self, pipeline: "LocalPipeline", machine: "Machine", since: date | None) -> None:
        self._pipeline, self._machine, self._since = pipeline, machine, since
        self._is_published, self._published_at = True, time.monotonic()

    def begin(self) -> int | None:
        """Collect, load and build, so that marts can be refreshed; return an exit code if the build failed."""
        _collect(self._pipeline, self._machine, self._since)
        if self._pipeline.usage.scripts is None:
            outcome = _build(self._pipeline)
            if outcome.state == "failed":
                return _show_build(outcome, self._pipeline.data_dir)
        self._is_published, self._published_at = True, time.monotonic()
        return None

    def act(self, only: set[Path] | None) -> None:
        """Run once over some logs (None: all; an empty set: not at all), and publish if that is due."""
        if self._pipeline.usage.scripts is None:
            if self.begin() is not None:
                raise TransientError("the build failed")
        elif only != set():
            self._cycle(only)
        if not self._is_published and time.monotonic() - self._published_at >= _PUBLISH_EVERY_S:
            self._publish()

    def end(self) -> int:
        """Publish what is not published yet, and return the exit code."""
        if not self._is_published:
            self._publish()
        return DONE

    def _cycle(self, only: set[Path] | None) -> None:
        result = self._pipeline.usage.run_once(only, self._since)
        if result.inserted + result.updated:
            self._is_published = False
            spent = ", ".join(f"{step} {s * 1000:.0f}" for step, s in result.seconds.items())
            say(f"{result.inserted:,} events inserted, {result.updated:,} updated (ms: {spent})")
        collected.show_bad_files(result.collected)
        collected.show_upload(result.upload)

    def _publish(self) -> None:
        self._pipeline.publish()
        self._is_published, self._published_at = True, time.monotonic()


def backfill(machine: "Machine", directory: "DataDir", force: bool, as_json: bool) -> int:
    """Read all logs, load all that is in the lake, refresh all marts, and print how it went."""
    from millrace.laptop.usage_pipeline import local_pipeline

    with local_pipeline(machine, directory) as pipeline:
        if force:
            pipeline.collector.force()
        progress = ProgressLine("read")
        result = pipeline.usage.run_once(on_progress=progress.bytes)
        progress.end()
        outcome = _build(pipeline, full_refresh=force)
        seconds = result.seconds | {"marts": outcome.build.seconds if outcome.build else 0.0}
        marts = pipeline.usage.scripts.marts if pipeline.usage.scripts is not None else ()
        counts = {mart: pipeline.warehouse.query(f"SELECT count(*) FROM mart.{mart}")[0][0] for mart in marts}  # noqa: S608
        if as_json:
            said = _result_json(result, outcome, pipeline, machine)
            output.say_json(said | {"marts": counts, "seconds": seconds})
            return _code(result) | (ATTENTION if outcome.state == "failed" else DONE)
        code = collected.show(result.collected, "read") | collected.show_upload(result.upload) | _show_loads(result)
        for step, spent in seconds.items():
            say(f"  {step:<8} {spent:8.1f} s")
        if counts:
            say("marts: " + ", ".join(f"{mart} {rows:,}" for mart, rows in counts.items()))
        return code | _show_build(outcome, directory)


def _code(result: "RunResult") -> int:
    return collected.code(result.collected) | (ATTENTION if result.upload.waiting or _quarantined(result) else DONE)


def _result_json(
    result: "RunResult", outcome: "job.Outcome | None", pipeline: "LocalPipeline", machine: "Machine"
) -> dict[str, Any]:
    """Return what was collected, loaded and built for JSON; without an outcome nothing had to be built."""
    typed = pipeline.data_dir.typed_prices
    return {
        "collected": collected.to_json(result.collected, machine, pipeline.collector.store, typed),
        "loaded": {"files": len(result.loads), "inserted": result.inserted, "updated": result.updated},
        "build": outcome.state if outcome else "current",
    }


def _quarantined(result: "RunResult") -> list[Any]:
    return [entry for entry in result.loads if entry.quarantine_reason is not None]


def _show_loads(result: "RunResult") -> int:
    unchanged = sum(entry.rows_unchanged + entry.rows_superseded for entry in result.loads)
    rows = f"{result.inserted:,} inserted, {result.updated:,} updated, {unchanged:,} known"
    say(f"loaded {len(result.loads):,} files: {rows}")
    quarantined = _quarantined(result)
    for entry in quarantined:
        say(f"look: {entry.version.name} is in quarantine: {entry.quarantine_reason}")
    return ATTENTION if quarantined else DONE


def _show_build(outcome: "job.Outcome", directory: "DataDir") -> int:
    bad = [node for node in outcome.build.nodes if not node.is_good] if outcome.build else []
    for node in bad:
        say(f"look: {node.name}: {node.message}")
    say(f"look: {len(bad)} nodes of the build are not good" if bad else str(directory.published))
    return ATTENTION if outcome.state == "failed" else DONE
