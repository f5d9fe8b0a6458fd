"""The repository of a folder, by its git remote: `owner/name`, and never a host, a user, a token or a path.

Git is not started: a stranger's folder may name programs in its configuration. Only owners on a list are returned.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from millrace.addresses import OWNER_NAME
from millrace.collect import git_config
from millrace.collect.git_config import Entry

_NAME = re.compile(r"[\w.-]{1,100}", re.ASCII)
_URL = re.compile(r"(?:https?|ssh|git|git\+ssh|ssh\+git)://[^/?#]+/([^?#]*)", re.IGNORECASE)
_SCP = re.compile(r"(?:[^/@:\s]+@)?(?:[^/:@\s\[\]]{2,}|\[[^\]/\s]+\]):(?!:)([^?#]*)")
_POINTER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Owners:
    """The owners whose repositories are named: a list in lower case, or any. Without an owner nothing is read."""

    names: frozenset[str] = frozenset()
    is_any: bool = False

    def has(self, repository: str) -> bool:
        """Return whether the owner of `owner/name` is one of them; letter case does not matter."""
        return self.is_any or repository.partition("/")[0].lower() in self.names

    def covers(self, other: "Owners") -> bool:
        """Return whether each of the other owners is one of them."""
        return self.is_any or (not other.is_any and other.names <= self.names)

    def with_all(self, other: "Owners") -> "Owners":
        """Return the owners of both."""
        return ANY if self.is_any or other.is_any else Owners(self.names | other.names)

    @property
    def text(self) -> str:
        """The list as text; `parse` returns it from that."""
        return "*" if self.is_any else ",".join(sorted(self.names))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the list of a text that `text` returned."""
        return cls(is_any=True) if text == "*" else cls(frozenset(name for name in text.split(",") if name))


NONE, ANY = Owners(), Owners(is_any=True)


@dataclass(frozen=True, slots=True)
class Repositories:
    """Returns the repository of each folder, which is looked up once. `configs` are git's files of the user."""

    owners: Owners = NONE
    home: Path = Path()
    configs: tuple[Path, ...] = ()
    _found: dict[str, str | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_machine(cls, owners: Owners, home: Path, environ: Mapping[str, str]) -> Self:
        """Return the repositories of a machine, with the files that git reads there."""
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        return cls(owners, home, (Path("/etc/gitconfig"), config / "git" / "config", home / ".gitconfig"))

    def among(self, owners: Owners) -> "Repositories":
        """Return those of other owners, looked up again: a folder may have another remote by now."""
        return Repositories(owners, self.home, self.configs)

    def __call__(self, folder: str | None) -> str | None:
        """Return the `owner/name` of a folder's repository; None where there is none, or its owner is not listed."""
        if not folder or self.owners == NONE:
            return None
        if folder not in self._found:
            found = self._look_up(folder)
            self._found[folder] = found if found is not None and self.owners.has(found) else None
        return self._found[folder]

    def _look_up(self, folder: str) -> str | None:
        if git_config.is_remote(folder) or not Path(folder).is_absolute():
            return None
        try:
            place = Path(folder).resolve(strict=True)
            found = _git_folders(place) if place.is_dir() else None
        except (OSError, RuntimeError, ValueError):
            return None
        if found is None:
            return None
        git_dir, common = found
        own = [common / "config", git_dir / "config.worktree"]
        entries = list(git_config.Reader(self.home, git_dir).entries(self.configs, own))
        url = _url(entries, git_dir)
        return None if url is None else repository_of(_rewritten(url, entries))


NO_REPOSITORIES = Repositories()


def repository_of(url: str) -> str | None:
    """Return the `owner/name` of a remote's URL; None for a path of this machine, or another number of parts.

    Forms: https://git-scm.com/docs/git-clone ("GIT URLS").
    """
    match = _URL.fullmatch(url.strip()) or (None if "://" in url else _SCP.fullmatch(url.strip()))
    if match is None:
        return None
    parts = match[1].strip("/").removesuffix(".git").split("/")
    if len(parts) != 2:
        return None
    owner, name = parts
    is_name = _NAME.fullmatch(name) is not None and name.strip(".") != ""
    return f"{owner}/{name}" if OWNER_NAME.fullmatch(owner) and is_name else None


def _git_folders(folder: Path) -> tuple[Path, Path] | None:
    """Return the folder of git's data for a folder, and the one with its configuration, which worktrees share."""
    for place in (folder, *folder.parents):
        dot = place / ".git"
        if dot.is_file():
            pointed = _pointed(dot, "gitdir: ")
            return None if pointed is None or not _has_data(pointed) else (pointed, _common(pointed))
        for git_dir in (dot, place):
            if _has_data(git_dir):
                return git_dir, _common(git_dir)
    return None


def _has_data(folder: Path) -> bool:
    """Return whether a folder is one of git's: also that of a worktree, which has a part of it."""
    has_objects = (folder / "objects").is_dir() or (folder / "commondir").is_file()
    return has_objects and (folder / "HEAD").is_file()


def _common(git_dir: Path) -> Path:
    return _pointed(git_dir / "commondir", "") or git_dir


def _pointed(file: Path, prefix: str) -> Path | None:
    """Return the folder that the first line of a file names, relative to the file's own folder."""
    text = git_config.read_text(file, _POINTER_BYTES)
    line = "" if text is None else text.partition("\n")[0].rstrip("\r")
    path = line.removeprefix(prefix).strip()
    if not line.startswith(prefix) or not path or git_config.is_remote(path):
        return None
    return (file.parent / path).resolve()


def _url(entries: Sequence[Entry], git_dir: Path) -> str | None:
    """Return the URL of `origin`, else of the only remote, else of the one that the current branch follows."""
    remotes: dict[str, str] = {}
    for entry in entries:
        if (entry.section, entry.key) == ("remote", "url"):
            if entry.value:
                remotes.setdefault(entry.subsection, entry.value)
            else:
                remotes.pop(entry.subsection, None)  # which empties the list of a remote's URLs
    if "origin" in remotes:
        return remotes["origin"]
    if len(remotes) == 1:
        return next(iter(remotes.values()))
    return remotes.get(_followed(entries, git_dir)) if remotes else None


def _followed(entries: Iterable[Entry], git_dir: Path) -> str:
    """Return the remote that the current branch follows; '' where it follows none."""
    head = git_config.read_text(git_dir / "HEAD", _POINTER_BYTES) or ""
    branch = head.strip().removeprefix("ref: refs/heads/")
    own = (entry for entry in entries if entry.section == "branch" and entry.subsection == branch)
    return next((entry.value for entry in reversed([*own]) if entry.key == "remote"), "")


def _rewritten(url: str, entries: Iterable[Entry]) -> str:
    """Return a URL with its beginning replaced, by the longest `url.<base>.insteadOf` that it has."""
    bases = [
        (len(entry.value), entry.subsection)
        for entry in entries
        if (entry.section, entry.key) == ("url", "insteadof") and entry.value and url.startswith(entry.value)
    ]
    if not bases:
        return url
    length, base = max(bases, key=lambda one: one[0])
    return base + url[length:]
