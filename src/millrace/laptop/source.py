"""The source of a run: a named server, or the simulator as a separate process."""

import json
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from millrace import config
from millrace.addresses import source_url
from millrace.errors import ConfigError
from millrace.laptop import claims
from millrace.laptop.data_dir import DataDir
from millrace.laptop.github import GitHubOptions
from millrace.laptop.kinds import CURSOR_SIM, Binding, Kind, Object
from millrace.laptop.project import SIMULATOR

SIMULATOR_KEY = "cursor-sim-dev-key"
_OBJECTS: dict[str, Object] = {"commits": "ai_commits", "pull_requests": "pull_requests"}

_CURSOR_SIM = {
    "MILLRACE_SOURCE": "cursor-sim",
    "MILLRACE_ACCOUNT": "",
    "MILLRACE_REPOSITORIES": "",
    "MILLRACE_OBJECTS": "",
    "MILLRACE_GITHUB_APP_ID": "",
    "MILLRACE_GITHUB_APP_KEY": "",
}
NO_SOURCE = _CURSOR_SIM | {"MILLRACE_SOURCE_URL": "https://no-source-is-asked", "MILLRACE_SOURCE_KEY": "none"}
"""Settings for a pipeline that reads no source."""


def objects_of(bindings: Sequence[Binding], source: str | None) -> tuple[str, ...]:
    """Return the objects, by the names of their option, that a data directory holds of a source; () for all."""
    held = {each for binding in bindings if binding.source == source for each in binding.objects}
    names = tuple(name for name, each in _OBJECTS.items() if each in held)
    return names if len(names) < len(_OBJECTS) else ()


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which source a run reads: the server at `source_url`, or a simulator with these options.

    Of it only the `objects` are read (none: all).
    """

    source_url: str | None = None
    account: str = ""
    insecure_http: bool = False
    developers: int = 5
    days: int = 90
    seed: int = 1
    velocity: str = "medium"
    clone_share: float = 0.02
    usage: bool = True
    end: str | None = None
    from_recording: Path | None = None
    limiter: bool = False
    ai_effect: float = 0.0
    objects: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name that a data directory is bound to; a simulator's days may grow, as its rows stay the same."""
        if self.source_url:
            return self.source_url
        if self.from_recording:
            return f"the recording {self.from_recording.name}"
        effect = f", AI effect {self.ai_effect}" if self.ai_effect else ""
        return f"the simulator with {self.developers} developers, seed {self.seed}, {self.velocity} velocity{effect}"

    @property
    def binding(self) -> Binding:
        """What a data directory is bound to."""
        return Binding(self.name, self.account or None, tuple(map(_OBJECTS.__getitem__, self.objects)) or CURSOR_SIM)

    @property
    def kind(self) -> Kind:
        """What its rows are: those of a demo, or real ones."""
        return "real" if self.source_url else "demo"

    @property
    def has_agent_logs(self) -> bool:
        """Whether the developers of this source have logs of coding agents to collect."""
        return self.usage and not self.source_url and not self.from_recording

    @property
    def owners(self) -> frozenset[str]:
        """The owners whose repositories its collectors name: none, as a cursor-sim has no git."""
        return frozenset()

    @property
    def has_maps(self) -> bool:
        """Whether maps name the repositories and developers of its logs, as a person would."""
        return self.has_agent_logs

    def world(self) -> list[str]:
        """Return the simulator's options for this company."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        names = ("developers", "days", "seed", "velocity", "clone_share")
        arguments = [f"--{name.replace('_', '-')}={getattr(self, name)}" for name in names]
        if self.ai_effect:
            arguments.append(f"--ai-effect={self.ai_effect}")
        return [*arguments, f"--end={self.end or midnight.isoformat()}"]


@contextmanager
def simulator(
    arguments: Sequence[str],
    key: str,
    expect: Callable[[Mapping[str, int]], None] = lambda rows: None,
    module: str = "simulator",
) -> Iterator[str]:
    """Start the simulator with some arguments, and yield its URL. It ends with the block, or with this process.

    `expect` is called with the rows that it has of each table.
    The key is passed in its environment: every user of the machine can read the arguments of a process.
    """
    command = [sys.executable, "-m", module, *arguments, "--port", "0", "--exit-with-parent"]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(  # noqa: S603 our own module; the arguments are checked by argparse
            command,
            cwd=SIMULATOR,
            env=config.environment_of_child({"SIMULATOR_KEY": key}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                process.wait()
                complaints.seek(0)
                reason = complaints.read().strip().splitlines()
                said = reason[-1] if reason else "it ended without a word"
                raise ConfigError(re.sub(r"^python -m [\w. ]+: ", "", said))
            started = json.loads(line)
            url = str(started.pop("url"))
            expect(started)
            yield url
        finally:
            process.terminate()


def source_settings(
    source: SourceOptions | GitHubOptions,
    data_dir: DataDir,
    stack: ExitStack,
    say: Callable[[str], None],
    expect: Callable[[Mapping[str, int]], None] = lambda rows: None,
) -> dict[str, str]:
    """Return the settings of the source: the named server, or a simulator that runs as long as `stack`.

    `expect` is called with the rows that a simulator has. Raises ConfigError when the key may not be sent to that
    server, or the data directory holds other rows.
    """
    bound = source.binding
    if isinstance(source, GitHubOptions):
        of_github = source.settings()
        claims.claim(data_dir, source.kind, bound.source, bound.account, bound.objects)
        return of_github
    if source.source_url:
        named = server_settings(source)
        claims.claim(data_dir, source.kind, bound.source, bound.account, bound.objects)
        return named
    claims.claim(data_dir, source.kind, bound.source, bound.account, bound.objects)
    say("starting the simulator")
    key = secrets.token_urlsafe(24)  # not the user's key, which is only for its server
    url = stack.enter_context(simulator(_simulator_arguments(source), key, expect))
    paced = {} if source.limiter else {"MILLRACE_REQUESTS_PER_MINUTE": "0"}
    return _CURSOR_SIM | {"MILLRACE_SOURCE_URL": url, "MILLRACE_SOURCE_KEY": key} | _objects(source) | paced


def server_settings(source: SourceOptions) -> dict[str, str]:
    """Return the settings of a named server; ConfigError when the key may not be sent there."""
    may_be_insecure = source.insecure_http or config.may_be_insecure()
    return (
        _CURSOR_SIM
        | {
            "MILLRACE_ACCOUNT": source.account,
            "MILLRACE_SOURCE_URL": source_url(source.source_url or "", may_be_insecure),
            "MILLRACE_SOURCE_KEY": config.source_key(SIMULATOR_KEY),
            "MILLRACE_INSECURE_HTTP": "1" if may_be_insecure else "",
        }
        | _objects(source)
    )


def _objects(source: SourceOptions) -> dict[str, str]:
    return {"MILLRACE_OBJECTS": ",".join(source.objects)}


def _simulator_arguments(source: SourceOptions) -> list[str]:
    limiter = "--limiter" if source.limiter else "--no-limiter"
    if source.from_recording:
        return [limiter, "--from-recording", str(source.from_recording.resolve())]
    return [limiter, *source.world()]
