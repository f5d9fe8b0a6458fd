"""Options that several subcommands share, and the types of their values."""

import re
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class DayOption(click.ParamType[date]):
    """A day like 2026-01-31."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day that a text names."""
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a day like 2026-01-31, got {value!r}", param, ctx)


class TimeOption(click.ParamType[time]):
    """A time of the day like 12:30."""

    name = "HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> time:
        """Return the time that a text names."""
        if isinstance(value, time):
            return value
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
            self.fail(f"expected a time like 12:30, got {value!r}", param, ctx)
        return time.fromisoformat(value)


class Setting(click.ParamType[tuple[str, str]]):
    """A variable of the environment and its value."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the name and the value; only variables that a schedule passes are taken."""
        from millrace.collect.schedule import PASSED

        name, sign, text = value.partition("=")
        if name not in PASSED or not sign:
            self.fail(f"expected NAME=VALUE with a variable of a schedule, got {value!r}", param, ctx)
        return name, text


class Agents(click.ParamType[tuple[str, ...]]):
    """Names of coding agents, separated by commas."""

    name = "agents"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the agent names in a text; each has to be known."""
        from millrace.collect.parsers.agents import AGENTS

        names = tuple(part.strip() for part in value.split(",") if part.strip())
        if not names or not set(names) <= set(AGENTS):
            self.fail(f"expected names of {', '.join(AGENTS)}, separated by commas, got {value!r}", param, ctx)
        return names


_PATH = click.Path(path_type=Path)


DATA_DIR = "data_dir"
"""The key in a context's `obj` under which the data directory is stored, for the remedy of an error."""


def _note(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
    if context.obj is not None and value is not None:
        context.obj[DATA_DIR] = value
    return value


def data_dir(command: F) -> F:
    """Add `--data-dir`, the folder that holds everything."""
    help_text = "Everything is kept here (default: data)."
    return click.option("--data-dir", type=_PATH, default=Path("data"), callback=_note, help=help_text)(command)


def data_dir_or_lake(command: F) -> F:
    """Add `--data-dir` and `--lake`; at most one may be given."""
    lake = click.option("--lake", metavar="URL", help="Only send it, to gs://BUCKET (default: MILLRACE_LAKE).")
    help_text = "Load it here and refresh the usage marts (default: data, where no lake is named)."
    return click.option("--data-dir", type=_PATH, callback=_note, help=help_text)(lake(command))


def as_json(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")(command)


def since(command: F) -> F:
    """Add `--since`."""
    return click.option("--since", type=DayOption(), help="Leave out what is older.")(command)


def logs(command: F) -> F:
    """Add the options that select the logs to read."""
    for option in (
        click.option("--home", type=_PATH, default=Path.home, help="Home folder to scan (default: yours)."),
        click.option("--without", type=Agents(), metavar="AGENTS", help="Leave these agents out."),
        click.option("--agents", type=Agents(), help="Only these agents: claude,codex,… (default: all)."),
    ):
        command = option(command)
    return command


def schedule(command: F) -> F:
    """Add the options that make the system run the command on schedule, and those that only such a run has."""
    for option in reversed(
        (
            click.option("--install", is_flag=True, help="Let the system run this every day, with the same options."),
            click.option("--every", type=click.Choice(["daily", "hourly"]), help="With --install (default: daily)."),
            click.option("--at", type=TimeOption(), help="With --install, the time of day (default: 12:00)."),
            click.option("--uninstall", is_flag=True, help="Remove what --install wrote."),
            click.option("--installed", is_flag=True, help="Print what --install wrote."),
            click.option("--set", "settings", type=Setting(), multiple=True, hidden=True, help="Set a variable."),
            click.option("--log", type=_PATH, hidden=True, help="Append what is printed to a file."),
        )
    ):
        command = option(command)
    return command


def source(command: F) -> F:
    """Add the options that name the source: a server, or the embedded simulator."""
    for option in reversed(
        (
            click.option("--source-url", metavar="URL", help="A server of the source API; key in MILLRACE_SOURCE_KEY."),
            click.option("--insecure-http", is_flag=True, help="Send the key to another machine over plain http."),
            click.option("--developers", type=int, default=5, show_default=True, help="Simulator: size of the team."),
            click.option("--days", type=int, default=90, show_default=True, help="Simulator: days of history."),
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
                type=float,
                default=0.02,
                show_default=True,
                help="Simulator: share of developers without an e-mail on their pull requests.",
            ),
            click.option(
                "--usage/--no-usage",
                default=True,
                show_default=True,
                help="Simulator: collect the logs of the developers' coding agents too.",
            ),
            click.option("--end", metavar="INSTANT", help="Simulator: its now (default: last midnight, UTC)."),
            click.option("--from-recording", type=_PATH, metavar="FILE", help="Simulator: serve recorded rows."),
            click.option("--limiter/--no-limiter", default=True, show_default=True, help="Simulator: rate limit."),
        )
    ):
        command = option(command)
    return command
