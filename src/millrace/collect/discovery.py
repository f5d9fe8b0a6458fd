"""Where each agent keeps its logs on this machine, and which files there are logs. Nothing else is opened."""

import errno
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from millrace.collect import stores
from millrace.collect.known_stores import KNOWN, NO_PARSER
from millrace.collect.layouts import Parts, counterpart, is_compressed
from millrace.collect.links import links_below
from millrace.collect.parsers.agents import AGENTS, FORMS, Agent
from millrace.collect.parsers.fields import MalformedError, read_id
from millrace.collect.parsers.naming import hashed
from millrace.collect.stores import Candidate, Environment, Platform as Platform, Store

ErrorCallback = Callable[[OSError], None]

_LEADS_OUT = "a link that leads out of the home is not followed"


@dataclass(frozen=True, slots=True)
class Root:
    """One place where an agent keeps logs, whether or not it exists yet.

    `path` contains no symlink: it is a folder, or (`is_file`) one log. Symlinks below it are not followed. What they
    lead to is a root of its own, whose `below` is the place among the names of its store; links that lead out of the
    home are in `outside`. A root `is_closed` if its own path is such a link: nothing is read.
    """

    agent: str
    path: Path
    store: str = ""
    below: Parts = ()
    is_file: bool = False
    is_closed: bool = field(default=False, compare=False)
    outside: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def kind(self) -> Store:
        """The store that this is a place of."""
        return stores.STORES[self.agent, self.store]

    @property
    def reader(self) -> Agent:
        """The agent, with the parser for this store."""
        return AGENTS[self.agent] if self.kind.parser is None else FORMS[self.kind.parser]

    @property
    def watched(self) -> tuple[Path, ...]:
        """The existing folder, or the files, to watch for changes."""
        if self.is_closed:
            return ()
        if not self.is_file:
            return (self.path,)
        return (self.path.parent,) if self.kind.is_alone else (self.path, self.path.with_name(self.path.name + "-wal"))

    def covers(self, path: Path) -> bool:
        """Return whether a path is below this root, or is its file."""
        return not self.is_closed and (path == self.path if self.is_file else self.path in path.parents)

    def has(self, path: Path) -> bool:
        """Return whether a file of that name is a log of this root."""
        return self.covers(path) and self.kind.layout.is_log(self._parts(path))

    def logs(self, on_error: ErrorCallback) -> Iterator[Path]:
        """Yield the existing logs, in the order of their names; call `on_error` for what cannot be read.

        A compressed log beside the same one uncompressed is none.
        """
        for link in self.outside:
            on_error(OSError(errno.ELOOP, _LEADS_OUT, str(link)))
        if self.is_closed:
            return
        if self.is_file:
            yield from [self.path] * (self.path.is_file() and not self.path.is_symlink())
        else:
            yield from self._below(self.path, self.below, on_error)

    def session_id(self, log: Path) -> str | None:
        """Return the session id in the log's name; None when the name has none, and the log itself contains it."""
        layout = self.kind.layout
        name = layout.name_of(self._parts(log))
        try:
            return read_id({"name": name}, "name")
        except MalformedError:
            return hashed(name) if name is not None and layout.is_name_enough else None

    def _parts(self, path: Path) -> Parts:
        return (*self.below, *path.relative_to(self.path).parts)

    def _below(self, folder: Path, parts: Parts, on_error: ErrorCallback) -> Iterator[Path]:
        layout = self.kind.layout
        entries = _entries(folder, on_error)
        names = {entry.name for entry in entries if is_compressed(counterpart(entry.name))}
        for entry in entries:
            is_double = is_compressed(entry.name) and counterpart(entry.name) in names
            if layout.is_log((*parts, entry.name)) and not is_double and _is_plain(entry, on_error):
                yield folder / entry.name
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and layout.may_hold((*parts, entry.name)):
                yield from self._below(folder / entry.name, (*parts, entry.name), on_error)


@dataclass(frozen=True, slots=True)
class Place:
    """A place where logs were searched for, and how many are there."""

    agent: str
    path: Path
    exists: bool
    logs: int


@dataclass(frozen=True, slots=True)
class UnreadStore:
    """A store that exists and is not read, and why."""

    agent: str
    path: Path
    why: str


def discover(home: Path, environ: Environment, platform: Platform, agents: Collection[str]) -> list[Root]:
    """Return the roots of the enabled agents, each once, including those that do not exist.

    Folders that are configured by the environment or by settings replace the default ones, or are added, as the agent
    does it. A place, or a link below it, that is a symlink is followed within the home and the configured folder.
    """
    home = home.resolve()
    roots: dict[Root, None] = {}
    for candidate in stores.candidates(home, environ, platform):
        if candidate.agent in agents:
            roots |= dict.fromkeys(_roots_of(candidate, home))
    return _without_nested(list(roots))


def places(roots: Iterable[Root]) -> list[Place]:
    """Return every place with the number of its logs, in the order of the roots."""
    return [
        Place(root.agent, root.path, root.path.exists(), sum(1 for _ in root.logs(lambda error: None)))
        for root in roots
    ]


def unread(
    home: Path, environ: Environment, platform: Platform, agents: Collection[str] = frozenset(AGENTS)
) -> list[UnreadStore]:
    """Return known stores that exist and are not read: without a parser, and of `agents` behind links out of the home.

    Only whether they exist is asked. A store of an agent that is not enabled is not among them.
    """
    home = home.resolve()
    found = [
        UnreadStore(known.agent, path, NO_PARSER)
        for known in KNOWN
        for path in known.places(home, environ, platform)
        if os.path.lexists(path)
    ]
    links = {
        (root.agent, link): UnreadStore(root.agent, link, _LEADS_OUT)
        for root in discover(home, environ, platform, agents)
        for link in root.outside
    }
    return [*dict.fromkeys(found), *links.values()]


def default_state_folder(home: Path, environ: Environment, platform: Platform) -> Path:
    """Return the default folder of the collector's state."""
    if platform == "darwin":
        return home / "Library" / "Application Support" / "millrace"
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "millrace"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "millrace"


def _roots_of(candidate: Candidate, home: Path) -> Iterator[Root]:
    """Yield the root of a place and those of what links below it lead to."""
    store = stores.STORES[candidate.agent, candidate.store]
    limits = (home, candidate.limit.resolve())
    path = candidate.path.resolve()
    first = Root(candidate.agent, path, candidate.store, candidate.below, store.is_alone or candidate.is_file)
    if not _is_within(path, limits):
        yield Root(
            candidate.agent, candidate.path, candidate.store, is_closed=True,
            outside=(candidate.path,) * os.path.lexists(candidate.path),
        )  # fmt: skip
        return
    seen, left = {path, home}, [first]
    while left:
        root = left.pop()
        outside: list[Path] = []
        for link, parts in () if root.is_file else links_below(root.path, root.below, store.layout):
            target = _target(link)
            if target is None or any(known.is_relative_to(target) for known in seen):
                continue  # it leads nowhere, in a circle, or to what is read already
            is_file = not target.is_dir()
            if not (store.layout.is_log(parts) and target.is_file() if is_file else store.layout.may_hold(parts)):
                continue
            if not _is_within(target, limits):
                outside.append(link)
            else:
                seen.add(target)
                left.append(Root(root.agent, target, root.store, parts, is_file))
        yield Root(root.agent, root.path, root.store, root.below, root.is_file, outside=tuple(outside))


def _without_nested(roots: list[Root]) -> list[Root]:
    """Leave out links to what another root of the same store contains anyway under a name that makes it a log."""
    plain = [root for root in roots if not root.below and not root.is_file]
    return [
        root
        for root in roots
        if not root.below
        or not any(
            other.agent == root.agent and other.store == root.store and other.path in root.path.parents
            and (other.has(root.path) if root.is_file else other.kind.layout.may_hold(other._parts(root.path)))
            for other in plain
        )
    ]  # fmt: skip


def _target(link: Path) -> Path | None:
    """Return where a link leads to; None when it leads nowhere, or in a circle."""
    try:
        return link.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _is_within(path: Path, limits: Iterable[Path]) -> bool:
    return any(path.is_relative_to(limit) for limit in limits)


def _entries(folder: Path, on_error: ErrorCallback) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _tell(error, on_error)
        return []


def _is_plain(entry: os.DirEntry[str], on_error: ErrorCallback) -> bool:
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError as error:
        _tell(error, on_error)
        return False


def _tell(error: OSError, on_error: ErrorCallback) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        on_error(error)
