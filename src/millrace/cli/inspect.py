"""What `local/run_all.py` does beside running: say how things are, compare, build, and mind the quarantine desk."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

from millrace import wiring
from millrace.build import job
from millrace.config import BuildConfig, ExtractConfig
from millrace.errors import ConfigError, Step
from millrace.extract import audit as auditing
from millrace.laptop import in_process, status
from millrace.laptop.data_dir import Place
from millrace.laptop.report import sentence
from millrace.laptop.source import source_settings
from millrace.load import quarantine, sweep
from millrace.load.handler import Loader
from millrace.runs import reconcile as reconciling
from millrace.runs.reconcile import UsageLine
from millrace.status import remedies
from millrace.tables import EXTRACTED

_SHOWN_KEYS = 20
_NO_SOURCE = {"MILLRACE_SOURCE_URL": "http://no-source-is-asked", "MILLRACE_SOURCE_KEY": "none"}


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 the command's answer


@contextmanager
def _pipeline(place: Place, settings: dict[str, str]) -> Iterator[in_process.Pipeline]:
    pipeline = in_process.connect(place.settings() | settings)
    try:
        yield pipeline
    finally:
        pipeline.warehouse.close()


def show_status(options: argparse.Namespace) -> int:
    """Say how things are, as `millrace etl status` does; 1 when something needs somebody. Works while a run goes on."""
    now = status.status_of(Place(options.data_dir.resolve()))
    status.tell(now, is_json=options.json)
    return 1 if now.is_untouched or now.needs_somebody else 0


def reconcile(options: argparse.Namespace) -> int:
    """Compare source, lake and warehouse; 1 when they differ, with the keys of the rows in which they do."""
    place = Place(options.data_dir.resolve())
    if options.arguments:
        return _add_up(place, options)
    with ExitStack() as stack:
        stack.enter_context(place.alone())
        settings = source_settings(options, place, stack, lambda line: None)
        pipeline = stack.enter_context(_pipeline(place, settings))
        client = wiring.extractor_of(ExtractConfig.from_env()).client
        audits = auditing.audit(
            pipeline.lake, quarantine.settled(pipeline.warehouse), pipeline.warehouse, client, options.since
        )
        loaded, usage = _usage(pipeline)
    agree = [line.events == loaded and line.agrees_with(usage[0]) for line in usage]
    differs = any(audit.differences for audit in audits) or not all(agree)
    if options.json:
        tables = [asdict(audit) for audit in audits]
        _say(json.dumps({"tables": tables, "usage": [asdict(line) for line in usage]}, indent=1, default=str))
        return 1 if differs else 0
    for audit in audits:
        mark = "✗" if audit.differences else "✓"
        source = "?" if audit.in_source is None else f"{audit.in_source:,}"
        asked = f"source {source}, " if audit.table in EXTRACTED else ""
        _say(f"{mark} {audit.table:<14} {asked}lake {audit.in_lake:,}, warehouse {audit.in_warehouse:,} rows")
        for difference in audit.differences:
            shown = ", ".join("/".join(map(str, key)) for key in difference.keys[:_SHOWN_KEYS])
            more = f" and {len(difference.keys) - _SHOWN_KEYS:,} more" if len(difference.keys) > _SHOWN_KEYS else ""
            _say(f"    {len(difference.keys):,} {difference.what}: {shown}{more}")
    for line, is_good in zip(usage, agree, strict=True) if loaded or not all(agree) else ():
        told = f"{line.events:,} events of {loaded:,} loaded, {line.tokens:,} tokens, ${line.cost_usd:,.2f}"
        _say(f"{'✓' if is_good else '✗'} {line.name:<18} {told}")
    return 1 if differs else 0


def _usage(pipeline: in_process.Pipeline) -> tuple[int, list[UsageLine]]:
    """Add up usage; nothing before the first build."""
    if not pipeline.warehouse.last_builds():
        return 0, []
    return reconciling.reconcile_usage(pipeline.warehouse.query)


def _add_up(place: Place, options: argparse.Namespace) -> int:
    """Add up one run as it is now: a part that was loaded from quarantine since counts as loaded."""
    if len(options.arguments) > 1:
        raise ConfigError("reconcile takes at most one RUN")
    (run_id,) = options.arguments
    with place.alone(), _pipeline(place, _NO_SOURCE) as pipeline:
        if run_id not in sweep.run_ids(pipeline.lake):
            raise ConfigError(f"there is no run {run_id!r}; the last ones are those of status")
        lines = reconciling.reconcile(pipeline.lake, quarantine.settled(pipeline.warehouse), run_id)
        missing = reconciling.unfinished(pipeline.lake, run_id)
    if options.json:
        told = {"run_id": run_id, "tables": [line.to_json() for line in lines], "not_extracted": missing}
        _say(json.dumps(told, indent=1))
    else:
        for line in lines:
            _say(sentence(line))
        for task_id in missing:
            _say(f"  ✗ {task_id:<14} was not extracted")
    return 0 if all(line.is_balanced for line in lines) and not missing else 1


def build(options: argparse.Namespace) -> int:
    """Build what is due, with `--force` everything; after a failed build only what failed or was skipped in it."""
    place = Place(options.data_dir.resolve())
    with place.alone(), _pipeline(place, _NO_SOURCE) as pipeline:
        outcome = job.run(wiring.builder_of(BuildConfig.from_env()), retry=True, force=options.force)
        newest = pipeline.warehouse.last_builds(1)
    through = f", built through {newest[0].built_through}" if newest else ""
    hint = "; --force builds all the same" if outcome.state == "current" else ""
    _say(f"{outcome.state}{through}{hint}")
    for node in outcome.build.nodes if outcome.build else ():
        if not node.is_good:
            _say(f"  {node.status}: {node.name}: {node.message}")
    return 1 if outcome.state == "failed" else 0


def mind_quarantine(options: argparse.Namespace) -> int:
    """Do what is asked at the quarantine desk, and say what was done."""
    place = Place(options.data_dir.resolve())
    action, *rest = options.arguments or ["list"]
    with place.alone(), _pipeline(place, _NO_SOURCE) as pipeline:
        desk = _desk(pipeline)
        match action, rest:
            case "list", []:
                return _list(desk, options.json)
            case "show", [entry_id]:
                return _show(desk, entry_id)
            case "retry", [entry_id]:
                return _retry(desk, entry_id)
            case "discard", [entry_id, *why] if why:
                discarded = quarantine.discard(desk, entry_id, " ".join(why))
                _say(f"{entry_id}: {'discarded' if discarded.is_new else 'was discarded already'}: {discarded.why}")
                return 0
    raise ConfigError("quarantine takes: list, show ID, retry ID, discard ID WHY")


def _list(desk: Loader, as_json: bool) -> int:
    found = quarantine.entries(desk)
    if as_json:
        _say(json.dumps([asdict(entry) for entry in found], indent=1, default=str))
    for entry in [] if as_json else found:
        _say(f"{entry.id}  {entry.came_from}  {entry.reason}: {quarantine.printable(entry.message)}")
    if not found and not as_json:
        _say("nothing is in quarantine")
    return 0


def _show(desk: Loader, entry_id: str) -> int:
    shown = quarantine.show(desk, entry_id)
    for name, value in asdict(shown.entry).items():
        _say(f"{name:<14} {quarantine.printable(str(value))}")
    for failure in shown.failed_since:
        _say(f"failed again   {failure}")
    _say(f"sample:\n{shown.sample}")
    return 0


def _retry(desk: Loader, entry_id: str) -> int:
    retried = quarantine.retry(desk, entry_id)
    if retried.load is None:
        _say(f"{entry_id}: still cannot be loaded: {retried.message}")
        return 1
    load = retried.load
    _say(f"{entry_id}: loaded: {load.rows_inserted} inserted, {load.rows_updated} updated of {load.rows_read} rows")
    _say(f"the marts do not have them yet; {remedies.remedy(Step.BUILD, remedies.LAPTOP)}")
    return 0


def _desk(pipeline: in_process.Pipeline) -> Loader:
    return Loader(pipeline.lake, pipeline.quarantine, pipeline.warehouse, pipeline.job)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "status": show_status,
    "reconcile": reconcile,
    "build": build,
    "quarantine": mind_quarantine,
}
