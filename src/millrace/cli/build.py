"""`millrace build`: build the marts that are due with dbt."""

from dataclasses import asdict
from pathlib import Path

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE


@click.command(short_help="Build the marts that are due.")
@options.data_dir
@click.option("--force", is_flag=True, help="Build although nothing is due.")
@options.as_json
def build(data_dir: Path, force: bool, as_json: bool) -> int:
    """Build the marts that are due, or what failed in the last build.

    A build is due when rows were loaded, and when a model, a seed or a price of the dbt project changed.

    \b
    Example: millrace build --force
    """
    from millrace import wiring
    from millrace.build import job
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.in_process import opened, recover
    from millrace.laptop.progress import ProgressLog

    directory = DataDir(data_dir.resolve())
    directory.require_begun()
    with ProgressLog() as watcher, directory.lock(), opened(directory) as pipeline:
        recover(pipeline, watcher.say)
        outcome = job.run(wiring.builder_of(directory.build_config(), watcher.on_node), retry=True, force=force)
        newest = pipeline.warehouse.last_builds(1)
    bad = [node for node in outcome.build.nodes if not node.is_good] if outcome.build else []
    if as_json:
        built = newest[0].built_through if newest else None
        said = {"state": outcome.state, "because": outcome.because, "built_through": built}
        output.say_json(said | {"not_good": [asdict(node) for node in bad]})
    else:
        through = f", built through {newest[0].built_through}" if newest else ""
        hint = "; --force builds all the same" if outcome.state == "current" else ""
        why = ": the models or seeds changed" if outcome.because == "changed" else ""
        output.say(f"{outcome.state}{through}{why}{hint}")
        for node in bad:
            output.say(f"  {node.status}: {node.name}: {node.message}")
    return ATTENTION if outcome.state == "failed" else DONE
