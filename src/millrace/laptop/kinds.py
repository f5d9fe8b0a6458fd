"""The note of what a data directory holds: a demo or real rows, and the sources that they are from.

A note is written before the first row is asked for, and binds once the lake has a row: a mistyped address binds
nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

Kind = Literal["demo", "real"]
Object = Literal["pull_requests", "ai_commits", "commits"]
"""What a source delivers: pull requests with their reviews, the commits of an AI tool, the commits of a git host."""
Objects = tuple[Object, ...]
CURSOR_SIM: Objects = ("pull_requests", "ai_commits")
GITHUB: Objects = ("pull_requests", "commits")

_OF_A_DEMO = ("the simulator with ", "the recording ")  # how the source of a demo has been named since version 0.1.0


_AT_GITHUB, _OF_GITHUB = "GitHub at ", "GitHub of "


def github_at(url: str) -> str:
    """Return the name of a server of GitHub as a source; `url` is that of its API."""
    return f"{_AT_GITHUB}{url}"


def github_of(simulator: str) -> str:
    """Return the name of the GitHub of a simulated company as a source."""
    return f"{_OF_GITHUB}{simulator}"


@dataclass(frozen=True, slots=True)
class Binding:
    """A source, the account whose rows are from it (None: every account), and the objects that it delivers."""

    source: str
    account: str | None = None
    objects: Objects = CURSOR_SIM

    @property
    def is_github(self) -> bool:
        """Whether the source is a server of GitHub."""
        return self.source.startswith((_AT_GITHUB, _OF_GITHUB))

    def shared_with(self, other: "Binding") -> Objects:
        """Return the objects that two sources would deliver of the same account: each has one source."""
        is_same_account = None in (self.account, other.account) or self.account == other.account
        if self.source == other.source or not is_same_account:
            return ()
        return tuple(each for each in self.objects if each in other.objects)

    def excludes(self, other: "Binding") -> bool:
        """Return whether both would deliver the same objects."""
        return bool(self.shared_with(other))


@dataclass(frozen=True, slots=True)
class Note:
    """The kind of the rows, and the bindings of those that a source delivered."""

    kind: Kind
    sources: tuple[Binding, ...] = ()

    @classmethod
    def parse(cls, content: bytes) -> Self | None:
        """Return the note in a file; None when it is damaged. Until version 0.2 a note had the source alone."""
        try:
            held = json.loads(content)
            if "kind" not in held:
                return cls(_kind_of(held["source"]), (Binding(held["source"]),))
            return cls(_kind(held["kind"]), tuple(_binding(each) for each in held["sources"]))
        except (ValueError, TypeError, KeyError, AttributeError):  # not UTF-8, not JSON, or not such an object
            return None

    def to_bytes(self) -> bytes:
        """Return the content of the file, which an earlier version can read too."""
        first = self.sources[0].source if self.sources else None
        sources = [asdict(each) for each in self.sources]
        return json.dumps({"source": first, "kind": self.kind, "sources": sources}).encode() + b"\n"


def _binding(held: dict[str, Any]) -> Binding:
    """Return a binding; one that was noted before there were objects is of cursor-sim."""
    objects = held.get("objects", CURSOR_SIM)
    known = tuple(each for each in get_args(Object) if each in objects)
    if not known or len(known) != len(objects):
        raise ValueError(f"expected objects, got {objects!r}")
    return Binding(_text(held["source"]), held["account"], known)


def _kind_of(source: str) -> Kind:
    return "demo" if source.startswith(_OF_A_DEMO) else "real"


def _kind(word: object) -> Kind:
    if word == "demo":
        return "demo"
    if word == "real":
        return "real"
    raise ValueError(f"expected demo or real, got {word!r}")


def _text(word: object) -> str:
    if not isinstance(word, str):
        raise TypeError(f"expected a text, got {word!r}")
    return word


def has_dropped(lake: Path) -> bool:
    """Return whether a file was dropped into a lake."""
    return any(_files(lake / "drop", "*"))


def has_extracted(lake: Path) -> bool:
    """Return whether a part in a lake has a row; a source without rows leaves empty parts."""
    return any(_row_count(path) for path in _files(lake / "raw", "*.parquet"))


def has_extracted_of(lake: Path, account: str | None) -> bool:
    """Return whether a part of an account's runs has a row; None: of runs without an account."""
    parts = _files(lake / "raw", "*.parquet")
    return any(_row_count(path) for path in parts if _account_of(path) == account)


def _account_of(part: Path) -> str | None:
    """Return the account in a part's folder, as in `run=20260131T060000Z-acme`."""
    from millrace.lake import names  # which needs Arrow, as only a lake with parts does

    run_id = next((name.removeprefix("run=") for name in part.parts if name.startswith("run=")), "")
    return names.account_of(run_id) or None


def _files(folder: Path, names: str) -> Iterator[Path]:
    return (path for path in folder.rglob(names) if path.is_file() and not path.name.startswith("."))


def _row_count(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return 1  # it cannot be read; its rows were there
