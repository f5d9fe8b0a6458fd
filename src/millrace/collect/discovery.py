"""Where each agent keeps its logs on this machine, and which files there are logs. Nothing else is opened."""

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from millrace.collect.parsers.fields import MalformedError, read_id
from millrace.collect.parsers.naming import hashed

Platform = Literal["linux", "darwin", "win32"]
Environment = Mapping[str, str]
ErrorCallback = Callable[[OSError], None]

_HOSTS = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf")
_SERVERS = (".vscode-server", ".cursor-server", ".windsurf-server")
_EXTENSIONS = {
    "cline": "saoudrizwan.claude-dev",
    "kilocode": "kilocode.kilo-code",
    "roocode": "rooveterinaryinc.roo-cline",
}
_DATABASE = "state.vscdb"
_DOCUMENT = "ui_messages.json"
_UUID_AT_END = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Root:
    """One place where an agent keeps logs, whether or not it exists yet.

    `path` contains no symlink. For Cursor it is the one database, for all other agents a folder. Symlinks below it are
    not followed, so none leads out of it.
    """

    agent: str
    path: Path

    @property
    def folder(self) -> Path:
        """The folder to watch for changes."""
        return self.path.parent if self.agent == "cursor" else self.path

    def has(self, path: Path) -> bool:
        """Return whether a file of that name is a log of this root."""
        if self.agent == "cursor":
            return path == self.path
        if self.path not in path.parents:
            return False
        if self.agent in _EXTENSIONS:
            return path.name == _DOCUMENT and path.parent.parent == self.path
        return _is_transcript(path.name)

    def logs(self, on_error: ErrorCallback) -> Iterator[Path]:
        """Yield the existing logs, in the order of their names; call `on_error` for folders that cannot be read."""
        if self.agent == "cursor":
            yield from [self.path] * self.path.is_file()
        elif self.agent in _EXTENSIONS:
            yield from (path for task in _subfolders(self.path, on_error) if _is_plain(path := task / _DOCUMENT))
        else:
            for folder, folders, names in os.walk(self.path, onerror=lambda error: _tell(error, on_error)):
                folders.sort()
                paths = (Path(folder, name) for name in sorted(names) if _is_transcript(name))
                yield from (path for path in paths if _is_plain(path))

    def session_id(self, log: Path) -> str | None:
        """Return the session id in the log's name; None when the name has none, and the log itself contains it."""
        name = log.stem
        if self.agent == "cursor":
            return None
        if self.agent in _EXTENSIONS:
            name = log.parent.name
        elif self.agent == "codex" and (uuid := _UUID_AT_END.search(name)):
            name = uuid[0]
        try:
            return read_id({"name": name}, "name")
        except MalformedError:
            return hashed(name) if self.agent in _EXTENSIONS else None  # only its folder identifies a task


def discover(home: Path, environ: Environment, platform: Platform, agents: Collection[str]) -> list[Root]:
    """Return the roots of the enabled agents, each once, including those that do not exist.

    `CLAUDE_CONFIG_DIR` (comma-separated paths) and `CODEX_HOME` replace the default folders. Folders
    `~/.claude-<name>`, of users who keep several, are found by their names.
    """
    users = _user_folders(home, environ, platform)
    roots = [
        *(Root("claude", path) for path in _claude(home, environ)),
        *(Root("codex", path) for path in _codex(home, environ)),
        Root("cursor", _config(home, environ, platform) / "Cursor" / "User" / "globalStorage" / _DATABASE),
        *(
            Root(agent, user / "globalStorage" / extension / "tasks")
            for agent, extension in _EXTENSIONS.items()
            for user in users
        ),
    ]
    return list(dict.fromkeys(Root(root.agent, root.path.resolve()) for root in roots if root.agent in agents))


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was looked at; `logs` is the number of logs there."""

    agent: str
    path: Path
    exists: bool
    logs: int


def places(roots: Collection[Root]) -> list[Place]:
    """Return every place that is looked at, with what is there."""
    return [Place(root.agent, root.path, root.path.exists(), sum(1 for _ in root.logs(_ignore))) for root in roots]


def _ignore(_: OSError) -> None:
    """A place that cannot be read has no logs."""


def default_state_folder(home: Path, environ: Environment, platform: Platform) -> Path:
    """Return the default folder of the collector's state."""
    if platform == "darwin":
        return home / "Library" / "Application Support" / "millrace"
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "millrace"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "millrace"


def _claude(home: Path, environ: Environment) -> list[Path]:
    configured = [part.strip() for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if part.strip()]
    folders = [_expanded(part, home) for part in configured] or [home / ".claude", home / ".config" / "claude"]
    return [folder / "projects" for folder in (*folders, *sorted(home.glob(".claude-*")))]


def _codex(home: Path, environ: Environment) -> list[Path]:
    configured = environ.get("CODEX_HOME", "").strip()
    folder = _expanded(configured, home) if configured else home / ".codex"
    return [folder / "sessions", folder / "archived_sessions"]


def _config(home: Path, environ: Environment, platform: Platform) -> Path:
    """Return the folder where applications keep the user's settings."""
    if platform == "darwin":
        return home / "Library" / "Application Support"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config")


def _user_folders(home: Path, environ: Environment, platform: Platform) -> list[Path]:
    config = _config(home, environ, platform)
    return [*(config / host / "User" for host in _HOSTS), *(home / name / "data" / "User" for name in _SERVERS)]


def _expanded(text: str, home: Path) -> Path:
    return home / text.removeprefix("~").lstrip("/\\") if text.startswith("~") else home / text


def _subfolders(folder: Path, on_error: ErrorCallback) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        _tell(error, on_error)
        return []


def _is_transcript(name: str) -> bool:
    return name.lower().endswith(".jsonl")  # some file systems and tools change the case of a name


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _tell(error: OSError, on_error: ErrorCallback) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        on_error(error)
