"""The simulated company of a demo: one world, seen as a real company is.

Its pull requests, reviews and commits come from a simulated GitHub, the AI lines of its commits from Cursor's list of
them, and its usage from the logs of its developers' agents.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta

from millrace.laptop import claims
from millrace.laptop.data_dir import DataDir
from millrace.laptop.github import GitHubOptions
from millrace.laptop.kinds import GITHUB, Binding, Kind, github_of
from millrace.laptop.source import SourceOptions, simulator, source_settings

ACCOUNT = "acme-corp"  # that of every generated world


@dataclass(frozen=True, slots=True)
class SimulatedCursor(SourceOptions):
    """The list of AI commits of a simulated company."""

    @property
    def name(self) -> str:
        """The name that a data directory is bound to."""
        return f"Cursor of {SourceOptions.name.fget(self)}"  # type: ignore[attr-defined]  # slots forbid super()

    @property
    def owners(self) -> frozenset[str]:
        """The owners whose repositories its collectors name."""
        return frozenset({ACCOUNT})

    @property
    def has_maps(self) -> bool:
        """Whether maps name its repositories and developers: git remotes and identities do."""
        return False

    def world(self) -> list[str]:
        """Return the simulator's options for this company, with git's whole hashes."""
        return [*SourceOptions.world(self), "--full-hashes"]


@dataclass(frozen=True, slots=True)
class SimulatedGitHub(GitHubOptions):
    """The GitHub of a simulated company; `source` is the name that a data directory is bound to."""

    source: str = ""
    company: SourceOptions = field(default_factory=SourceOptions)

    @property
    def binding(self) -> Binding:
        """What a data directory is bound to."""
        return Binding(self.source, self.account, GITHUB)

    @property
    def kind(self) -> Kind:
        """What its rows are: those of a demo."""
        return "demo"


def sources(world: SourceOptions, data_dir: DataDir) -> tuple[SimulatedCursor, SimulatedGitHub]:
    """Return the sources of a company as of one instant.

    The first day of a company stays that of its first run: a pull request is never gone from GitHub.
    """
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if world.end:
        end = datetime.fromisoformat(world.end).astimezone(UTC)
    last = (end - timedelta(microseconds=1)).date()
    first = last - timedelta(days=world.days - 1)
    name = f"{github_of(world.name)} since "
    known = next((each.source for each in data_dir.sources() if each.source.startswith(name)), f"{name}{first}")
    first = min(first, date.fromisoformat(known.removeprefix(name)))
    world = replace(world, end=end.isoformat(), days=max(1, (last - first).days + 1))
    options = {each.name: getattr(world, each.name) for each in fields(world)}
    return (
        SimulatedCursor(**options | {"objects": ("commits",)}),
        SimulatedGitHub(ACCOUNT, source=known, company=world),
    )


def require(world: SourceOptions, data_dir: DataDir) -> None:
    """Raise ConfigError when a data directory has other rows than those of a company's sources."""
    for source in sources(world, data_dir):
        bound = source.binding
        claims.require(data_dir, source.kind, bound.source, bound.account, bound.objects)


def settings_of(
    source: SourceOptions | GitHubOptions,
    data_dir: DataDir,
    stack: ExitStack,
    say: Callable[[str], None],
    expect: Callable[[Mapping[str, int]], None],
) -> Mapping[str, str]:
    """Return the settings of a source, as `source_settings` does, also of the GitHub of a simulated company."""
    if not isinstance(source, SimulatedGitHub):
        return source_settings(source, data_dir, stack, say, expect)
    bound = source.binding
    claims.claim(data_dir, source.kind, bound.source, bound.account, bound.objects)
    key, arguments = secrets.token_urlsafe(24), ["world", *source.company.world()]
    url = stack.enter_context(simulator(arguments, key, module="simulator.github"))
    return source.settings_with(url, key) | {"MILLRACE_REQUESTS_PER_MINUTE": "0"}
