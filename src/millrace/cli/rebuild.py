"""`millrace rebuild`: rebuild the warehouse from the lake."""

from dataclasses import asdict
from pathlib import Path

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE


@click.command(short_help="Rebuild the warehouse from the lake.")
@options.data_dir
@click.option("--force", is_flag=True, help="Also when readers have objects that the lake has no more.")
@options.as_json
def rebuild(data_dir: Path, force: bool, as_json: bool) -> int:
    """Rebuild the warehouse from the lake, then build the marts: when it is damaged, missing or too old.

    The source is not read. The old warehouse and the published copy stay as they are until the new ones are good.

    \b
    Example: millrace rebuild
    """
    from millrace import wiring
    from millrace.build import job
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.progress import ProgressLog
    from millrace.laptop.rebuild import rebuild as make_anew

    directory = DataDir(data_dir.resolve())
    directory.require_begun()
    with ProgressLog() as watcher, directory.lock():
        rebuilt = make_anew(directory, force, watcher.say)
        outcome = job.run(wiring.builder_of(directory.build_config(), watcher.on_node), force=True)
    if as_json:
        output.say_json(asdict(rebuilt) | {"state": outcome.state})
    else:
        from_quarantine = f", {rebuilt.retried:,} of them from quarantine" if rebuilt.retried else ""
        output.say(f"{rebuilt.loaded:,} objects loaded{from_quarantine}; {rebuilt.set_aside:,} stay in quarantine")
        for name in rebuilt.lost:
            output.say(f"look: {name!a} was known, and the lake has it no more")
        output.say(f"{outcome.state}; {directory.published}")
    return ATTENTION if rebuilt.lost or outcome.state == "failed" else DONE
