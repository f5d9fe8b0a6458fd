"""The command line: serve a company (`world`: that of a world), or write what a complete read of it has (`truth`)."""

import argparse
import dataclasses
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simulator.github.api import SimulatedGitHub
from simulator.github.clock import Clock
from simulator.github.credentials import DEFAULT_TOKEN
from simulator.github.generating import DEFAULT_ACCOUNT, generate
from simulator.github.knobs import Knobs
from simulator.github.model import Company
from simulator.github.times import instant, seconds
from simulator.github.wire import RequestLog
from simulator.process import Parser, add_server_options, say, serve_until_stopped
from simulator.server import RunningSimulator

_PROGRAM = "python -m simulator.github"


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code."""
    if arguments and arguments[0] == "truth":
        return _truth(arguments[1:])
    if arguments and arguments[0] == "world":
        return _serve_world(arguments[1:])
    parser = Parser(
        prog=_PROGRAM,
        description="Serve a generated company as GitHub does. When it listens, one JSON line with url and counts goes "
        "to stdout; it serves until SIGTERM or SIGINT.",
        epilog=f"{_PROGRAM} truth --help: write the rows that a complete read of the company has. "
        f"{_PROGRAM} world --help: serve the company of a world of cursor-sim.",
    )
    _add_company_options(parser)
    _add_server_options(parser)
    parser.add_argument("--log", type=Path, help="write each request that was answered to this NDJSON file, at the end")
    options = parser.parse_args(arguments)
    try:
        log = _serve(_company(options), _knobs(options), options)
    except (ValueError, OSError) as mistake:
        parser.error(str(mistake))
    if options.log:
        lines = [json.dumps(dataclasses.asdict(each)) + "\n" for each in log.requests]
        options.log.write_text("".join(lines), encoding="utf-8")
    return 0


def _serve_world(arguments: Sequence[str]) -> int:
    from simulator.cli import add_world_options, world_of
    from simulator.github.of_world import company_of

    parser = Parser(
        prog=f"{_PROGRAM} world",
        description="Serve as GitHub the company of a world: the pull requests, reviews and commits of cursor-sim.",
    )
    add_world_options(parser)
    _add_server_options(parser)
    options = parser.parse_args(arguments)
    try:
        _serve(company_of(world_of(options)), Knobs(), options)
    except (ValueError, OverflowError, OSError) as mistake:
        parser.error(str(mistake))
    return 0


def _serve(company: Company, knobs: Knobs, options: argparse.Namespace) -> RequestLog:
    """Serve a company until it is stopped; return what was asked."""
    # The clients of another process wait by their own clocks.
    clock = Clock(company.end, is_running=True)
    api = SimulatedGitHub(company, knobs, clock, token=options.token)
    server = RunningSimulator(api, options.host, options.port)
    counts = {
        "account": company.account.login,
        "repositories": len(company.repositories),
        "pull_requests": sum(len(each.pulls) for each in company.repositories),
    }
    serve_until_stopped(server, counts, options.exit_with_parent)
    return api.log


def _add_server_options(parser: Parser) -> None:
    add_server_options(parser)
    token = os.environ.get("SIMULATOR_KEY", DEFAULT_TOKEN)
    parser.add_argument(
        "--token", default=token, help="the token of clients (default: SIMULATOR_KEY, else %(default)s)"
    )


def _truth(arguments: Sequence[str]) -> int:
    from simulator.github import oddities, truth  # serving needs no truth

    parser = Parser(prog=f"{_PROGRAM} truth", description="Write each raw table of a company as one NDJSON file.")
    _add_company_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for <table>.ndjson")
    options = parser.parse_args(arguments)
    try:
        company = _company(options)
        oddities.apply(company, _knobs(options))
        options.out.mkdir(parents=True, exist_ok=True)
        rows = truth.rows(company)
        for name, table in rows.items():
            text = "".join(json.dumps(row) + "\n" for row in table)
            (options.out / f"{name}.ndjson").write_text(text, encoding="utf-8")
    except (ValueError, OSError) as mistake:
        parser.error(str(mistake))
    say({name: len(table) for name, table in rows.items()})
    return 0


def _add_company_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the company")
    group.add_argument("--account", default=DEFAULT_ACCOUNT, help="login of the organization (default %(default)s)")
    group.add_argument("--repositories", type=int, default=3, help="default %(default)s")
    group.add_argument("--pulls", type=int, default=40, help="pull requests of each repository (default %(default)s)")
    group.add_argument("--people", type=int, default=6, help="default %(default)s")
    group.add_argument("--days", type=int, default=400, help="days up to the end (default %(default)s)")
    group.add_argument("--seed", type=int, default=1, help="same seed, same company (default %(default)s)")
    group.add_argument("--end", type=_instant, help="the source's now, such as 2026-11-01T00:00:00Z (default: now)")
    knobs = parser.add_argument_group("knobs (lists of requests as 3,5-8; pairs as old=new; all separated by commas)")
    for knob in dataclasses.fields(Knobs):
        if knob.name == "seed":
            continue
        option = f"--{knob.name.replace('_', '-')}"
        help_text = str(knob.metadata["source"]).replace("%", "%%")
        if knob.type is bool:
            action = argparse.BooleanOptionalAction
            knobs.add_argument(option, action=action, default=knob.default, help=help_text)
        else:
            knobs.add_argument(option, type=_READERS[str(knob.type)], default=knob.default, help=help_text)


def _company(options: argparse.Namespace) -> Company:
    return generate(
        repositories=options.repositories,
        pulls=options.pulls,
        seed=options.seed,
        people=options.people,
        days=options.days,
        end=options.end or instant(time.time()),
        account=options.account,
    )


def _knobs(options: argparse.Namespace) -> Knobs:
    return Knobs(**{each.name: getattr(options, each.name) for each in dataclasses.fields(Knobs)})


def _instant(text: str) -> str:
    try:
        return instant(seconds(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an instant such as 2026-11-01T00:00:00Z, got {text!r}") from None


def _ordinals(text: str) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        if not re.fullmatch(r"\d+(-\d+)?", part):
            raise argparse.ArgumentTypeError(f"expected requests such as 3,5-8, got {text!r}")
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.split("=") for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise argparse.ArgumentTypeError(f"expected pairs such as old=new, got {text!r}")
    return tuple((old, new) for old, new in pairs)


_READERS: dict[str, Callable[[str], Any]] = {
    str(int): int,
    str(float): float,
    str(int | None): int,
    str(Sequence[int]): _ordinals,
    str(tuple[str, ...]): _names,
    str(tuple[tuple[str, str], ...]): _pairs,
}
