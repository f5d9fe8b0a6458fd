"""The folders in which VS Code and what is built on it keep the data of extensions, and where a user moved it."""

import re
from collections.abc import Iterator, Mapping
from json import JSONDecodeError, loads
from pathlib import Path

HOSTS = (
    *("Code", "Code - Insiders", "Code - OSS", "VSCodium", "VSCodium - Insiders", "Cursor", "Cursor Nightly"),
    *("Windsurf", "Windsurf - Next", "Antigravity", "Antigravity IDE", "Trae", "Trae CN", "Positron", "Kiro", "Void"),
    *("PearAI", "Qoder"),
)
SERVERS = (
    *(".vscode-server", ".vscode-server-insiders", ".vscode-server-oss", ".vscodium-server"),
    *(".vscodium-server-insiders", ".vscode-remote", ".openvscode-server", ".cursor-server", ".windsurf-server"),
    *(".windsurf-server-next", ".antigravity-server", ".antigravity-ide-server", ".trae-server", ".trae-cn-server"),
    *(".positron-server", ".kiro-server", ".void-server"),
)
CURSORS = ("Cursor", "Cursor Nightly", ".cursor-server")
_MOST_SETTINGS_BYTES = 4 << 20
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?(?:\*/|\Z)|[^\s"/]+|/', re.DOTALL)


def user_folders(home: Path, config: Path, environ: Mapping[str, str], platform: str) -> list[tuple[str, Path]]:
    """Return the folders `User` with their hosts: of applications, of servers on this machine, and of sandboxes."""
    found = [(host, config / host / "User") for host in HOSTS]
    found += [(server, home / server / "data" / "User") for server in SERVERS]
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    if platform == "win32":
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        found.append(("code-server", local / "code-server" / "Data" / "User"))
    else:
        found.append(("code-server", data / "code-server" / "User"))
    if platform == "darwin":
        found.append(("code-server", config / "code-server" / "User"))
    if platform == "linux":
        boxes = [*home.glob(".var/app/*/config"), *home.glob("snap/*/current/.config")]
        found += [(host, box / host / "User") for box in sorted(boxes) for host in HOSTS if (box / host).is_dir()]
    profiles = [(host, profile) for host, user in found for profile in sorted(user.glob("profiles/*"))]
    return [*found, *profiles]


def settings_files(user: Path) -> list[Path]:
    """Return the files in which the user of a host configures extensions."""
    return [user / "settings.json", user.parent / "Machine" / "settings.json"]


def custom_paths(files: list[Path], keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the values that settings contain under one of the keys, each with what `keys` has for its key.

    Settings are JSON with comments. A file that cannot be read has none.
    """
    for file in files:
        try:
            if file.stat().st_size > _MOST_SETTINGS_BYTES:
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        tokens = [token for token in _TOKEN.findall(text) if not token.startswith(("//", "/*"))]
        for key, colon, value in zip(tokens, tokens[1:], tokens[2:], strict=False):
            name = keys.get(key.strip('"')) if key.startswith('"') and colon == ":" else None
            if name is not None and value.startswith('"') and (path := _text(value)):
                yield name, path


def _text(literal: str) -> str | None:
    try:
        value = loads(literal)
    except JSONDecodeError:
        return None
    return value.strip() if isinstance(value, str) and value.strip() and "\0" not in value else None
