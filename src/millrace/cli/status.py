"""`millrace status`: whether the numbers can be trusted. `millrace etl status` is an alias."""

from pathlib import Path

import click

from millrace.cli import options, output


@click.command(short_help="Show whether the numbers can be trusted.")
@options.data_dir
@options.as_json
@click.option("--format", "form", type=click.Choice(["text", "json"]), hidden=True)
def status(data_dir: Path, as_json: bool, form: str | None) -> int:
    """Show whether the numbers can be trusted, and what to do if not.

    It works during a run, and without a server. Exit codes for a monitor: 0 live or syncing, 1 stale or empty,
    3 error.

    \b
    Example: millrace status --json | jq -r .health
    """
    from millrace.laptop import status as laptop
    from millrace.laptop.data_dir import DataDir

    now = laptop.status_of(DataDir(data_dir.resolve()))
    laptop.show(now, output.say, is_json=as_json or form == "json")
    return laptop.EXIT_CODES[now.health]


@click.group(hidden=True)
def etl() -> None:
    """Alias: `millrace etl status` is `millrace status`."""


etl.add_command(status)
