"""Handle one object event: load a part or a dropped file, or advance the run that the object belongs to."""

import contextlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from millrace import log, runs
from millrace.bus.events import NotAnEvent, ObjectFinalized
from millrace.errors import BadObject, is_of_the_machine, unreadable
from millrace.lake import (
    Lake,
    ObjectExists,
    ObjectMissing,
    ObjectVersion,
    StoredObject,
    checksum,
    create_once,
    names,
)
from millrace.lake.documents import Damaged
from millrace.lake.names import DroppedFile, FinalKey, RawPart, TaskKey
from millrace.load import dropped_files, small_files
from millrace.load.dropped_lines import DropCaps
from millrace.runs import build_requests
from millrace.tables import MOST_AHEAD, TABLES
from millrace.warehouse import Batch, LedgerEntry, StampedAhead, Warehouse, parquet
from millrace.warehouse.parquet import ParquetLimits

_READ_TWICE = ("unreadable", "checksum")  # a faulty disk or memory can cause them for a good file


class Job(Protocol):
    """The dbt build, started from outside."""

    def start(self, run_id: str | None) -> None:
        """Request a build; several requests may result in one."""


@dataclass(frozen=True, slots=True)
class Loader:
    """The dependencies of the load function. `quarantine` is another bucket, which only people empty."""

    lake: Lake
    quarantine: Lake
    warehouse: Warehouse
    job: Job
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


def answer(loader: Loader, event: ObjectFinalized) -> None:
    """Handle the event of a new object. Safe to repeat; the event may be acknowledged when this returns."""
    version = event.version
    if version.bucket != loader.lake.bucket:
        raise NotAnEvent(f"an event of bucket {version.bucket!r}; this function serves {loader.lake.bucket!r}")
    key, refused = _parsed(version.name)
    with log.step("load", getattr(key, "run_id", None), object=version.name):
        try:
            if refused is not None:
                _refuse(loader, event, refused)
            elif key is not None:
                _dispatch(loader, event, key)
        except (OSError, MemoryError, RuntimeError) as error:
            if not is_of_the_machine(error):
                raise
            raise unreadable(error, version.name) from error


def _parsed(name: str) -> tuple[names.ObjectKey | None, BadObject | None]:
    try:
        return names.parse(name), None
    except BadObject as error:
        return None, error


def _refuse(loader: Loader, event: ObjectFinalized, error: BadObject) -> None:
    """Quarantine an object with an invalid name; an object that is gone is logged, and not noted in the ledger."""
    if loader.warehouse.find(event.version) is not None:
        return
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "object")
        try:
            _require_size(loader.lake, event, ParquetLimits().file_bytes)
            loader.lake.download(event.version, path)
        except ObjectMissing as missing:
            _say_gone(event.version, missing)
        except BadObject as too_large:
            _quarantine(loader, event, None, too_large, None)
        else:
            _quarantine(loader, event, None, error, path)


def _dispatch(loader: Loader, event: ObjectFinalized, key: names.ObjectKey) -> None:
    match key:
        case RawPart(run_id=run_id):
            entry = _load(loader, event, key)
            if not _finish_run(loader, run_id, entry.load_seq if entry else 0):
                _ask_for_build(loader, entry)
        case DroppedFile():
            _ask_for_build(loader, _load(loader, event, key))
        case TaskKey(run_id=run_id):
            _finish_run(loader, run_id)
        case FinalKey(run_id=run_id):
            final = runs.read_final(loader.lake, run_id)
            if final is not None and final.status == "complete":
                runs.advance_cursors(loader.lake, loader.warehouse, run_id, loader.clock)
                through = min(final.load_seq, loader.warehouse.extent().load_seq)  # the warehouse may be new
                build_requests.request(loader.lake, through, run_id)
                loader.job.start(run_id)


def _finish_run(loader: Loader, run_id: str, load_seq: int = 0) -> bool:
    """End the run if it is complete; return whether its end requests, or requested, a build through `load_seq`.

    A run without a plan never ends: a plan is written before anything else. If a lake is copied and the plan arrives
    last, the sweep ends the run. A part that no record names belongs to a second attempt at its task, and can be
    loaded after the end.
    """
    try:
        if not runs.finish_if_complete(loader.lake, loader.warehouse, run_id):
            return True
    except runs.PlanMissing as error:
        log.warning("object of no run", run_id=run_id, error=str(error))
        return False
    except Damaged as error:  # the status names it, and the sweep ends the run
        log.warning("run cannot be ended", run_id=run_id, error=str(error))
        return False
    final = runs.read_final(loader.lake, run_id) if load_seq else None
    return final is None or final.load_seq >= load_seq


def _ask_for_build(loader: Loader, entry: LedgerEntry | None) -> None:
    """Request a build for a load that changed rows and that no run will request a build for."""
    if entry is not None and entry.rows_inserted + entry.rows_updated > 0:
        build_requests.request(loader.lake, entry.load_seq, None)
        loader.job.start(None)


def _load(loader: Loader, event: ObjectFinalized, key: RawPart | DroppedFile) -> LedgerEntry | None:
    """Load an object unless the ledger has it; None when that version is gone (a newer one has its own event)."""
    version = event.version
    entry = loader.warehouse.find(version)
    if entry is not None:
        log.info("loaded before", object=version.name, generation=version.generation)
        return entry
    if isinstance(key, DroppedFile):
        entry = small_files.load_neighbours(loader.lake, loader.warehouse, version, key, loader.clock())
        if entry is not None:
            return entry
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "object")
        try:
            try:
                entry = _read_and_load(loader, event, key, path)
            except BadObject as error:
                if error.reason not in _READ_TWICE:
                    raise
                log.info("reading again", object=version.name, reason=error.reason, error=str(error))
                entry = _read_and_load(loader, event, key, path)
        except ObjectMissing as error:
            _say_gone(version, error)
            return None
        except BadObject as error:
            return _quarantine(loader, event, key, error, path if path.exists() else None)
    log.info(
        "loaded",
        object=version.name,
        generation=version.generation,
        inserted=entry.rows_inserted,
        updated=entry.rows_updated,
        unchanged=entry.rows_unchanged,
        superseded=entry.rows_superseded,
        load_seq=entry.load_seq,
    )
    return entry


def _read_and_load(loader: Loader, event: ObjectFinalized, key: RawPart | DroppedFile, path: Path) -> LedgerEntry:
    """Copy the object to `path` and load it; ObjectMissing, or BadObject, without a copy if it is too large."""
    version, now = event.version, loader.clock()
    is_text = isinstance(key, DroppedFile) and key.kind != "parquet"
    _require_size(loader.lake, event, DropCaps().file_bytes if is_text else ParquetLimits().file_bytes)
    stored = loader.lake.download(version, path)
    if event.crc32c is not None and stored.crc32c != event.crc32c:
        raise BadObject("checksum", f"{version.name}: crc32c is {stored.crc32c}, the event says {event.crc32c}")
    arrived_at = _quarantined_at(loader, version.name) or now
    is_own = isinstance(key, RawPart) and _is_recorded(loader.lake, key, stored)
    return loader.warehouse.load(batch_of(stored, key, path, arrived_at, now + MOST_AHEAD, is_own=is_own))


def _quarantined_at(loader: Loader, name: str) -> datetime | None:
    """Return when the object was quarantined that this file is a retry of; None for any other file."""
    if (entry_id := names.retried_id(name)) is None:
        return None
    rows = loader.warehouse.entries(is_quarantined=True)
    times = (row.loaded_at for row in rows if names.quarantine_name(row.version) == f"quarantine/{entry_id}")
    return next(times, datetime(1970, 1, 1, tzinfo=UTC))  # the ledger has lost it: then the rows win over nothing


def _is_recorded(lake: Lake, key: RawPart, stored: StoredObject) -> bool:
    """Return whether the record of the part's task names these bytes; a part can be here before its record."""
    try:
        record = runs.read_record(lake, key.run_id, key.task_id)
    except Damaged:
        return False
    content = (stored.version.name, stored.size_bytes, stored.crc32c)
    parts = record.parts if record else ()
    return stored.crc32c is not None and content in [(part.name, part.size_bytes, part.crc32c) for part in parts]


def _require_size(lake: Lake, event: ObjectFinalized, most: int) -> None:
    """Raise BadObject for an object that is too large to copy; ObjectMissing when it is gone."""
    version, size_bytes = event.version, event.size_bytes
    if size_bytes is None:
        stored = next((each for each in lake.list(version.name) if each.version == version), None)
        if stored is None:
            raise ObjectMissing(f"no object {version.name!r:.200} at generation {version.generation}")
        size_bytes = stored.size_bytes
    if size_bytes > most:
        where = f"it was not copied, and lies where it was: {version.name} in {version.bucket}"
        raise BadObject("too_large", f"the file has {size_bytes:,} bytes; at most {most:,} are accepted; {where}")


def _say_gone(version: ObjectVersion, error: ObjectMissing) -> None:
    log.warning("object is gone", object=version.name, generation=version.generation, error=str(error))


def batch_of(
    stored: StoredObject,
    key: RawPart | DroppedFile,
    path: Path,
    now: datetime,
    latest: datetime | None = None,
    *,
    is_own: bool = False,
) -> Batch:
    """Check an object whose bytes are in `path`, and return the batch to load.

    `now` is for rows without an extraction time; a time after `latest` is refused by the load. `is_own`: these are the
    bytes that a task wrote. Lines become a file of our own here.
    """
    table, run_id, owner = TABLES[key.table], None, None
    if isinstance(key, RawPart):
        run_id = key.run_id
    else:
        owner, is_own = key.owner, key.kind != "parquet"
        path = dropped_files.to_parquet(path, table, key.kind, path.with_suffix(".parquet"), DropCaps())
    file = parquet.inspect(path, ParquetLimits(), is_own=is_own)
    return Batch(
        stored.version, table, path, file.extracted_at or now, run_id, latest, owner, stored.crc32c, file.columns
    )


def _quarantine(
    loader: Loader,
    event: ObjectFinalized,
    key: RawPart | DroppedFile | None,
    error: BadObject,
    path: Path | None,
) -> LedgerEntry:
    """Copy the object to quarantine (no `path`: too large) with its reason, then note it in the ledger."""
    version = event.version
    reason: dict[str, str | int] = {
        "bucket": version.bucket,
        "name": version.name.encode("utf-8", "replace").decode(),
        "generation": version.generation,
        "reason": error.reason,
        "message": str(error),
    }
    if isinstance(error, StampedAhead):
        reason["stamped_at"] = error.stamp.isoformat()
    rows = parquet.rows_of(path, ParquetLimits()) if path else None
    crc32c = checksum(path) if path else event.crc32c
    name = names.quarantine_name(version)
    if path is not None:
        with contextlib.suppress(ObjectExists):  # the same version, and complete
            loader.quarantine.write(name, path, if_generation=0)
    with contextlib.suppress(ObjectExists):  # a crashed attempt wrote it in other words
        create_once(loader.quarantine, f"{name}.json", json.dumps(reason, indent=1, sort_keys=True).encode())
    log.error(
        "quarantined",
        object=version.name,
        generation=version.generation,
        reason=error.reason,
        error=str(error),
    )
    run_id = key.run_id if isinstance(key, RawPart) else None
    return loader.warehouse.quarantine(version, key.table if key else None, run_id, rows, error.reason, crc32c)
