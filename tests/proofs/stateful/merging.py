"""The expected contents of a warehouse, in plain Python: the greatest version of each key, and a ledger that adds up.

`docs/lake.md`, "How rows merge": of two versions the greater wins, in the order of `_extracted_at`, the table's own
time, the content (as text, column by column in the order of their names), and at last `_run_id`; NULL is lowest.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import LedgerEntry

TABLE = TABLES["commits"]  # its key may hold NULL, and it has a time of its own
Row = dict[str, object]
Key = tuple[object, ...]
Order = tuple[object, ...]


@dataclass(frozen=True)
class Version:
    """One version of one row; `content` is everything but key and stamps, without NULL values."""

    key: Key
    content: tuple[tuple[str, object], ...]
    extracted_at: datetime
    run_id: str | None

    @classmethod
    def of(cls, row: Row, extracted_at: datetime, run_id: str | None) -> "Version":
        """Parse a file's row; missing stamps are those of its object."""
        held = {name: _one_zero(value) for name, value in row.items() if value is not None}
        at, run = held.pop("_extracted_at", extracted_at), held.pop("_run_id", run_id)
        assert isinstance(at, datetime)
        assert run is None or isinstance(run, str)
        key = tuple(held.pop(name, None) for name in TABLE.key)
        return cls(key, tuple(sorted(held.items(), key=lambda item: item[0].lower())), at, run)

    @property
    def order(self) -> Order:
        """Return the values by which two versions of one key are compared."""
        newest = dict(self.content).get(TABLE.version_column or "")
        text = "".join(f"{name.lower()}:{json.dumps(str(value))}," for name, value in self.content)
        return self.extracted_at, newest is not None, newest or 0, text, self.run_id or ""


@dataclass
class Model:
    """The raw table with each row's change sequence, and the first entry of each object."""

    rows: dict[Key, tuple[Version, int]] = field(default_factory=dict)
    ledger: dict[ObjectVersion, LedgerEntry] = field(default_factory=dict)

    def merge(self, versions: Iterable[Version], load_seq: int, latest: datetime | None = None) -> Counter[str]:
        """Merge versions; return the number of rows by row action. A stored stamp after `latest` is lower than any."""
        merged, row_actions = list(versions), Counter[str]()
        greatest: dict[Key, Version] = {}
        for version in merged:
            held = greatest.get(version.key)
            greatest[version.key] = max(version, held or version, key=lambda each: each.order)
        for key, version in greatest.items():
            row_actions[self._merge_one(key, version, load_seq, latest)] += 1
        row_actions["superseded"] += len(merged) - len(greatest)
        return row_actions

    def _merge_one(self, key: Key, version: Version, load_seq: int, latest: datetime | None) -> str:
        if key not in self.rows:
            self.rows[key] = version, load_seq
            return "inserted"
        held, changed = self.rows[key]
        is_greater = (latest is not None and held.extracted_at > latest) or version.order > held.order
        if version.content == held.content:
            self.rows[key] = version if is_greater else held, changed
            return "unchanged"
        if is_greater:
            self.rows[key] = version, load_seq
            return "updated"
        return "superseded"

    def table(self) -> list[Row]:
        """Return the rows of the warehouse, without NULL values, in the order of `listed`."""
        return listed(
            dict(zip(TABLE.key, key, strict=True))
            | dict(version.content)
            | {"_extracted_at": version.extracted_at, "_run_id": version.run_id, "_load_seq": load_seq}
            for key, (version, load_seq) in self.rows.items()
        )


def _one_zero(value: object) -> object:
    """Return 0.0 for -0.0."""
    return value + 0.0 if isinstance(value, float) else value


def listed(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in order, without NULL values."""
    told = [{name: value for name, value in sorted(row.items()) if value is not None} for row in rows]
    return sorted(told, key=repr)


def row_actions_of(*entries: LedgerEntry) -> Counter[str]:
    """Add up the counts in the ledger of some objects."""
    row_actions = Counter[str]()
    for entry in entries:
        for action in ("inserted", "updated", "unchanged", "superseded"):
            row_actions[action] += getattr(entry, f"rows_{action}")
    return row_actions
