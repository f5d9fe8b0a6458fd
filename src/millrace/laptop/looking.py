"""A look at a source before it is read: who asks, what may be seen, and what a first load costs. Nothing is written."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from millrace import config
from millrace.config import ExtractConfig
from millrace.errors import ConfigError, RequestRejected
from millrace.extract.budget import RateBudget
from millrace.extract.sources import source_of
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.extract.sources.cursor_sim.source import CursorSimSource
from millrace.extract.sources.github.source import GitHubSource, Probe
from millrace.laptop.github import GitHubOptions, refusal
from millrace.laptop.repositories import duration
from millrace.laptop.source import SourceOptions, server_settings
from millrace.tables import CURSOR_SIM

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a source; `next` is what to do where something is missing, and None where nothing is."""

    what: str
    text: str
    next: str | None = None

    def __str__(self) -> str:
        mark, to_do = ("✓", "") if self.next is None else ("✗", f"; {self.next}")
        return f"{mark} {self.what:<13} {self.text}{to_do}"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out about a source. Unknown is None; `repositories` has the pull requests of each."""

    source: str
    account: str | None
    findings: tuple[Finding, ...]
    repositories: dict[str, int | None]
    login: str | None = None
    points: int | None = None
    points_left: int | None = None
    reset_at: str | None = None
    cost: dict[str, float] | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing is missing."""
        return all(each.next is None for each in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {"ok": self.is_good} | asdict(self)


def look(options: SourceOptions | GitHubOptions) -> Look:
    """Ask a source for little, and return what is found out.

    Raises ConfigError for a key that is refused or an account that does not exist; SourceUnavailable and
    UnexpectedResponse for an address that does not answer as the source does.
    """
    settings = options.settings() if isinstance(options, GitHubOptions) else server_settings(options)
    config.use(settings | {"MILLRACE_LAKE": "none:", "MILLRACE_BUS": "inprocess:"})
    source = source_of(ExtractConfig.from_env(), RateBudget(None, 1))
    if isinstance(source, GitHubSource) and isinstance(options, GitHubOptions):
        return _github(source, options)
    if not isinstance(source, CursorSimSource):
        raise ConfigError(f"expected cursor-sim or github, got {settings['MILLRACE_SOURCE']!r}")
    return _cursor_sim(source, options.binding.source, options.account or None)


def _github(source: GitHubSource, options: GitHubOptions) -> Look:
    try:
        found = source.probe(options.repositories)
    except RequestRejected as error:
        raise ConfigError(refusal(error)) from error
    return Look(
        source=options.binding.source,
        account=options.account,
        findings=tuple(_findings(found, options)),
        repositories=dict(found.repositories),
        login=found.login,
        points=found.budget,
        points_left=found.left,
        reset_at=found.reset_at,
        cost=asdict(found.cost) if found.cost else None,
    )


def _findings(found: Probe, options: GitHubOptions) -> Iterator[Finding]:
    way = "GraphQL" if found.plan == "graphql" else "REST, as it has no GraphQL that fits"
    yield Finding("address", f"{options.url}, read by {way}")
    yield Finding("token", found.kind + (f" of {found.login}" if found.login else ""))
    yield _seen(found, options)
    if found.hidden is not None:
        yield Finding("hidden", "there may be more repositories", found.hidden)
    for name in found.unknown:
        yield Finding("repository", f"{name} is not there for this token", "correct the name, or give it a right to it")
    for each in found.refused:
        rights = "give the token Metadata, Pull requests and Contents, each Read-only: docs/connect-github.md"
        yield Finding("refused", each, rights)
    yield _budget(found)
    if found.cost is None:
        yield Finding("first load", "what it costs cannot be computed for this server")
    else:
        cost = found.cost
        what = f"{cost.requests:,} requests, {cost.points:,} points, about {duration(cost.seconds)}"
        yield Finding("first load", f"{what}, and one request for each 100 commits of the default branches")


def _seen(found: Probe, options: GitHubOptions) -> Finding:
    if not found.repositories:
        advice = "give the token access to the repositories to read, or correct --account: docs/connect-github.md"
        return Finding("account", f"{options.account} shows no repository to this token", advice)
    counts = list(found.repositories.values())
    total = "" if None in counts else f" with {sum(filter(None, counts)):,} pull requests"
    names = ", ".join(list(found.repositories)[:_SHOWN])
    more = f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else ""
    repositories = "1 repository" if len(counts) == 1 else f"{len(counts):,} repositories"
    return Finding("account", f"{options.account}: {repositories}{total}: {names}{more}")


def _budget(found: Probe) -> Finding:
    if not found.budget or found.left is None:
        return Finding("budget", "this server has no limit of an hour")
    until = f" until {datetime.fromisoformat(found.reset_at).astimezone():%H:%M}" if found.reset_at else ""
    text = f"{found.left:,} of the hour's {found.budget:,} points are left{until}"
    return Finding("budget", text)


def _cursor_sim(source: CursorSimSource, name: str, account: str | None) -> Look:
    try:
        listing = Listing(source.client.for_task(), CURSOR_SIM["repos"], None, None, lambda columns: ())
        names = [str(row["name"]) for rows in listing.rows() for row in rows]
    except RequestRejected as error:
        if error.status != 401:
            raise
        raise ConfigError(str(error)) from error
    findings = [
        Finding("address", f"{name} answers as cursor-sim does"),
        Finding("key", "accepted"),
        Finding("repositories", f"{len(names):,}: {', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}"),
    ]
    if not names:
        findings[-1] = Finding("repositories", "none", "is this the company to read? check MILLRACE_SOURCE_KEY")
    return Look(name, account, tuple(findings), dict.fromkeys(names))
