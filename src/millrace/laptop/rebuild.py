"""The rebuild of a data directory's warehouse from its lake, when it is damaged or too old."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from millrace.errors import BadObject, ConfigError, MillraceError
from millrace.lake import Lake, ObjectMissing, ObjectVersion, checksum, names
from millrace.lake.names import DroppedFile, RawPart
from millrace.laptop import in_process
from millrace.laptop.data_dir import DataDir
from millrace.laptop.source import NO_SOURCE
from millrace.load import quarantine, recovery
from millrace.load.handler import Loader
from millrace.load.quarantine import Entry
from millrace.status.store import StoreLedger
from millrace.warehouse.duckdb.read_only import open_read_only

_NEW = "millrace.duckdb.new"
_WAREHOUSE: Literal["warehouse"] = "warehouse"
_PUBLISHED: Literal["published"] = "published"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The objects of a new warehouse.

    Of the `loaded`, `retried` were loaded from quarantine again; `set_aside` stay in quarantine, or were discarded
    there. `lost` are in the published copy, but no longer in the lake.
    """

    loaded: int
    retried: int
    set_aside: int
    lost: tuple[str, ...]


def rebuild(data_dir: DataDir, force: bool, say: Callable[[str], None]) -> Rebuilt:
    """Load all objects of the lake into a new warehouse, and replace the old one with it.

    The old one stays as it is until then. The caller holds the lock of the directory. Raises ConfigError when the
    published copy has objects that the lake no longer has; with `force`, they are recorded as lost instead.
    """
    new_path = data_dir.root / _NEW
    _remove(new_path.name, data_dir)
    settings = {"MILLRACE_WAREHOUSE": new_path.as_uri().replace("file:", "duckdb:", 1)}
    pipeline = in_process.connect(data_dir.settings() | dict(NO_SOURCE) | settings)
    try:
        pipeline.warehouse.ensure_tables()
        desk = pipeline.loader
        were_loaded = _loaded_from_quarantine(data_dir, pipeline.quarantine)
        quarantined = [each for each in quarantine.entries(desk.quarantine, desk.warehouse, None) if each.version]
        for entry in quarantined:
            _record_quarantined(desk, entry)
        retried = [quarantine.retry(desk, entry.id) for entry in quarantined if entry.id in were_loaded]
        copies = {were_loaded[each.entry.id]: each.load for each in retried if each.load is not None}
        pipeline.warehouse.adopt({version: load for version, load in copies.items() if version is not None})
        unknown = recovery.recover(pipeline.lake, pipeline.bus, pipeline.warehouse)
        say(f"loading {len(unknown):,} objects of {data_dir.lake}")
        pipeline.bus.run()
        if pipeline.bus.dead_letters:
            raise ConfigError(f"not all could be loaded: {pipeline.bus.dead_letters[0].reason}")
        done = sum(each.load is not None for each in retried)
        stay = sum(entry.state != "retry" for entry in quarantined)
        lost = pipeline.warehouse.objects_beyond(data_dir.published)
        if lost and not force:
            raise ConfigError(_lost(data_dir, lost))
        for version in lost:
            pipeline.warehouse.quarantine(version, None, None, None, "lost")
        recovery.settle(desk)
    except BaseException:
        pipeline.warehouse.close()
        _remove(new_path.name, data_dir)
        raise
    pipeline.warehouse.close()
    _remove(data_dir.warehouse.name, data_dir)
    os.replace(new_path, data_dir.warehouse)
    return Rebuilt(len(unknown) + done, done, stay - done, tuple(version.name for version in lost))


def _record_quarantined(desk: Loader, entry: Entry) -> None:
    """Record that an object is in quarantine, as before. By its checksum, `recover` recognizes it in the lake."""
    if entry.version is None:
        return
    try:
        key = names.parse(entry.version.name)
    except BadObject:
        key = None
    table = key.table if isinstance(key, RawPart | DroppedFile) else None
    run_id = key.run_id if isinstance(key, RawPart) else None
    try:
        crc32c = checksum(desk.quarantine.read(f"quarantine/{entry.id}")[0])
    except ObjectMissing:
        crc32c = None
    desk.warehouse.quarantine(entry.version, table, run_id, entry.rows, entry.reason, crc32c)


def _loaded_from_quarantine(data_dir: DataDir, bucket: Lake) -> dict[str, ObjectVersion | None]:
    """Return the entries that the first readable ledger has as loaded; an older one loaded the kept copy itself."""
    for path, kind in ((data_dir.warehouse, _WAREHOUSE), (data_dir.published, _PUBLISHED)):
        if path.exists():
            with contextlib.suppress(MillraceError), open_read_only(path, kind) as store:
                ledger = StoreLedger(store)
                kept = {row.version.name: row.version for row in ledger.entries(is_quarantined=True)}
                loaded = quarantine.entries(bucket, ledger, "loaded")
                return {entry.id: kept.get(f"quarantine/{entry.id}") for entry in loaded}
    return {}


def _lost(data_dir: DataDir, lost: list[ObjectVersion]) -> str:
    what = f"{data_dir.published} has {len(lost):,} objects that the lake has no more, {lost[0].name!r} first"
    return f"{what}: restore them, or go without them: millrace rebuild --force"


def _remove(name: str, data_dir: DataDir) -> None:
    for path in (data_dir.root / name, data_dir.root / f"{name}.wal"):
        path.unlink(missing_ok=True)
