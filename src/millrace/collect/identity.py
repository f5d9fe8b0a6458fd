"""The user whose usage it is, and the names under which it leaves the machine."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from millrace.collect.parsers.naming import Owner

_SECTION = re.compile(r"\[\s*([\w.-]+)\s*(\"[^\"]*\")?\s*\]")
_EMAIL = re.compile(r"email\s*=\s*(\"[^\"]*\"|[^#;]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Privacy:
    """How users and projects are named: in plain text or, with a key, by their HMAC, which keeps them distinct."""

    hash_key: str | None = field(default=None, repr=False)

    def named(self, name: str | None) -> str | None:
        """Return the name that leaves the machine: `h-` and 16 hexadecimal digits where there is a key."""
        if name is None or self.hash_key is None:
            return name
        return "h-" + hmac.new(self.hash_key.encode(), name.encode(), hashlib.sha256).hexdigest()[:16]


def user_id(configured: str | None, home: Path, environ: Mapping[str, str]) -> str | None:
    """Return the user of this machine, in lower case: `configured`, else the address in git's settings.

    None when there is neither. Git is not started: only the user's own two configuration files are read, without the
    files that they include.
    """
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = (home / ".gitconfig", config / "git" / "config")
    found = configured or next((email for file in files if (email := _email(file))), None)
    return found.strip().lower() or None if found else None


def owner(home: Path, environ: Mapping[str, str]) -> Owner:
    """Return the owner whom no project's path may name: the home, also resolved, and the names of its account."""
    names = [home.name, *(environ.get(name) for name in ("USER", "LOGNAME", "USERNAME"))]
    return Owner.of(dict.fromkeys((str(home), str(home.resolve()))), names)


def _email(file: Path) -> str | None:
    """Return the last address in the section `user` of a git configuration file."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return None
    is_user, found = False, None
    for line in map(str.strip, lines):
        if section := _SECTION.match(line):
            is_user = section[1].lower() == "user" and section[2] is None
            line = line[section.end() :].strip()
        if is_user and (email := _EMAIL.match(line)):
            found = email[1].strip().strip('"') or None
    return found
