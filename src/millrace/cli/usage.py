"""`millrace usage`: read all logs from the beginning; also the older name of `millrace doctor`."""

from pathlib import Path

import click

from millrace.cli import collect, collected, doctor, options
from millrace.cli.output import ATTENTION, DONE


@click.group(short_help="Count all usage again: backfill.")
def usage() -> None:
    """Count all usage again (backfill); `usage doctor` is `millrace doctor`.

    \b
    Example: millrace usage backfill --force
    """


usage.add_command(doctor.doctor)


@usage.command()
@options.data_dir
@click.option(
    "--force",
    is_flag=True,
    help="Read every log from its beginning, replace what was counted, and rebuild the marts; "
    "readers see the old ones until then.",
)
@options.as_json
@options.logs
def backfill(
    data_dir: Path,
    force: bool,
    as_json: bool,
    agents: tuple[str, ...] | None,
    without: tuple[str, ...] | None,
    home: Path,
) -> int:
    """Read new events in all logs, load them and refresh every usage mart.

    An interrupted backfill resumes where it stopped.

    \b
    Example: millrace usage backfill --force
    """
    from millrace.laptop.data_dir import DataDir

    directory = DataDir(data_dir.resolve())
    machine = collect.machine_of(home, agents, without, directory.collector)
    if machine is None:
        return DONE
    if collected.nothing_to_read(machine, as_json):
        return ATTENTION
    return collect.backfill(machine, directory, force, as_json)
