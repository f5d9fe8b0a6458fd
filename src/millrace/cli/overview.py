"""`millrace` without a verb: the status in five lines, and the next useful command."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from millrace.cli import output
from millrace.cli.output import DONE

if TYPE_CHECKING:
    from millrace.laptop.data_dir import DataDir
    from millrace.status.state import Status


def show() -> int:
    """Print the lines for the default data directory."""
    from millrace.laptop import places
    from millrace.laptop.data_dir import DataDir
    from millrace.laptop.status import status_of

    data_dir = DataDir(places.shown())
    status = status_of(data_dir)
    for line in _lines(data_dir, status):
        output.say(line)
    output.say_next(_next(status))
    return DONE


def _lines(data_dir: "DataDir", status: "Status") -> "Iterator[str]":
    from millrace.laptop import places

    what = "simulated company of " if status.is_simulated else ""
    connected = [each for each in status.sources if each.is_connected]
    built = f"built through {status.built_through}" if status.built_through is not None else "nothing is built"
    yield f"Data     {what}{places.named(data_dir.root)}"
    yield f"Health   {status.health}; {status.checks[0].text if status.reasons else built}"
    yield f"Sources  {', '.join(f'{each.table} {each.rows:,}' for each in connected) or 'none is connected'}"
    yield f"Usage    {status.events.total:,} events; {status.coverage.projects} projects"


def _next(status: "Status") -> str:
    if status.is_empty:
        return "millrace demo (a simulated company), or: millrace collect (the coding agents of this machine)"
    if status.reasons:
        return status.checks[0].remedy.removeprefix("type: ")
    if status.is_simulated:
        return "millrace serve; for your own numbers: millrace collect"
    return "millrace serve"
