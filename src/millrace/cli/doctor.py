"""`millrace doctor`: check usage before it is trusted. `millrace usage doctor` is an alias."""

from pathlib import Path

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE


@click.command(short_help="List what has no price, no owner, or no meaning.")
@options.data_dir
@options.as_json
def doctor(data_dir: Path, as_json: bool) -> int:
    """List unpriced models, unmapped projects and users, and unreadable log lines.

    \b
    Example: millrace doctor
    """
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.usage_pipeline import diagnose
    from millrace.status import remedies, usage_checks

    directory = DataDir(data_dir.resolve())
    diagnosis = diagnose(directory)
    if as_json:
        output.say_json(diagnosis.to_json())
    else:
        for line in usage_checks.lines(diagnosis, remedies.laptop(directory.root)):
            output.say(line)
    return DONE if diagnosis.is_well else ATTENTION
