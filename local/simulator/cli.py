"""The command line: serve a world, write its truth (`truth`), or the logs of its coding agents (`homes`)."""

import argparse
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from simulator.api import DEFAULT_KEY, SimulatedApi
from simulator.faults import InjectedFaults
from simulator.generating import DEFAULT_CLONE_SHARE, generate
from simulator.instants import offset_minutes, parse_instant, to_datetime
from simulator.process import Parser, add_server_options, at_end_of_input, say, serve_until_stopped
from simulator.recording import world_from_recording
from simulator.server import RunningSimulator
from simulator.world import World

_VELOCITIES = ("low", "medium", "high")


def main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit code."""
    arguments = _join_offset(arguments)
    if arguments and arguments[0] == "truth":
        return _truth(arguments[1:])
    if arguments and arguments[0] == "homes":
        return _homes(arguments[1:])
    return _serve(arguments)


def _serve(arguments: Sequence[str]) -> int:
    parser = Parser(
        prog="python -m simulator",
        description="Serve a generated or recorded world through the source API. When it listens, one JSON "
        "line with url and row counts goes to stdout; it serves until SIGTERM or SIGINT.",
        epilog="python -m simulator truth --help: write the marts that a correct pipeline must arrive at. "
        "python -m simulator homes --help: write the logs that the developers' coding agents keep.",
    )
    add_world_options(parser)
    add_server_options(parser)
    parser.add_argument(
        "--key",
        default=os.environ.get("SIMULATOR_KEY", DEFAULT_KEY),
        help=f"the key clients must send (default: SIMULATOR_KEY of the environment, else {DEFAULT_KEY})",
    )
    parser.add_argument(
        "--limiter",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="the original's rate limit: 100 at once, then 100 a minute (default on)",
    )
    _add_fault_options(parser)
    options = parser.parse_args(arguments)
    try:
        world = world_of(options)
        faults = _faults(options)
        api = SimulatedApi(world, limiter=options.limiter, key=options.key, faults=faults)
        server = RunningSimulator(api, options.host, options.port)
    except (ValueError, OverflowError, OSError) as mistake:
        parser.error(str(mistake))
    counts = {
        "commits": len(world.commits.rows),
        "pull_requests": len(world.pulls.rows),
        "reviews": len(world.reviews.rows),
        "repos": len(world.pulls.by_repo),
    }
    serve_until_stopped(server, counts, options.exit_with_parent)
    return 0


def _truth(arguments: Sequence[str]) -> int:
    from simulator import truth  # serving needs none of it

    parser = Parser(
        prog="python -m simulator truth",
        description="Write every mart of a world, computed without SQL, as one NDJSON file each.",
    )
    add_world_options(parser)
    parser.add_argument("--as-of", type=_instant, required=True, help="the instant up to which things have happened")
    parser.add_argument("--out", type=Path, required=True, help="folder for <mart>.ndjson")
    options = parser.parse_args(arguments)
    try:
        world = world_of(options)
        options.out.mkdir(parents=True, exist_ok=True)
        marts = truth.marts(world, options.as_of)
        for name, rows in marts.items():
            text = "".join(json.dumps(row, default=str) + "\n" for row in rows)
            (options.out / f"{name}.ndjson").write_text(text, encoding="utf-8")
    except (ValueError, OverflowError, OSError) as mistake:
        parser.error(str(mistake))
    say({name: len(rows) for name, rows in marts.items()})
    return 0


def _homes(arguments: Sequence[str]) -> int:
    from simulator.agent_logs import write_homes  # serving needs none of it

    parser = Parser(
        prog="python -m simulator homes",
        description="Write the logs that the coding agents of a world's developers keep: one home folder each.",
    )
    add_world_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for <developer>/")
    parser.add_argument("--git", action="store_true", help="the folders of the sessions are there, with git's remotes")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin ends")
    options = parser.parse_args(arguments)
    if options.exit_with_parent:
        threading.Thread(target=at_end_of_input, args=(lambda: os._exit(1),), daemon=True).start()
    try:
        homes = write_homes(world_of(options), options.out, has_git=options.git)
    except (ValueError, OverflowError, OSError) as mistake:
        parser.error(str(mistake))
    say({home.developer_id: home.sittings for home in homes})
    return 0


def add_world_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a world."""
    group = parser.add_argument_group("the world")
    group.add_argument("--developers", type=int, default=5, help="2 to 2000 (default %(default)s)")
    group.add_argument("--days", type=int, default=90, help="days up to the end (default %(default)s)")
    group.add_argument("--seed", type=int, default=1, help="same seed, same rows (default %(default)s)")
    group.add_argument("--velocity", choices=_VELOCITIES, default="medium", help="default %(default)s")
    group.add_argument("--end", type=_instant, help="the source's now, such as 2026-11-01T00:00:00Z (default: now)")
    group.add_argument("--utc-offset", type=_offset, default=0, help="write instants with this offset, such as -04:00")
    group.add_argument(
        "--clone-share",
        type=float,
        default=DEFAULT_CLONE_SHARE,
        help="share of developers whose pull requests lack e-mail and name (default %(default)s)",
    )
    group.add_argument(
        "--ai-effect",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="change of the cycle time of pull requests with an AI share of 60 %% and more, such as -0.3 for 30 %% "
        "shorter (default %(default)s)",
    )
    group.add_argument(
        "--full-hashes", action="store_true", help="commits have git's whole hash, as in Cursor's own answers"
    )
    group.add_argument("--from-recording", type=Path, help="serve the rows of this full-*.jsonl.gz instead")


def _add_fault_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("faults (which request is hit follows from --seed)")
    group.add_argument("--error-rate", type=_rate, default=0.0, help="share of requests answered 500")
    group.add_argument("--too-many-rate", type=_rate, default=0.0, help="share of requests answered 429")
    group.add_argument("--truncated-rate", type=_rate, default=0.0, help="share of bodies cut by a lost connection")
    group.add_argument("--half-json-rate", type=_rate, default=0.0, help="share of answers with half of their JSON")
    group.add_argument("--html-rate", type=_rate, default=0.0, help="share of answers that are an HTML page with 200")
    group.add_argument("--latency-s", type=float, default=0.0, help="seconds before each answer")
    group.add_argument("--extra-field", help="every row gets a field of this name")
    group.add_argument("--retyped-field", help="the field of this name changes its type")
    group.add_argument("--wrapped", action="store_true", help="raw arrays come inside an object")
    group.add_argument("--appearing", type=int, default=0, help="so many newest rows appear while clients page")
    group.add_argument("--plain-only", action="store_true", help="/analytics/github/* does not exist")
    group.add_argument("--ignores-page", action="store_true", help="every page of a list is its first one")
    group.add_argument("--stale-page", type=int, default=0, help="a cache answers this page with the one before")
    group.add_argument("--most-rows", type=int, default=0, help="a page has at most so many rows")
    group.add_argument("--most-total", type=int, default=0, help="no total of a list is larger")
    group.add_argument("--null-lists", action="store_true", help="a list without rows is null")
    group.add_argument("--endless-links", action="store_true", help="a raw array always links to another next page")


def world_of(options: argparse.Namespace) -> World:
    """Return the world that the options describe; ValueError and OSError when there is none."""
    if options.from_recording:
        return world_from_recording(options.from_recording)
    return generate(
        developers=options.developers,
        days=options.days,
        seed=options.seed,
        velocity=options.velocity,
        end=options.end,
        utc_offset_min=options.utc_offset,
        clone_share=options.clone_share,
        ai_effect=options.ai_effect,
        full_hashes=options.full_hashes,
    )


def _faults(options: argparse.Namespace) -> InjectedFaults:
    return InjectedFaults(**{f.name: getattr(options, f.name) for f in fields(InjectedFaults)})


def _join_offset(arguments: Sequence[str]) -> list[str]:
    """Join `--utc-offset -04:00` into one word: argparse would take the value for another option."""
    words = list(arguments)
    if "--utc-offset" in words[:-1]:
        at = words.index("--utc-offset")
        words[at : at + 2] = [f"--utc-offset={words[at + 1]}"]
    return words


def _instant(text: str) -> datetime:
    try:
        return to_datetime(parse_instant(text))
    except ValueError as mistake:
        raise argparse.ArgumentTypeError(str(mistake)) from None


def _offset(text: str) -> int:
    try:
        return offset_minutes(text)
    except ValueError as mistake:
        raise argparse.ArgumentTypeError(str(mistake)) from None


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..1")
    return rate
