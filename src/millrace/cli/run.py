"""`millrace run`: source, extract, load, dbt, marts, on this machine."""

import sys
from datetime import date
from pathlib import Path
from typing import Any

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE, FAILED

ENGINE = "millrace.engine"
"""The key in a context's `meta` under which `local/run_all.py --emulators` stores another engine for the functions."""


@click.command(short_help="Run the whole pipeline on this machine.")
@options.data_dir
@options.since
@click.option("--full-refresh", is_flag=True, help="Read everything again, whatever earlier runs read.")
@click.option("--drops", is_flag=True, help="Only load the files in DATA_DIR/lake/drop/TABLE/.")
@click.option("--no-build", is_flag=True, help="Extract and load, and leave the marts as they are.")
@click.option("--force", is_flag=True, help="Build although nothing new was loaded: a model changed.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@options.as_json
@options.source
@click.pass_context
def run(
    context: click.Context,
    /,
    data_dir: Path,
    since: date | None,
    full_refresh: bool,
    drops: bool,
    no_build: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    **source: Any,
) -> int:
    """Run the whole pipeline on this machine: source, extract, load, dbt, marts.

    Without --source-url the source is an embedded simulator. A second run reads only what changed.

    \b
    Example: millrace run --developers 30 --days 90 --seed 7
    """
    from rich.console import Console

    from millrace.laptop import run as pipeline
    from millrace.laptop.source import SourceOptions

    if force and no_build:
        raise click.UsageError("expected --force or --no-build, got both")
    engine = context.meta.get(ENGINE) or pipeline.InProcess()
    asked = pipeline.RunOptions(
        data_dir=data_dir.resolve(),
        source=SourceOptions(**source),
        since=since,
        full_refresh=full_refresh,
        drops=drops,
        builds=not no_build,
        force=force,
    )
    if dry_run:
        output.say(pipeline.dry_run(asked, engine))
        return DONE
    report = pipeline.run(asked, engine)
    if as_json:
        output.say_json(report.to_json())
    else:
        report.show(Console(width=None if sys.stdout.isatty() else 120))
    for problem in report.problems:
        output.fail(FAILED, problem)
    if report.problems:
        return FAILED
    return DONE if report.is_good else ATTENTION
