"""Every store that is read: where each agent keeps it, in which form, and since which version."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from millrace.collect import vscode
from millrace.collect.layouts import (
    DATABASES,
    ONE_FILE,
    ROLLOUTS,
    SANDBOXES,
    SESSIONS,
    TASKS,
    TRANSCRIPTS,
    Layout,
    Parts,
)

Platform = Literal["linux", "darwin", "win32"]
Environment = Mapping[str, str]

_EXTENSIONS = {
    "saoudrizwan.claude-dev": "cline",
    "kilocode.kilo-code": "kilocode",
    "rooveterinaryinc.roo-cline": "roocode",
    "rooveterinaryinc.roo-code": "roocode",
    "rooveterinaryinc.roo-code-nightly": "roocode",
    "zoocodeorganization.zoo-code": "roocode",
}
_CUSTOM_PATHS = {
    "cline.customStoragePath": "cline",
    "kilo-code.customStoragePath": "kilocode",
    "roo-cline.customStoragePath": "roocode",
    "zoo-code.customStoragePath": "roocode",
}


@dataclass(frozen=True, slots=True)
class Store:
    """One kind of store of one agent.

    `parser` is the form in `FORMS`; None: the agent's first one. `is_alone`: it is one file, beside which the agent has
    others. `form` is how the logs are named, `versions` are those of the agent that write it; `since` and `until` are
    the months in which the first and the last of them appeared, None where no source says so, and while it is written.
    """

    what: str
    layout: Layout
    form: str
    versions: str = "all"
    since: str | None = None
    until: str | None = None
    parser: str | None = None
    is_alone: bool = False


STORES: dict[tuple[str, str], Store] = {
    ("claude", ""): Store(
        "Claude Code", TRANSCRIPTS, "`projects/**/*.jsonl`"
    ),
    ("claude", "desktop"): Store(
        "Claude Desktop, Cowork", SANDBOXES,
        "`local-agent-mode-sessions/**/local_*/.claude/projects/**/*.jsonl`",
    ),
    ("codex", ""): Store(
        "Codex CLI, IDE, desktop", ROLLOUTS,
        "`sessions/**/*.jsonl`, `archived_sessions/*.jsonl`; both `.zst` since 0.137 (2026-06)",
    ),
    ("cursor", ""): Store(
        "Cursor", ONE_FILE, "`state.vscdb`, table `cursorDiskKV`",
        is_alone=True,
    ),
    ("cline", ""): Store(
        "Cline, the extension", TASKS, "`tasks/<task>/ui_messages.json`"
    ),
    ("cline", "sessions"): Store(
        "Cline, CLI and SDK", SESSIONS, "`sessions/<session>/*.messages.json`", "3.0 and newer",
        "2026-04", parser="cline sessions",
    ),
    ("kilocode", ""): Store(
        "Kilo Code, until 7.2.20", TASKS, "`tasks/<task>/ui_messages.json`", "until 7.2.20",
        until="2026-04",
    ),
    ("kilocode", "database"): Store(
        "Kilo Code, extension and CLI", DATABASES, "`kilo.db`, tables `message` and `session`",
        "7.2.21 and newer", "2026-04", parser="kilocode messages",
    ),
    ("roocode", ""): Store(
        "Roo Code, Zoo Code, Roo's CLI", TASKS, "`tasks/<task>/ui_messages.json`",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a store may be. Links are followed within the home and `limit`, a folder that was configured.

    `below`: it is one file, which has this place among the names of its store.
    """

    agent: str
    path: Path
    limit: Path
    store: str = ""
    below: Parts = ()

    @property
    def is_file(self) -> bool:
        """Whether it is one file."""
        return bool(self.below)


def candidates(home: Path, environ: Environment, platform: Platform) -> Iterator[Candidate]:
    """Yield all places, of each agent the most usual ones first."""
    yield from (Candidate("claude", folder / "projects", limit) for folder, limit in _claude(home, environ))
    for folder, limit in _desktop(home, environ, platform):
        yield Candidate("claude", folder / "Claude" / "local-agent-mode-sessions", limit, "desktop")
    for folder, limit in configured(environ, "CODEX_HOME", home) or [(home / ".codex", home)]:
        yield from (Candidate("codex", folder / name, limit) for name in ("sessions", "archived_sessions"))
    config, limit = config_folder(home, environ, platform)
    users = vscode.user_folders(home, config, environ, platform)
    for host, user in users:
        if host in vscode.CURSORS and user.name == "User" and (host == vscode.CURSORS[0] or user.is_dir()):
            yield Candidate("cursor", user / "globalStorage" / "state.vscdb", limit)
    yield from _tasks(home, limit, users)
    yield from _cline(home, environ)
    yield from _kilo(home, environ)


def _tasks(home: Path, limit: Path, users: list[tuple[str, Path]]) -> Iterator[Candidate]:
    for place, (_, user) in enumerate(users):
        storage = user / "globalStorage"
        for name, agent in _extensions(storage, is_usual=place == 0):
            yield Candidate(agent, storage / name / "tasks", limit)
    settings = [file for _, user in users for file in vscode.settings_files(user)]
    for agent, text in vscode.custom_paths(settings, _CUSTOM_PATHS):
        folder = _expanded(text, home)
        yield from [Candidate(agent, folder / "tasks", folder)] * (text.startswith("~") or Path(text).is_absolute())
    yield Candidate("roocode", home / ".vscode-mock" / "global-storage" / "tasks", home)
    for name in (".kilocode/cli/global", ".kilocode/globalStorage/kilocode.kilo-code"):
        yield Candidate("kilocode", home / name / "tasks", home)


def _extensions(storage: Path, is_usual: bool) -> Iterator[tuple[str, str]]:
    """Yield the folders of known extensions in a host, with their agents; in the usual host also where they will be."""
    try:
        names = sorted(os.listdir(storage))
    except OSError:
        names = []
    yield from ((name, _EXTENSIONS[name.lower()]) for name in names if name.lower() in _EXTENSIONS)
    if is_usual:
        existing = {name.lower() for name in names}
        yield from ((name, agent) for name, agent in _EXTENSIONS.items() if name not in existing)


def _cline(home: Path, environ: Environment) -> Iterator[Candidate]:
    (data, limit), *_ = (
        configured(environ, "CLINE_DATA_DIR", home)
        or [(folder / "data", folder) for folder, _ in configured(environ, "CLINE_DIR", home)]
        or [(home / ".cline" / "data", home)]
    )
    (sessions, sessions_limit), *_ = configured(environ, "CLINE_SESSION_DATA_DIR", home) or [(data / "sessions", limit)]
    yield Candidate("cline", sessions, sessions_limit, "sessions")
    yield Candidate("cline", data / "tasks", limit)


def _kilo(home: Path, environ: Environment) -> Iterator[Candidate]:
    """Yield Kilo's folder, the same on every platform, and the database that KILO_DB names there or elsewhere."""
    data, limit = data_folder(home, environ)
    yield Candidate("kilocode", data / "kilo", limit, "database")
    name = environ.get("KILO_DB", "").strip()
    if name and name != ":memory:":
        path = _expanded(name, home) if name.startswith("~") else data / "kilo" / name
        yield Candidate("kilocode", path, path.parent, "database", ("kilo.db",))


def _claude(home: Path, environ: Environment) -> list[tuple[Path, Path]]:
    folders = configured(environ, "CLAUDE_CONFIG_DIR", home) or [
        (home / ".claude", home),
        (home / ".config" / "claude", home),
    ]
    return [*folders, *((folder, home) for folder in sorted(home.glob(".claude-*")))]


def _desktop(home: Path, environ: Environment, platform: Platform) -> list[tuple[Path, Path]]:
    folders = [config_folder(home, environ, platform)]
    if platform == "win32":
        local, limit = _folder(environ, "LOCALAPPDATA", home / "AppData" / "Local", home)
        folders += ((path, limit) for path in sorted(local.glob("Packages/*Claude_*/LocalCache/Roaming")))
    return folders


def config_folder(home: Path, environ: Environment, platform: Platform) -> tuple[Path, Path]:
    """Return where applications keep the user's settings, and the folder within which links there may lead."""
    if platform == "darwin":
        return home / "Library" / "Application Support", home
    if platform == "win32":
        return _folder(environ, "APPDATA", home / "AppData" / "Roaming", home)
    return _folder(environ, "XDG_CONFIG_HOME", home / ".config", home)


def data_folder(home: Path, environ: Environment) -> tuple[Path, Path]:
    """Return where programs of the command line keep data on every platform, and the limit of links there."""
    return _folder(environ, "XDG_DATA_HOME", home / ".local" / "share", home)


def configured(environ: Environment, name: str, home: Path) -> list[tuple[Path, Path]]:
    """Return the folders that a variable names, separated by commas; each is the limit of links below it."""
    folders = [_expanded(part.strip(), home) for part in environ.get(name, "").split(",") if part.strip()]
    return [(folder, folder) for folder in folders]


def _folder(environ: Environment, name: str, default: Path, home: Path) -> tuple[Path, Path]:
    value = environ.get(name, "").strip()
    return (Path(value), Path(value)) if value else (default, home)


def _expanded(text: str, home: Path) -> Path:
    return home / text.removeprefix("~").lstrip("/\\") if text.startswith("~") else home / text
