"""The source of a run: a server that was named, or the simulator as a process of its own."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from millrace import config
from millrace.errors import ConfigError
from millrace.laptop.data_dir import Place
from millrace.laptop.project import SIMULATOR

SIMULATOR_KEY = "cursor-sim-dev-key"


@contextmanager
def simulator(arguments: Sequence[str]) -> Iterator[str]:
    """Start the simulator with some arguments; gives its URL. It ends with the block, or with this process."""
    command = [sys.executable, "-m", "simulator", "--port", "0", "--exit-with-parent", *arguments]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603 our own module; the arguments are checked by argparse
            command, cwd=SIMULATOR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                process.wait()
                complaints.seek(0)
                reason = complaints.read().strip().splitlines()
                raise ConfigError(reason[-1] if reason else "the simulator ended without a word")
            yield str(json.loads(line)["url"])
        finally:
            process.terminate()


def source_settings(
    options: argparse.Namespace, place: Place, stack: ExitStack, say: Callable[[str], None]
) -> dict[str, str]:
    """Give the settings of the source: the server that was named, or a simulator started for this run."""
    if options.drops:
        return {"MILLRACE_SOURCE_URL": "http://no-source-is-asked", "MILLRACE_SOURCE_KEY": "none"}
    key = config.source_key(SIMULATOR_KEY)
    if options.source_url:
        place.belongs_to(options.source_url)
        return {"MILLRACE_SOURCE_URL": options.source_url, "MILLRACE_SOURCE_KEY": key}
    place.belongs_to(world_of(options))
    say("starting the simulator")
    url = stack.enter_context(simulator([*_simulator_arguments(options), "--key", key]))
    paced = {} if options.limiter else {"MILLRACE_REQUESTS_PER_MINUTE": "0"}
    return {"MILLRACE_SOURCE_URL": url, "MILLRACE_SOURCE_KEY": key} | paced


def _simulator_arguments(options: argparse.Namespace) -> list[str]:
    limiter = "--limiter" if options.limiter else "--no-limiter"
    if options.from_recording:
        return [limiter, "--from-recording", str(options.from_recording.resolve())]
    return [limiter, *world_arguments(options)]


def world_arguments(options: argparse.Namespace) -> list[str]:
    """Give the simulator's options for the world of these."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world = {name: getattr(options, name) for name in ("developers", "days", "seed", "velocity", "clone_share")}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in world.items()]
    return [*arguments, f"--end={options.end or midnight.isoformat()}"]


def world_of(options: argparse.Namespace) -> str:
    """Name the simulated source; its days may grow, its rows stay the same."""
    if options.from_recording:
        return f"the recording {options.from_recording.name}"
    return f"the simulator with {options.developers} developers, seed {options.seed}, {options.velocity} velocity"
