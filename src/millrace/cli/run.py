"""`millrace run`: source, extract, load, dbt, marts, on this machine."""

import shlex
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millrace.cli import options, output, sources
from millrace.cli.output import ATTENTION, DONE, FAILED

if TYPE_CHECKING:
    from millrace.laptop.run import RunOptions

ENGINE = "millrace.engine"
"""The key in a context's `meta` under which `local/run_all.py --emulators` stores another engine for the functions."""


@click.command(short_help="Run the whole pipeline on this machine.")
@options.data_dir_to_fill
@options.since
@click.option("--full-refresh", is_flag=True, help="Read everything again, whatever earlier runs read.")
@click.option("--drops", is_flag=True, help="Only load the files in DATA_DIR/lake/drop/TABLE/.")
@click.option("--no-build", is_flag=True, help="Extract and load, and leave the marts as they are.")
@click.option("--force", is_flag=True, help="Build although nothing new was loaded: a model changed.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@options.as_json
@click.option("--next", "following", hidden=True, help="The command that shows the marts, as its caller says it.")
@options.account
@options.objects
@options.source
@click.pass_context
def run(
    context: click.Context,
    /,
    data_dir: Path | None,
    since: date | None,
    full_refresh: bool,
    drops: bool,
    no_build: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    following: str | None,
    source_name: str | None,
    account: str | None,
    repository: str | None,
    objects: str | None,
    **source: Any,
) -> int:
    """Run the whole pipeline on this machine: source, extract, load, dbt, marts.

    Without a source this is `millrace demo`: a simulated company, in a data directory of its own. A second run reads
    only what changed. Of GitHub the days since --since are read first (default: 90d), then everything.

    \b
    Example: millrace run --source github --account acme
    """
    from millrace.laptop import places
    from millrace.laptop.run import RunOptions
    from millrace.laptop.source import SourceOptions

    if force and no_build:
        raise click.UsageError("expected --force or --no-build, got both")
    if drops and source_name == "github":
        raise click.UsageError("expected --drops or --source github, got both")
    asked = sources.source_of(context, source_name, account, repository, since, objects, **source)
    if context.meta.get(ENGINE) is not None and not isinstance(asked, SourceOptions):
        raise click.UsageError("expected --emulators or --source github, got both")
    if data_dir is None and drops:
        data_dir = places.shown()
    elif data_dir is None:
        data_dir = places.real() if asked.kind == "real" else places.demo()
    # What is deployed is emulated for one source.
    names_one = source_name or objects or source["source_url"] or source["from_recording"] or context.meta.get(ENGINE)
    chosen = RunOptions(
        data_dir.resolve(), asked, since, full_refresh, drops, not no_build, force, is_company=not names_one
    )
    return execute(context, chosen, dry_run, as_json, following)


def execute(
    context: click.Context, chosen: "RunOptions", dry_run: bool, as_json: bool, following: str | None = None
) -> int:
    """Run the pipeline, print the outcome and the next command, and return the exit code.

    `following` is that command in the words of a caller, without its data directory.
    """
    from rich.console import Console

    from millrace.laptop import run as pipeline

    if context.obj is not None:
        context.obj[options.DATA_DIR] = chosen.data_dir
    engine = context.meta.get(ENGINE) or pipeline.InProcess()
    if dry_run:
        output.say(pipeline.dry_run(chosen, engine))
        return DONE
    report = pipeline.run(chosen, engine)
    if as_json:
        output.say_json(report.to_json())
    else:
        report.show(Console(width=None if sys.stdout.isatty() else 120))
    for problem in report.problems:
        output.fail(FAILED, problem)
    if report.problems:
        return FAILED
    if not as_json and chosen.builds and not engine.folder:
        output.say_next(_serving(chosen.data_dir, following))
    return DONE if report.is_good else ATTENTION


def _serving(root: Path, following: str | None) -> str:
    """Return the command that shows a data directory."""
    from millrace.laptop import places

    command = following or "millrace serve"
    if root == places.shown():
        return command
    named = f"--data-dir {shlex.quote(places.named(root))}"
    return f'{command} ARGS="{named}"' if following else f"{command} {named}"
