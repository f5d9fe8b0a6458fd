"""Comparison of the objects in the lake with the entries of the ledger.

Only the ledger records what is loaded. Cursors, run records and a collector's notes are hints: after a warehouse was
lost, or an older one was restored, they still count everything as loaded.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from millrace import runs
from millrace.errors import BadObject
from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, names
from millrace.lake.documents import Damaged, parsed
from millrace.lake.names import ComparedKey, RawPart
from millrace.runs.plan import to_json
from millrace.warehouse import LedgerEntry

_COMPARED = str(ComparedKey())
LOADED = ("raw/", "drop/")
"""The prefixes of the objects that are loaded."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where the lake and the ledger differ.

    `unknown` are objects without an entry in the ledger. `copies` have an entry under another version: the lake was
    copied, moved or restored, which changes generations and no bytes. `lost` are names in the ledger that are no longer
    in the lake.
    """

    unknown: tuple[StoredObject, ...]
    copies: Mapping[ObjectVersion, LedgerEntry]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The state in which the ledger had everything in the lake, kept to save a full comparison.

    The ledger had `load_seq` and `objects`; `drop/` had `dropped` objects, the newest at `generation`. Every run up to
    `run_id` had ended and was processed; with `is_listing_due` the next sweep lists those before it too. Unlike the
    ledger, this is a hint: it is valid for a day.
    """

    load_seq: int = 0
    objects: int = 0
    dropped: int = 0
    generation: int = 0
    run_id: str = ""
    compared_at: str = "1970-01-01T00:00:00+00:00"
    is_listing_due: bool = False


def read_compared(lake: Lake) -> Compared:
    """Return the last noted state; an empty one when it is missing or damaged."""
    try:
        return parsed(lake.read(_COMPARED)[0], _COMPARED, _compared)
    except (ObjectMissing, Damaged):
        return Compared()


def _compared(fields: dict[str, Any]) -> Compared:
    at = datetime.fromisoformat(fields["compared_at"])
    if at.tzinfo is None:
        raise ValueError("compared_at has no zone")
    if fields["run_id"]:
        names.started_at(fields["run_id"])
    return Compared(**fields)


def note_compared(lake: Lake, compared: Compared) -> None:
    """Write the present state, unless another process writes it at this moment."""
    try:
        generation = lake.read(_COMPARED)[1].version.generation
    except ObjectMissing:
        generation = 0
    with contextlib.suppress(ObjectExists):
        lake.write(_COMPARED, to_json(asdict(compared)), if_generation=generation)


def compare(lake: Lake, entries: Iterable[LedgerEntry], prefixes: Sequence[str] = LOADED) -> Comparison:
    """Compare every object under the prefixes with a ledger.

    Content is read only for names that the ledger has under another version.
    """
    by_name: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        if entry.version.name.startswith(tuple(prefixes)):
            by_name.setdefault(entry.version.name, []).append(entry)
    unknown, copies, seen = [], {}, set()
    for stored in (stored for prefix in prefixes for stored in lake.list(prefix)):
        seen.add(stored.version.name)
        namesakes = by_name.get(stored.version.name, [])
        if any(entry.version == stored.version for entry in namesakes):
            continue
        same = _same(lake, stored, namesakes) if namesakes else None
        if same is None:
            unknown.append(stored)
        else:
            copies[stored.version] = same
    return Comparison(tuple(unknown), copies, tuple(sorted(by_name.keys() - seen)))


def _same(lake: Lake, stored: StoredObject, entries: Sequence[LedgerEntry]) -> LedgerEntry | None:
    """Return the entry with the same bytes under the same name; None when there is none."""
    crc32c = stored.crc32c or _checksum(lake, stored.version)
    return next((entry for entry in reversed(entries) if crc32c and _noted_checksum(lake, entry) == crc32c), None)


def _checksum(lake: Lake, version: ObjectVersion) -> str | None:
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        try:
            return lake.download(version, Path(folder, "object")).crc32c
        except ObjectMissing:
            return None


def _noted_checksum(lake: Lake, entry: LedgerEntry) -> str | None:
    """Return an entry's checksum; for an entry from before version 0.3, from the run's record."""
    if entry.crc32c is not None:
        return entry.crc32c
    try:
        key = names.parse(entry.version.name)
    except BadObject:
        return None
    record = runs.read_record(lake, key.run_id, key.task_id) if isinstance(key, RawPart) else None
    parts = record.parts if record else ()
    noted = (part for part in parts if (part.name, part.generation) == (entry.version.name, entry.version.generation))
    return next((part.crc32c for part in noted), None)
