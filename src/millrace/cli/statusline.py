"""`millrace statusline`: one line for the status line of Claude Code."""

import sys
from pathlib import Path

import click

from millrace.cli.output import DONE, say


@click.command(short_help="Print one line for Claude Code's status line.")
@click.option("--timezone", metavar="ZONE", help="Whose day today is (default: the machine's).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Use the collector's state there.")
@click.option("--home", type=click.Path(path_type=Path), default=Path.home, help="Home folder (default: yours).")
def statusline(timezone: str | None, data_dir: Path | None, home: Path) -> int:
    """Print model, session cost, today's cost, and the active block of five hours with its pace.

    Reads what Claude Code writes to its standard input. Put this into ~/.claude/settings.json:

    \b
      {"statusLine": {"type": "command", "command": "millrace statusline"}}

    \b
    Example: millrace statusline --timezone UTC
    """
    try:
        say(_line(timezone, data_dir, home))
    except Exception:  # noqa: BLE001 a status line shows no error, whatever its input is
        say("millrace: nothing is known; try `millrace report`")
    return DONE


def _line(timezone: str | None, data_dir: Path | None, home: Path) -> str:
    from datetime import UTC, datetime

    from millrace.cli.report import machine_of, typed_prices
    from millrace.collect.parsers.agents import AGENTS
    from millrace.report import statusline
    from millrace.report.zones import Zone, local_zone

    text = b"" if sys.stdin.isatty() else sys.stdin.buffer.read(statusline.MOST_BYTES)
    session = statusline.Session.parse(text)
    zone = Zone.named(timezone or local_zone())
    machine, now = machine_of(home, frozenset(AGENTS), data_dir), datetime.now(UTC)
    return statusline.line(session, machine, zone, now, typed_prices(data_dir))
