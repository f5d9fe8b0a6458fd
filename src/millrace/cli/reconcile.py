"""`millrace reconcile`: compare source, lake and warehouse, or add up one run."""

from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE

if TYPE_CHECKING:
    from millrace.extract.audit import Audit
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.in_process import Pipeline
    from millrace.runs.reconcile import UsageLine

_SHOWN_KEYS = 20


@click.command(short_help="Compare source, lake and warehouse, row by row.")
@click.argument("run_id", metavar="[RUN]", required=False)
@options.data_dir
@options.since
@options.as_json
@options.source
def reconcile(run_id: str | None, data_dir: Path, since: date | None, as_json: bool, **source: Any) -> int:
    """Compare source, lake and warehouse, down to the keys of the rows that differ.

    Each run compares the rows of GitHub with its numbers; this compares lake and warehouse, and lists what is not
    complete. With RUN, add up that run as it is now: a part that was loaded from quarantine since counts as loaded.

    \b
    Example: millrace reconcile
    """
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.source import SourceOptions

    directory = DataDir(data_dir.resolve())
    directory.require_begun()
    if run_id is not None:
        return _add_up(directory, run_id, as_json)
    return _compare(directory, SourceOptions(**source), since, as_json)


def _compare(directory: "DataDir", source: Any, since: date | None, as_json: bool) -> int:
    from millrace import wiring
    from millrace.config import ExtractConfig
    from millrace.extract.audit import audit
    from millrace.laptop import company
    from millrace.laptop.completeness import accounts
    from millrace.laptop.in_process import opened
    from millrace.laptop.source import NO_SOURCE, objects_of, source_settings
    from millrace.status.completeness import lines

    bound = directory.sources()
    named = next((each for each in bound if each.source == source.source_url), None)
    source = replace(source, account=(named and named.account) or "", objects=objects_of(bound, source.source_url))
    is_one = bound and not any(each.is_github for each in bound)  # GitHub is compared by each run itself
    has_source = source.source_url or directory.kind() == "demo" or is_one
    if directory.kind() == "demo" and any(each.is_github for each in bound):
        source = company.sources(source, directory)[0]
    with ExitStack() as stack:
        stack.enter_context(directory.lock())
        settings = source_settings(source, directory, stack, lambda line: None) if has_source else NO_SOURCE
        pipeline = stack.enter_context(opened(directory, settings))
        client = wiring.audited_client(ExtractConfig.from_env()) if has_source else None
        audits = audit(pipeline.lake, pipeline.warehouse, client, since, source.objects)
        loaded, usage = _usage(pipeline)
        complete = accounts(pipeline.warehouse)
    agree = [line.events == loaded and line.agrees_with(usage[0]) for line in usage]
    if as_json:
        output.say_json(
            {
                "tables": [asdict(each) for each in audits],
                "completeness": [asdict(each) for each in complete],
                "usage": [asdict(line) for line in usage],
            }
        )
    else:
        for each in audits:
            _show(each)
        for text in lines(complete):
            output.say(text)
        for line, is_good in zip(usage, agree, strict=True) if loaded or not all(agree) else ():
            counts = f"{line.events:,} events of {loaded:,} loaded, {line.tokens:,} tokens, ${line.cost_usd:,.2f}"
            output.say(f"{'✓' if is_good else '✗'} {line.name:<18} {counts}")
    differs = any(each.differences for each in audits) or not all(agree)
    differs |= any(each.has_to_be_looked_at for each in complete)
    return ATTENTION if differs else DONE


def _usage(pipeline: "Pipeline") -> "tuple[int, list[UsageLine]]":
    """Return the loaded events and the usage lines; none before the first build."""
    from millrace.runs.reconcile import reconcile_usage

    return reconcile_usage(pipeline.warehouse.query) if pipeline.warehouse.last_builds() else (0, [])


def _show(audit: "Audit") -> None:
    from millrace.tables import CURSOR_SIM

    source = "?" if audit.in_source is None else f"{audit.in_source:,}"
    asked = f"source {source}, " if audit.table in CURSOR_SIM else ""
    counts = f"{asked}lake {audit.in_lake:,}, warehouse {audit.in_warehouse:,} rows"
    output.say(f"{'✗' if audit.differences else '✓'} {audit.table:<14} {counts}")
    for difference in audit.differences:
        shown = ", ".join("/".join(map(str, key)) for key in difference.keys[:_SHOWN_KEYS])
        more = f" and {len(difference.keys) - _SHOWN_KEYS:,} more" if len(difference.keys) > _SHOWN_KEYS else ""
        output.say(f"    {len(difference.keys):,} {difference.what}: {shown}{more}")


def _add_up(directory: "DataDir", run_id: str, as_json: bool) -> int:
    from millrace.laptop.in_process import opened
    from millrace.laptop.report import sentence
    from millrace.load import sweep
    from millrace.runs.reconcile import reconcile, unfinished

    with directory.lock(), opened(directory) as pipeline:
        if run_id not in sweep.run_ids(pipeline.lake):
            raise click.UsageError(f"there is no run {run_id!r}; `millrace status` lists the last ones")
        lines = reconcile(pipeline.lake, pipeline.warehouse, run_id, pipeline.warehouse.count)
        missing = unfinished(pipeline.lake, run_id)
    if as_json:
        output.say_json({"run_id": run_id, "tables": [line.to_json() for line in lines], "not_extracted": missing})
    else:
        for line in lines:
            output.say(sentence(line))
        for task_id in missing:
            output.say(f"  ✗ {task_id:<14} was not extracted")
    return DONE if all(line.is_balanced for line in lines) and not missing else ATTENTION
