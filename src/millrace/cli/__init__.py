"""The command `millrace`: collect what this machine's coding agents used, see what it costs, mend what was counted.

Exit codes: 0 done · 1 done, and something needs somebody (a log that cannot be read, a file that waits, a model without
a price, a test that failed) · 2 it could not start (options, settings) · 3 the machine failed on the way: run again. Of
`etl status`: 0 live or syncing · 1 stale · 3 error.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType

from millrace.collect.parsers.agents import AGENTS
from millrace.errors import ConfigError, MillraceError, Step
from millrace.status import remedies

_CODES = "exit codes: 0 done, 1 something needs you, 2 could not start, 3 the machine failed: run again"
_STATUS_CODES = "exit codes: 0 live or syncing, 1 stale, 2 could not start (options, settings), 3 error"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="millrace", description="What coding agents on this machine used, and what it costs.", epilog=_CODES
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="collect | usage | etl | serve")
    collect = commands.add_parser(
        "collect",
        epilog=_CODES,
        help="read the agents' logs, and add what is new to the lake",
        description="Read the logs of this machine's coding agents, and add what is new to the lake. With a local "
        "lake it is loaded and the usage marts are refreshed as well.",
    )
    _add_place(collect)
    collect.add_argument("--lake", metavar="URL", help="only send it, to gs://BUCKET (default: MILLRACE_LAKE)")
    collect.add_argument("--watch", action="store_true", help="go on as the logs change, until stopped")
    collect.add_argument("--dry-run", action="store_true", help="say what would be sent, and write nothing")
    collect.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="leave out what happened before")
    _add_agents(collect)
    usage = commands.add_parser("usage", help="doctor: what to look at; backfill: read all logs, refresh all marts")
    usages = usage.add_subparsers(dest="usage", required=True, metavar="doctor | backfill")
    doctor = usages.add_parser(
        "doctor", epilog=_CODES, description="List what has no price, what is nobody's, and what could not be read."
    )
    _add_place(doctor)
    backfill = usages.add_parser(
        "backfill",
        epilog=_CODES,
        description="Read what is new in all logs, load it and refresh every usage mart. One that was interrupted goes "
        "on where it stopped.",
    )
    _add_place(backfill)
    backfill.add_argument(
        "--force",
        action="store_true",
        help="read every log from its beginning, replace what was counted, and make the marts anew; "
        "readers see the old ones until then",
    )
    _add_agents(backfill)
    etl = commands.add_parser("etl", help="status: whether the numbers can be trusted, and what to do if not")
    etls = etl.add_subparsers(dest="etl", required=True, metavar="status")
    status = etls.add_parser(
        "status",
        epilog=_STATUS_CODES,
        description="Say whether the marts are live, syncing, stale or in error, and why: what was loaded and waits, "
        "how runs and builds ended, what lies in quarantine. Works while a run goes on, and without a server.",
    )
    _add_place(status)
    status.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    serve = commands.add_parser(
        "serve",
        epilog=_CODES,
        help="show the marts as a page, and answer the read API, to this machine alone",
        description="Serve the published marts of a data directory: a page at /, the routes under /api (openapi.json "
        "lists them), and the status. Only programs of this machine can reach it. It never waits for a run.",
    )
    _add_place(serve)
    serve.add_argument("--port", type=int, default=8765, metavar="N", help="(default: 8765; 0: any that is free)")
    return parser.parse_args(arguments)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="as of local/run_all.py (default: data)")


def _add_agents(parser: argparse.ArgumentParser) -> None:
    names = ", ".join(AGENTS)
    parser.add_argument("--agents", type=_agents, default=tuple(AGENTS), help=f"only these, of {names}")
    parser.add_argument("--without", type=_agents, default=(), metavar="AGENTS", help="leave these out")
    parser.add_argument("--home", type=Path, default=Path.home(), help="whose logs (default: your home folder)")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; one like 2026-01-31 was expected") from None


def _agents(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in AGENTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r}: names of {', '.join(AGENTS)}, with commas between, were expected")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; gives the exit code."""
    options = parse(arguments)
    try:
        return _run(options)
    except ConfigError as error:
        return _stop(2, remedies.with_remedy(error, remedies.laptop(options.data_dir)))
    except (MillraceError, OSError) as error:
        return _stop(3, remedies.with_remedy(error, remedies.laptop(options.data_dir)))
    except KeyboardInterrupt:
        return _stop(130, "interrupted; run again to go on")


def _run(options: argparse.Namespace) -> int:
    if options.command == "etl":
        return _show_status(options)
    if options.command == "serve":
        return _serve(options)
    from millrace.cli import collect as usage_commands  # --help need not wait for the libraries of all steps

    place = usage_commands.place_of(options)
    if options.command == "usage" and options.usage == "doctor" and place is not None:
        return int(_road().doctor(place))
    machine = usage_commands.machine_of(options, place.collector if place else None)
    if machine is None:
        return 0
    if options.command == "collect" and options.dry_run:
        return usage_commands.try_out(machine, options)
    if place is None:
        return usage_commands.send(machine, options)
    command = _road().collect if options.command == "collect" else _road().backfill
    return int(command(machine, place, options))


def _show_status(options: argparse.Namespace) -> int:
    with _in_a_checkout():
        from millrace.laptop import status as etl_commands
    return int(etl_commands.show_status(options))


def _serve(options: argparse.Namespace) -> int:
    with _in_a_checkout():
        from millrace.cli import serve as serving
    return serving.serve(options)


def _road() -> ModuleType:
    """Give the commands of a data directory."""
    with _in_a_checkout():
        from millrace.cli import usage as usage_road
    return usage_road


@contextmanager
def _in_a_checkout() -> Iterator[None]:
    """Import what not every installation has the libraries of; ConfigError says what to do without them."""
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"this installation can only send ({error})", step=Step.INSTALL) from error


def _stop(code: int, why: object) -> int:
    print(f"error: {why}", file=sys.stderr)  # noqa: T201 the command's answer
    return code
