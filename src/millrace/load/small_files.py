"""Many small dropped files: the handler of the first event loads its neighbours too, in one transaction.

One by one, ten thousand files of three rows cost ten thousand transactions. The event of a file that was loaded with
another finds its row in the ledger and does nothing, as with any repeated delivery. A file that cannot be read is left
to its own event, which quarantines it; so is a retry from quarantine, whose rows count as older than now.
"""

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from millrace import log
from millrace.errors import BadObject
from millrace.lake import Lake, ObjectMissing, ObjectVersion, StoredObject, names
from millrace.lake.names import DroppedFile
from millrace.load import dropped_files
from millrace.load.dropped_lines import DropCaps
from millrace.tables import EXTRACTED_AT, MOST_AHEAD, TABLES
from millrace.warehouse import LedgerEntry, SmallObject, Warehouse

SMALL_BYTES = 64 << 10
_FEWEST, _MOST = 8, 500


def load_neighbours(
    lake: Lake, warehouse: Warehouse, version: ObjectVersion, key: DroppedFile, now: datetime
) -> LedgerEntry | None:
    """Load a small dropped file with waiting ones of its table; None when it is better loaded by itself."""
    waiting = _waiting(lake, warehouse, version, key)
    if len(waiting) < _FEWEST:
        return None
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        objects = list(_read(lake, waiting, Path(folder), now))
    if version not in {each.version for each in objects}:
        return None
    try:
        entries = warehouse.load_bundle(TABLES[key.table], objects, now)
    except BadObject as error:
        log.info("loading one by one", table=key.table, objects=len(objects), error=str(error))
        return None
    log.info("loaded together", table=key.table, objects=len(entries), load_seq=entries[0].load_seq)
    return next(entry for entry in entries if entry.version == version)


def _waiting(lake: Lake, warehouse: Warehouse, version: ObjectVersion, key: DroppedFile) -> list[StoredObject]:
    """Return the file itself and its small NDJSON and CSV neighbours that the ledger lacks."""
    if key.kind == "parquet" or names.retried_id(version.name):
        return []
    small = [stored for stored in lake.list(f"drop/{key.table}/") if stored.size_bytes <= SMALL_BYTES]
    own = [stored for stored in small if stored.version == version]
    if not own or len(small) < _FEWEST:
        return []
    known = warehouse.find_all([stored.version for stored in small])
    others = [stored for stored in small if stored.version not in known and stored.version != version]
    return own + [stored for stored in others if _kind(stored) in ("ndjson", "csv")][: _MOST - 1]


def _kind(stored: StoredObject) -> str | None:
    try:
        key = names.parse(stored.version.name)
    except BadObject:
        return None
    return key.kind if isinstance(key, DroppedFile) and not names.retried_id(stored.version.name) else None


def _read(lake: Lake, waiting: list[StoredObject], folder: Path, now: datetime) -> Iterator[SmallObject]:
    path = folder / "object"
    for stored in waiting:
        key = names.parse(stored.version.name)
        if not isinstance(key, DroppedFile):
            continue
        try:
            crc32c = lake.download(stored.version, path).crc32c
            rows = dropped_files.to_table(path, TABLES[key.table], key.kind, DropCaps())
        except (BadObject, ObjectMissing):
            continue  # its own event reports why
        if _is_credible(rows, key, now):
            yield SmallObject(stored.version, rows, crc32c)


def _is_credible(rows: pa.Table, key: DroppedFile, now: datetime) -> bool:
    """Return whether a load of the file alone would accept it: no stamp in the future, no foreign owner."""
    newest = pc.max(rows[EXTRACTED_AT]).as_py()
    is_true = newest is None or newest <= now + MOST_AHEAD
    if key.owner is None:
        return is_true
    column, value = key.owner
    return is_true and pc.all(pc.equal(rows[column], value)).as_py() is not False
