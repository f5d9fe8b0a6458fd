"""The note of what a data directory holds: a demo or real rows, and the sources that they are from.

A note is written before the first row is asked for, and binds once the lake has a row: a mistyped address binds
nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

Kind = Literal["demo", "real"]

_OF_A_DEMO = ("the simulator with ", "the recording ")  # how the source of a demo has been named since version 0.1.0


@dataclass(frozen=True, slots=True)
class Binding:
    """A source, and the account whose rows are from it; None: every account."""

    source: str
    account: str | None = None

    def excludes(self, other: "Binding") -> bool:
        """Return whether both would deliver the same objects: an account has one source."""
        is_same_account = None in (self.account, other.account) or self.account == other.account
        return self.source != other.source and is_same_account


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
            bindings = tuple(Binding(_text(each["source"]), each["account"]) for each in held["sources"])
            return cls(_kind(held["kind"]), bindings)
        except (ValueError, TypeError, KeyError, AttributeError):  # not UTF-8, not JSON, or not such an object
            return None

    def to_bytes(self) -> bytes:
        """Return the content of the file, which an earlier version can read too."""
        first = self.sources[0].source if self.sources else None
        sources = [{"source": each.source, "account": each.account} for each in self.sources]
        return json.dumps({"source": first, "kind": self.kind, "sources": sources}).encode() + b"\n"


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


def _files(folder: Path, names: str) -> Iterator[Path]:
    return (path for path in folder.rglob(names) if path.is_file() and not path.name.startswith("."))


def _row_count(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return 1  # it cannot be read; its rows were there
