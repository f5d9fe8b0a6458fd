"""`millrace doctor`: check usage before it is trusted. `millrace usage doctor` is an alias."""

from pathlib import Path

import click

from millrace.cli import collected, options, output, scheduling
from millrace.cli.output import ATTENTION, DONE


@click.command(short_help="List what has no price, no owner, or no meaning.")
@options.data_dir
@options.as_json
def doctor(data_dir: Path, as_json: bool) -> int:
    """List unpriced models, unmapped projects and users, unreadable log lines, and stores that are not read.

    Below a finding is the line that mends it, ready to paste; a … in it is what only you know. Exit codes: 0 every
    response has a price, 1 some have none or a row cannot be used. A map may be incomplete on purpose.

    \b
    Example: millrace doctor
    """
    from millrace.collect.machine import Machine
    from millrace.collect.parsers.agents import AGENTS
    from millrace.config import CollectConfig
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.usage_pipeline import diagnose
    from millrace.status import remedies, usage_checks

    directory = DataDir(data_dir.resolve())
    diagnosis, place = diagnose(directory), remedies.laptop(directory.root)
    machine = Machine(Path.home(), CollectConfig.from_env(), frozenset(AGENTS), directory.collector_state())
    unread, schedule = collected.unread_of(machine), scheduling.line_of()
    if as_json:
        output.say_json(diagnosis.to_json(place) | {"not_read": collected.unread_json(unread), "schedule": schedule})
    else:
        for line in usage_checks.lines(diagnosis, place):
            output.say(line)
        output.say("")
        collected.show_unread(unread)
        output.say(schedule)
    return DONE if diagnosis.is_well else ATTENTION
