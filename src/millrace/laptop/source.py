"""The source of a run: a server that was named, or the simulator as a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from millrace import config
from millrace.errors import ConfigError
from millrace.laptop.data_dir import Place
from millrace.laptop.project import SIMULATOR

SIMULATOR_KEY = "cursor-sim-dev-key"


NO_SOURCE = {"MILLRACE_SOURCE_URL": "http://no-source-is-asked", "MILLRACE_SOURCE_KEY": "none"}
"""Settings for a pipeline that reads no source."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which source a run reads: the server at `source_url`, or a simulator with these options."""

    source_url: str | None = None
    developers: int = 5
    days: int = 90
    seed: int = 1
    velocity: str = "medium"
    clone_share: float = 0.02
    usage: bool = True
    end: str | None = None
    from_recording: Path | None = None
    limiter: bool = True

    @property
    def name(self) -> str:
        """The source as a data directory is bound to it; a simulated one's days may grow, its rows stay the same."""
        if self.source_url:
            return self.source_url
        if self.from_recording:
            return f"the recording {self.from_recording.name}"
        return f"the simulator with {self.developers} developers, seed {self.seed}, {self.velocity} velocity"

    @property
    def has_agent_logs(self) -> bool:
        """Whether the developers of this source have logs of coding agents that are to be collected."""
        return self.usage and not self.source_url and not self.from_recording

    def world(self) -> list[str]:
        """Return the simulator's options for this company."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        names = ("developers", "days", "seed", "velocity", "clone_share")
        arguments = [f"--{name.replace('_', '-')}={getattr(self, name)}" for name in names]
        return [*arguments, f"--end={self.end or midnight.isoformat()}"]


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
    source: SourceOptions, place: Place, stack: ExitStack, say: Callable[[str], None]
) -> dict[str, str]:
    """Return the settings of the source: the server that was named, or a simulator that runs as long as `stack`."""
    key = config.source_key(SIMULATOR_KEY)
    place.belongs_to(source.name)
    if source.source_url:
        return {"MILLRACE_SOURCE_URL": source.source_url, "MILLRACE_SOURCE_KEY": key}
    say("starting the simulator")
    url = stack.enter_context(simulator([*_simulator_arguments(source), "--key", key]))
    paced = {} if source.limiter else {"MILLRACE_REQUESTS_PER_MINUTE": "0"}
    return {"MILLRACE_SOURCE_URL": url, "MILLRACE_SOURCE_KEY": key} | paced


def _simulator_arguments(source: SourceOptions) -> list[str]:
    limiter = "--limiter" if source.limiter else "--no-limiter"
    if source.from_recording:
        return [limiter, "--from-recording", str(source.from_recording.resolve())]
    return [limiter, *source.world()]
