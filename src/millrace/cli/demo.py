"""`millrace demo`: a simulated company, through the whole pipeline, in a data directory of its own."""

from pathlib import Path
from typing import Any

import click

from millrace.cli import options, output, run
from millrace.cli.output import ATTENTION, DONE


@click.command(short_help="Try it all over a simulated company.")
@options.data_dir_to_fill
@click.option("--serve", "serves", is_flag=True, help="Then show the page, as `millrace serve` does.")
@options.page
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@options.as_json
@options.simulator
@click.pass_context
def demo(
    context: click.Context,
    /,
    data_dir: Path | None,
    serves: bool,
    port: int,
    opens: bool,
    dry_run: bool,
    as_json: bool,
    **source: Any,
) -> int:
    """Simulate a company, and read it into the marts as `millrace run` reads a real one.

    It has a data directory of its own (data/demo), and is never mixed with real rows. Again, it goes on with the
    same company until now.

    \b
    Example: millrace demo --developers 30 --days 90 --seed 7 --data-dir larger
    """
    from millrace.laptop import places
    from millrace.laptop.run import RunOptions
    from millrace.laptop.source import SourceOptions

    if serves and (dry_run or as_json):
        raise click.UsageError("expected --serve without --dry-run and --json")
    root = (data_dir or places.demo()).resolve()
    asked = RunOptions(root, SourceOptions(**source), is_company=source["from_recording"] is None)
    code = run.execute(context, asked, dry_run, as_json)
    if not serves or code not in (DONE, ATTENTION):
        return code
    from millrace.laptop import server
    from millrace.laptop.data_dir import DataDir

    server.serve(DataDir(root), port, output.say, opens)
    return code
