"""Options that several subcommands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from millrace import log
from millrace.cli import values

F = TypeVar("F", bound=Callable[..., Any])

_PATH = click.Path(path_type=Path)


DATA_DIR = "data_dir"
"""The key in a context's `obj` under which the data directory is stored, for the remedy of an error."""


def _note(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    if context.obj is not None and value is not None:
        context.obj[DATA_DIR] = value
    return value


def _existing(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Return the directory that is read; ConfigError for a named one that is none, so that nothing is made there."""
    from millrace.errors import ConfigError
    from millrace.laptop import places
    from millrace.laptop.data_dir import DataDir

    if context.resilient_parsing:  # the shell completes a command line
        return value
    if value is None:
        return _note(context, parameter, _shown(context))
    if DataDir(value).is_there or (value.is_dir() and next(value.iterdir(), None) is None):
        return _note(context, parameter, value)
    is_outer = DataDir(value / "demo").is_there
    why = "is no data directory" if value.exists() else "does not exist"
    hint = f"did you mean {value / 'demo'}?" if is_outer else f"leave out --data-dir for {places.named(places.shown())}"
    raise ConfigError(f"--data-dir: {value} {why}; {hint}")


def _shown(context: click.Context) -> Path:
    """Return the default directory to read; where that is the demo, say so beside the output of the command."""
    from millrace.laptop import places

    root = places.shown()
    if root == places.demo() and context.command.name not in ("serve", "status"):  # which say so themselves
        click.echo(f"{places.named(root)}: the simulated company; {places.named(places.real())} has no rows", err=True)
    return root


_EXISTING = "Where everything is kept (default: MILLRACE_DATA_DIR, else data; while that has no rows, its demo)."


_VOLUMES = {
    "quiet": "Print no progress and no next step: only errors, and what was asked for.",
    "verbose": "Print what is done and decided too, as JSON lines on standard error.",
}


def volumes(command: click.Command, is_hidden: bool = False) -> None:
    """Add `-q` and `-v` to a command, and hidden ones, which mean the same, to all below it."""
    has = {parameter.name for parameter in command.params}  # a command may have two names
    command.params += [
        click.Option(
            (f"-{name[0]}", f"--{name}"),
            is_flag=True,
            is_eager=True,  # the options after it may print something
            expose_value=False,
            callback=_at_volume,
            help=text,
            hidden=is_hidden,
        )
        for name, text in _VOLUMES.items()
        if name not in has
    ]
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        volumes(each, is_hidden=True)


def _at_volume(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    asked: log.Volume = "quiet" if parameter.name == "quiet" else "verbose"
    if value and log.volume() not in ("normal", asked):
        raise click.UsageError("expected --quiet or --verbose, got both", context)
    if value and log.volume() == "normal":
        context.with_resource(log.at(asked))


def data_dir(command: F) -> F:
    """Add `--data-dir`, an existing data directory; the default is the one with rows, or the demo."""
    return click.option("--data-dir", type=_PATH, callback=_existing, help=_EXISTING)(command)


def data_dir_of_state(command: F) -> F:
    """Add `--data-dir`, an existing data directory, without a default."""

    def named(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
        return None if value is None else _existing(context, parameter, value)

    help_text = "Use the collector's state there (see above)."
    return click.option("--data-dir", type=_PATH, callback=named, help=help_text)(command)


def data_dir_to_fill(command: F) -> F:
    """Add `--data-dir`, which need not exist; the command decides on the default."""
    help_text = "Where everything is kept (default: data/demo; with --source-url, data)."
    return click.option("--data-dir", type=_PATH, callback=_note, help=help_text)(command)


def data_dir_or_lake(command: F) -> F:
    """Add `--data-dir` and `--lake`; at most one may be given."""
    lake = click.option("--lake", metavar="URL", help="Only send it, to gs://BUCKET (default: MILLRACE_LAKE).")
    help_text = "Load it here and refresh the usage marts (default: data, where no lake is named)."
    return click.option("--data-dir", type=_PATH, callback=_note, help=help_text)(lake(command))


def page(command: F) -> F:
    """Add the options of the page that is served."""
    help_text = "Open the page in a browser."
    command = click.option("--open", "opens", is_flag=True, help=help_text)(command)
    help_text = "0: any that is free."
    return click.option("--port", type=int, default=8765, show_default=True, metavar="N", help=help_text)(command)


def writing_a_row(command: F) -> F:
    """Add the options of a command that writes a row of a dropped file, loads it and builds."""
    for option in (
        as_json,
        data_dir_or_lake,
        click.option("--dry-run", is_flag=True, help="Print what would change, and write nothing."),
        click.option("--no-build", is_flag=True, help="Load the row, and leave the marts as they are."),
    ):
        command = option(command)
    return command


def as_json(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")(command)


def since(command: F) -> F:
    """Add `--since`."""
    return click.option("--since", type=values.Since(), help="Leave out what is older.")(command)


def logs(command: F) -> F:
    """Add the options that select the logs to read."""
    for option in (
        click.option("--home", type=_PATH, default=Path.home, help="Home folder to scan (default: yours)."),
        click.option("--without", type=values.Agents(), metavar="AGENTS", help="Leave these agents out."),
        click.option("--agents", type=values.Agents(), help="Only these agents: claude,codex,… (default: all)."),
    ):
        command = option(command)
    return command


def owners(command: F) -> F:
    """Add the option that lists whose repositories may be named."""
    help_text = "Name repositories of these owners: acme,… (default: none to a lake, all in a data directory)."
    return click.option("--owners", type=values.OwnerNames(), help=help_text)(command)


def schedule(command: F) -> F:
    """Add the options that make the system run the command on schedule, and those that only such a run has."""
    for option in reversed(
        (
            click.option("--install", is_flag=True, help="Let the system run this every day, with the same options."),
            click.option("--every", type=click.Choice(["daily", "hourly"]), help="With --install (default: daily)."),
            click.option("--at", type=values.TimeOption(), help="With --install, the time of day (default: 12:00)."),
            click.option("--uninstall", is_flag=True, help="Remove what --install wrote."),
            click.option("--installed", is_flag=True, help="Print what --install wrote."),
            click.option(
                "--set", "settings", type=values.Setting(), multiple=True, hidden=True, help="Set a variable."
            ),
            click.option("--log", type=_PATH, hidden=True, help="Append what is printed to a file."),
        )
    ):
        command = option(command)
    return command


def server(command: F) -> F:
    """Add the options that name a server of the source API."""
    for option in (
        click.option("--insecure-http", is_flag=True, help="Send the key to another machine over plain http."),
        click.option("--source-url", metavar="URL", help="Its server; key of cursor-sim in MILLRACE_SOURCE_KEY."),
    ):
        command = option(command)
    return command


def account(command: F) -> F:
    """Add the options that name the kind of a source, and what to read there."""
    for option in (
        click.option("--repository", metavar="NAMES", help="github: only these, like shop,web (default: all)."),
        click.option("--account", metavar="LOGIN", help="The organisation or user whose rows are read."),
        click.option(
            "--source",
            "source_name",
            type=click.Choice(["cursor-sim", "github"]),
            default="cursor-sim",
            show_default=True,
            help="github: token in GITHUB_TOKEN (docs/connect-github.md).",
        ),
    ):
        command = option(command)
    return command


def simulator(command: F) -> F:
    """Add the options that describe the simulated company."""
    for option in reversed(
        (
            click.option(
                "--developers",
                type=values.Number(2, 2000, "developers"),
                default=5,
                show_default=True,
                help="Simulator: size of the team.",
            ),
            click.option(
                "--days",
                type=values.Number(1, 3650, "days"),
                default=90,
                show_default=True,
                help="Simulator: days of history.",
            ),
            click.option("--seed", type=int, default=1, show_default=True, help="Simulator: which company."),
            click.option(
                "--velocity",
                type=click.Choice(["low", "medium", "high"]),
                default="medium",
                show_default=True,
                help="Simulator: pull requests a day.",
            ),
            click.option(
                "--clone-share",
                type=values.Share(),
                default=0.02,
                show_default=True,
                help="Simulator: share of developers without an e-mail on their pull requests.",
            ),
            click.option(
                "--ai-effect",
                type=float,
                default=0.0,
                show_default=True,
                help="Simulator: change of the cycle time with much AI, -0.9 to 0.3.",
            ),
            click.option(
                "--usage/--no-usage",
                default=True,
                show_default=True,
                help="Simulator: collect the logs of the developers' coding agents too.",
            ),
            click.option("--end", type=values.Instant(), help="Simulator: its now (default: last midnight, UTC)."),
            click.option("--from-recording", type=_PATH, metavar="FILE", help="Simulator: serve recorded rows."),
            click.option("--limiter/--no-limiter", default=False, show_default=True, help="Simulator: rate limit."),
        )
    ):
        command = option(command)
    return command


def source(command: F) -> F:
    """Add the options that name the source: a server, or the simulated company."""
    return server(simulator(command))
