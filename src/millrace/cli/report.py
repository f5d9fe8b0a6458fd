"""`millrace report`: a table of tokens and costs from this machine's logs, without a set-up."""

import shutil
import sys
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from millrace.cli import options, output, values
from millrace.cli.output import ATTENTION, DONE, ProgressLine, say
from millrace.terminal import printable

if TYPE_CHECKING:
    from millrace.collect.collector import CollectResult
    from millrace.collect.discovery import Root
    from millrace.collect.machine import Machine
    from millrace.report.answering import Answer, Request, Table

_TABLES = ("daily", "weekly", "monthly", "session", "project", "repository", "model", "blocks")
_MOST_NAMED = 10
_MOST_LAST = 10_000


@click.command(short_help="Show what the coding agents of this machine used, and what it costs.")
@click.argument("table", type=click.Choice(_TABLES), default="daily")
@click.option("--since", type=values.DayOption(), help="The first day.")
@click.option("--until", type=values.DayOption(), help="The last day.")
@click.option("--last", type=click.IntRange(1, _MOST_LAST), metavar="N", help="The last N days, weeks, … or blocks.")
@click.option("--breakdown", is_flag=True, help="Add a line for each model.")
@click.option("--project", help="Only this project.")
@click.option("--model", help="Only this model.")
@click.option("--active", is_flag=True, help="blocks: only the present one.")
@click.option("--recent", is_flag=True, help="blocks: only those of the last three days.")
@click.option("--timezone", metavar="ZONE", help="Whose days: like Europe/Berlin (default: the machine's).")
@click.option("--csv", "as_csv", is_flag=True, help="Print the rows as CSV.")
@options.data_dir_of_state
@options.as_json
@options.logs
def report(
    table: str,
    since: date | None,
    until: date | None,
    last: int | None,
    breakdown: bool,
    project: str | None,
    model: str | None,
    active: bool,
    recent: bool,
    timezone: str | None,
    as_csv: bool,
    data_dir: Path | None,
    as_json: bool,
    agents: tuple[str, ...] | None,
    without: tuple[str, ...] | None,
    home: Path,
) -> int:
    """Read what is new in the agents' logs, and print a table of tokens and costs.

    TABLE is daily (the default), weekly, monthly, session, project, repository (the git remotes of the folders), model
    or blocks: Claude's windows of five hours, in which other agents count only when --agents names them.

    The collector's state is that of --data-dir, of MILLRACE_COLLECT_STATE, of data where that has one, or your own.

    \b
    Example: millrace report monthly --breakdown
    """
    if as_json and as_csv:
        raise click.UsageError("expected --json or --csv, got both")
    if (active or recent) and table != "blocks":
        raise click.UsageError(f"expected --active and --recent with blocks, got {table}")
    from millrace.collect.parsers.agents import AGENTS
    from millrace.report.answering import Request
    from millrace.report.tallies import Selection
    from millrace.report.zones import Zone, local_zone

    chosen = frozenset(agents or AGENTS) - frozenset(without or ())
    named = chosen if agents or (without and table != "blocks") else None
    selection = Selection(since, until, named, project, model)
    zone = Zone.named(timezone or local_zone())
    request = Request(cast("Table", table), selection, zone, last, breakdown, active, recent)
    if data_dir is not None:
        _require_own(data_dir)
    form = "json" if as_json else "csv" if as_csv else "text"
    return _report(machine_of(home, chosen, data_dir, table == "repository"), request, typed_prices(data_dir), form)


def machine_of(
    home: Path, agents: frozenset[str], data_dir: Path | None, names_repositories: bool = False
) -> "Machine":
    """Return the machine of a command line, with the collector's state that a report reads.

    A report that `names_repositories` has those of all owners, unless the settings list some: it sends nothing.
    """
    from millrace.collect.discovery import default_state_folder
    from millrace.collect.machine import Machine, platform
    from millrace.collect.repositories import ANY, NONE, Owners
    from millrace.config import CollectConfig
    from millrace.laptop import places
    from millrace.laptop.data_dir import DataDir
    from millrace.report.opening import has_state

    config = CollectConfig.from_env()
    here = DataDir(places.real()).collector
    if data_dir is not None:
        state = DataDir(data_dir.resolve()).collector
    elif config.state:
        state = Path(config.state).resolve()
    elif has_state(here):
        state = here
    else:
        state = default_state_folder(home, config.environment, platform())
    listed = Owners(config.owners) if config.owners else ANY
    return Machine(home, config, agents, state, owners=listed if names_repositories else NONE)


def _require_own(data_dir: Path) -> None:
    """Raise ConfigError for the data directory of a demo: this machine's logs would be read into it."""
    from millrace.laptop import claims
    from millrace.laptop.data_dir import DataDir
    from millrace.report.opening import has_state

    directory = DataDir(data_dir.resolve())
    if not has_state(directory.collector):
        claims.require(directory, "real")


def typed_prices(data_dir: Path | None) -> Path:
    """Return the file with the typed prices of a data directory, by default that of real rows."""
    from millrace.laptop import places
    from millrace.laptop.data_dir import DataDir

    return DataDir((data_dir or places.real()).resolve()).typed_prices


def _report(machine: "Machine", request: "Request", typed: Path, form: str) -> int:
    from millrace.prices import RateCard
    from millrace.report.answering import answer
    from millrace.report.opening import opened

    progress = ProgressLine("read")
    with opened(machine, progress.bytes, progress.end) as found:
        read, why = found.read, found.why
        is_empty = (read is None or not read.looked_at) and next(found.store.current(), None) is None
        # It is printed when the lock is free again: the reader of a pipe may take its time.
        answered = answer(request, found.store.current(), RateCard.load(typed))
    if is_empty:
        return _show_places(machine.roots())
    if why:
        _note(why, form)
    _show(answered, form, is_current=read is not None)
    return DONE if read is None else _show_bad_files(read, form)


def _show(answered: "Answer", form: str, is_current: bool) -> None:
    if form == "json":
        output.say_json({**answered.to_json(), "is_current": is_current})
    elif form == "csv":
        for line in answered.to_csv().splitlines():
            say(line)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in answered.lines(width):
            say(line)


def _show_places(roots: "list[Root]") -> int:
    """Print every place that was looked at."""
    from millrace.collect.discovery import places

    click.echo("no log of a coding agent was found; these places were looked at:", err=True)
    for place in places(roots):
        mark = "✓" if place.exists else "\N{EN DASH}"
        logs = f" ({place.logs:,} logs)" if place.exists else ""
        click.echo(f"  {mark} {place.agent:<9} {printable(place.path)}{logs}", err=True)
    return ATTENTION


def _show_bad_files(read: "CollectResult", form: str) -> int:
    for path, reason in islice(read.bad_files.items(), _MOST_NAMED):
        _note(f"look: {path} cannot be read: {reason}", form)
    if len(read.bad_files) > _MOST_NAMED:
        _note(f"look: {len(read.bad_files) - _MOST_NAMED:,} more logs cannot be read", form)
    return ATTENTION if read.bad_files else DONE


def _note(line: str, form: str) -> None:
    """Print a line about the report: beside the table, or on standard error where a program reads the report."""
    if form == "text":
        say(line)
    else:
        click.echo(printable(line), err=True)
