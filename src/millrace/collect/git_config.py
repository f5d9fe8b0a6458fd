"""Git's configuration files, read as text: git is not started, and nothing that a file names is run.

The syntax is that of https://git-scm.com/docs/git-config ("Syntax", "Includes", "Conditional includes").
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from millrace.collect.opening import open_plain

MOST_BYTES = 1 << 20
_MOST_FILES = 50
_MOST_DEPTH = 10
_BLANK = re.compile(r"[ \t\n\f\v]+|[#;][^\n]*")
_SECTION = re.compile(r'\[[ \t]*([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\[^\n])*)")?[ \t]*\]')
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:(=)[ \t]*|(?=[\n#;]|$))")
_PART = re.compile(r'[^"\\\n#;]+|\\\n|\\.|["\n#;\\]', re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}
_GLOB = re.compile(r"\*\*/|(?<=/)\*\*$|\*|\?|[^*?]+", re.DOTALL)
_GLOBS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable: section and key in lower case, the subsection as it is written; '' where there is none."""

    section: str
    subsection: str
    key: str
    value: str


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str | None:
    """Return a file's text; None when it is missing, too large, or no regular file."""
    if is_remote(str(path)):
        return None
    try:
        with open_plain(path.resolve(strict=True)) as file:
            content = file.read(most_bytes + 1)
    except (OSError, RuntimeError, ValueError):
        return None
    if content is None or len(content) > most_bytes:  # None: a file of the kernel that would block
        return None
    return content.decode(errors="replace")


def is_remote(path: str) -> bool:
    """Return whether a path names another machine: to open it may send the user's credentials there."""
    return path.startswith(("//", "\\\\", "/\\", "\\/"))


def parse(text: str) -> Iterator[Entry]:
    """Yield the variables of a file; those after an error of syntax are left out."""
    text = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").replace("\r\n", "\n")
    place, section, subsection = 0, "", ""
    while place < len(text):
        if match := _BLANK.match(text, place):
            place = match.end()
        elif match := _SECTION.match(text, place):
            place, name = match.end(), match[1].lower()
            section, _, subsection = (name, "", "") if match[2] is not None else name.partition(".")
            if match[2] is not None:
                subsection = re.sub(r"\\(.)", r"\1", match[2])
        elif match := _KEY.match(text, place):
            value, place = _value(text, match.end()) if match[2] else ("true", match.end())
            yield Entry(section, subsection, match[1].lower(), value)
        else:
            return


def _value(text: str, place: int) -> tuple[str, int]:
    """Return the value that begins at a place, and where it ends. Spaces at its end count only within quotes."""
    parts, is_quoted, kept = list[str](), False, 0
    while place < len(text) and (match := _PART.match(text, place)):
        part = match[0]
        if part == "\n" or (part in "#;" and not is_quoted):
            break
        place = match.end()
        if part == '"':
            is_quoted, kept = not is_quoted, len(parts)
        elif part == "\\\n":
            continue
        elif part.startswith("\\"):
            parts.append(_ESCAPES.get(part[1:], part[1:]))
            kept = len(parts)
        else:
            parts.append(part)
            kept = len(parts) if is_quoted else kept
    return "".join(parts[:kept]) + "".join(parts[kept:]).rstrip(), place


@dataclass(slots=True)
class Reader:
    """Reads the configuration of one repository, with what its files include: up to 1 MiB in all.

    `git_dir` is the repository's folder.
    """

    home: Path
    git_dir: Path
    _files: int = field(default=0, init=False)
    _left_bytes: int = field(default=MOST_BYTES, init=False)

    def entries(self, users: Sequence[Path], own: Sequence[Path]) -> Iterator[Entry]:
        """Yield the variables of the user's files and of the repository's own; a missing file has none.

        Conditions are only read in the user's: in a stranger's they could be patterns that take hours to match.
        """
        for path in users:
            yield from self._of_file(path, 0, has_conditions=True)
        for path in own:
            yield from self._of_file(path, 0, has_conditions=False)

    def _of_file(self, path: Path, depth: int, has_conditions: bool) -> Iterator[Entry]:
        self._files += 1
        is_read = self._files <= _MOST_FILES and depth <= _MOST_DEPTH
        text = (read_text(path, self._left_bytes) if is_read else None) or ""
        self._left_bytes -= min(len(text.encode()), self._left_bytes)
        for entry in parse(text):
            is_include = entry.key == "path" and (
                entry.section == "include"
                or (has_conditions and entry.section == "includeif" and self._holds(entry.subsection, path))
            )
            yield entry
            if is_include and (included := self._named(entry.value, path.parent)) is not None:
                yield from self._of_file(included, depth + 1, has_conditions)

    def _named(self, value: str, folder: Path) -> Path | None:
        """Return the file that a value names: below the home after `~/`, else relative to the file's folder."""
        if not value or is_remote(value):
            return None
        return self.home / value[2:] if value.startswith("~/") else folder / value

    def _holds(self, condition: str, path: Path) -> bool:
        """Return whether the condition of an include holds; only those on the repository's folder are known."""
        kind, _, pattern = condition.partition(":")
        if kind not in ("gitdir", "gitdir/i") or not pattern:
            return False
        if pattern.startswith("~/"):
            pattern = f"{self.home.resolve().as_posix()}/{pattern[2:]}"
        elif pattern.startswith("./"):
            pattern = f"{path.parent.resolve().as_posix()}/{pattern[2:]}"
        elif not pattern.startswith("/") and pattern[1:2] != ":":
            pattern = "**/" + pattern
        pattern += "**" if pattern.endswith("/") else ""
        flags = re.IGNORECASE if kind == "gitdir/i" else 0
        return re.fullmatch(_regex(pattern), self.git_dir.as_posix(), flags | re.DOTALL) is not None


def _regex(pattern: str) -> str:
    return "".join(_GLOBS.get(part, re.escape(part)) for part in _GLOB.findall(pattern))
