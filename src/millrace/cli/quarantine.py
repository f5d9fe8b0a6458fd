"""`millrace quarantine`: review the files that failed to load, load them after a fix, or discard them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from millrace.cli import options, output
from millrace.cli.output import ATTENTION, DONE

if TYPE_CHECKING:
    from millrace.load.handler import Loader


@click.group(short_help="Review, retry or discard files that failed to load.")
def quarantine() -> None:
    """Review the files that failed to load, and retry or discard them.

    \b
    Example: millrace quarantine list
    """


@contextmanager
def _desk(data_dir: Path) -> "Iterator[Loader]":
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.in_process import opened
    from millrace.laptop.progress import ProgressLog

    directory = DataDir(data_dir.resolve())
    directory.require_begun()
    with ProgressLog(), directory.lock(), opened(directory) as pipeline:
        yield pipeline.loader


@quarantine.command(name="list")
@options.data_dir
@options.as_json
def list_(data_dir: Path, as_json: bool) -> int:
    """List the entries of the quarantine: id, origin, reason.

    \b
    Example: millrace quarantine list --json
    """
    from millrace.load import quarantine

    with _desk(data_dir) as desk:
        found = quarantine.entries(desk.quarantine, desk.warehouse)
    if as_json:
        output.say_json([entry.to_json() for entry in found])
        return DONE
    for entry in found:
        output.say(f"{entry.id}  {entry.came_from}  {entry.reason}: {entry.message}")
    if not found:
        output.say("nothing is in quarantine")
    return DONE


@quarantine.command()
@click.argument("entry_id", metavar="ID")
@options.data_dir
@options.as_json
def show(entry_id: str, data_dir: Path, as_json: bool) -> int:
    """Show one entry with a sample of its content.

    \b
    Example: millrace quarantine show 0123456789abcdef-1
    """
    from millrace.load import quarantine

    with _desk(data_dir) as desk:
        shown = quarantine.show(desk, entry_id)
    if as_json:
        output.say_json(asdict(shown) | {"entry": shown.entry.to_json()})
        return DONE
    for name, value in shown.entry.to_json().items():
        output.say(f"{name:<14} {value}")
    for failure in shown.failed_since:
        output.say(f"failed again   {failure}")
    output.say("sample:")
    for line in shown.sample.split("\n"):
        output.say(f"  {line}")
    return DONE


@quarantine.command()
@click.argument("entry_id", metavar="ID")
@options.data_dir
def retry(entry_id: str, data_dir: Path) -> int:
    """Copy one entry to `drop/` and load it, after a fix.

    \b
    Example: millrace quarantine retry 0123456789abcdef-1 && millrace build
    """
    from millrace.errors import Step
    from millrace.load import quarantine
    from millrace.status import remedies

    with _desk(data_dir) as desk:
        retried = quarantine.retry(desk, entry_id)
    if retried.load is None:
        output.say(f"{entry_id}: still cannot be loaded: {retried.message}")
        return ATTENTION
    load = retried.load
    counts = f"{load.rows_inserted} inserted, {load.rows_updated} updated of {load.rows_read} rows"
    output.say(f"{entry_id}: loaded: {counts}")
    output.say(f"the marts do not have them yet; {remedies.remedy(Step.BUILD, remedies.laptop(data_dir))}")
    return DONE


@quarantine.command()
@click.argument("entry_id", metavar="ID")
@click.argument("why", nargs=-1, required=True)
@options.data_dir
def discard(entry_id: str, why: tuple[str, ...], data_dir: Path) -> int:
    """Discard one entry with a reason; its bytes are kept.

    \b
    Example: millrace quarantine discard 0123456789abcdef-1 "a test file"
    """
    from millrace.load import quarantine

    with _desk(data_dir) as desk:
        discarded = quarantine.discard(desk, entry_id, " ".join(why))
    output.say(f"{entry_id}: {'discarded' if discarded.is_new else 'was discarded already'}: {discarded.why}")
    return DONE
