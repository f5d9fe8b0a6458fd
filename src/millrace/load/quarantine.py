"""The quarantine: list what could not be loaded, load it after a fix, or discard it with a reason.

    quarantine/<id>                    the bytes as they arrived; never changed, never deleted
    quarantine/<id>.json               their origin, and why they were quarantined
    quarantine/<id>.discarded.json     why they were discarded

A retry copies the bytes to `drop/`, once, under a name with their id. That object is loaded like any other, and its
ledger row ends the entry. Nothing else is written, so a retry may be killed between any two steps.
"""

import contextlib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

from millrace import log
from millrace.bus.events import ObjectFinalized
from millrace.errors import BadObject, ConfigError, TransientError
from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, create_once, names
from millrace.load import handler
from millrace.load.handler import Loader
from millrace.terminal import printable
from millrace.warehouse import Ledger, LedgerEntry, parquet, retries
from millrace.warehouse.parquet import ParquetLimits

State = Literal["open", "loaded", "discarded", "retry"]

_FOLDER = "quarantine/"
_ID = re.compile(names.QUARANTINE_ID)
_NAME = re.compile(rf"{_FOLDER}({_ID.pattern})(\.json|\.discarded\.json)?")
_SAMPLE_CHARACTERS = 2000
_SAMPLE_CAPS = ParquetLimits(row_groups=1000, footer_bytes=4 << 20, vector_bytes=8 << 20, cpu_s=10)
_WHY_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One quarantined version. `version` is None while its reason cannot be read; `id` is its name in quarantine.

    `reason`, `message` and `quarantined_at` are those of the first attempt, `attempts` counts the failed ones.
    `stamped_at` is set where a row has a stamp in the future: from then on it can be loaded. An entry in the state
    `retry` is a failed attempt of another entry, which counts it.
    """

    id: str
    state: State
    version: ObjectVersion | None
    table: str | None
    run_id: str | None
    reason: str
    message: str
    size_bytes: int | None
    rows: int | None
    quarantined_at: str | None
    attempts: int
    stamped_at: str | None = None

    @property
    def came_from(self) -> str:
        """The origin of the bytes, on one line that a terminal can show."""
        if self.version is None:
            return "unknown"
        return printable(f"{self.version.bucket}/{self.version.name}#{self.version.generation}")

    def to_json(self) -> dict[str, Any]:
        """Return the entry as fields of a JSON object, in which `quarantined_at` has its former name."""
        return {"set_aside_at" if name == "quarantined_at" else name: value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with what a person needs to judge it; `sample` is printable, whatever the bytes are."""

    entry: Entry
    failed_since: tuple[str, ...]
    sample: str


@dataclass(frozen=True, slots=True)
class Retried:
    """The result of a retry: `load` is the ledger row, None when it failed again for `reason`."""

    entry: Entry
    load: LedgerEntry | None
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Discarded:
    """The result of a discard; `why` is the first reason given. The bytes are kept."""

    why: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Held:
    """An entry with its files, by the ends of their names, its retries in the ledger, and the one that loaded it."""

    entry: Entry
    files: dict[str, StoredObject]
    tried: Sequence[LedgerEntry]
    load: LedgerEntry | None


def entries(bucket: Lake, ledger: Ledger, state: State | None = "open") -> list[Entry]:
    """Return the entries in that state (None: in any), oldest first."""
    chosen = [held.entry for held in _held(bucket, ledger, _files(bucket)) if state in (None, held.entry.state)]
    return sorted(chosen, key=lambda entry: (entry.quarantined_at or "", entry.id))


def show(desk: Loader, entry_id: str) -> Shown:
    """Return an entry with a sample of its content; ConfigError when there is no such entry."""
    held = _find(desk, entry_id)
    failures = [row for row in held.tried if row.quarantine_reason is not None]
    failed = tuple(f"{row.quarantine_reason}: {message(desk.quarantine, row)}" for row in failures)
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder, contextlib.suppress(KeyError, ObjectMissing):
        desk.quarantine.download(held.files[""].version, Path(folder, "object"))
        return Shown(held.entry, failed, _sample(Path(folder, "object")))
    return Shown(held.entry, failed, "nothing was kept: the object was too large, or gone")


def retry(desk: Loader, entry_id: str) -> Retried:
    """Copy the kept bytes to `drop/` and load them in this process, once; safe to repeat, also after a crash.

    Rows without an extraction time count as extracted when they were quarantined, so they do not win over newer rows.
    Raises ConfigError when there is no such entry, when it was discarded, or when nothing was kept.
    """
    held = _find(desk, entry_id)
    try:
        version = held.load.version if held.load else _drop(desk, held).version
    except BadObject as error:
        return Retried(held.entry, None, error.reason, _one_line(str(error)))
    if version.bucket == desk.lake.bucket:  # also if it is loaded: the request of a build can be lost in a crash
        handler.answer(desk, ObjectFinalized(version, None))
    load = desk.warehouse.find(version)
    if load is None:
        raise ConfigError(f"{entry_id}: expected {version.name} in the lake, got none: retry again")
    if load.quarantine_reason is not None:
        return Retried(held.entry, None, load.quarantine_reason, message(desk.quarantine, load))
    return Retried(replace(held.entry, state="loaded"), load)


def retry_due(desk: Loader, since: datetime | None = None) -> list[StoredObject]:
    """Copy to `drop/` what was quarantined for a stamp in the future that has passed since; return these objects.

    `since` excludes stamps that had passed by then: they were tried already. The ledger is queried for the rest only.
    """
    dropped, due, now = [], {}, desk.clock()
    for entry_id, files in _files(desk.quarantine).items():
        stamp = _read(desk.quarantine, f"{_FOLDER}{entry_id}").get("stamped_at")
        if _has_come(stamp, now) and not (since is not None and _has_come(stamp, since)):
            due[entry_id] = files
    for held in _held(desk.quarantine, desk.warehouse, due):
        try:
            if held.entry.state == "open" and held.entry.stamped_at is not None:
                dropped.append(_drop(desk, held))
        except (BadObject, ConfigError) as error:
            log.warning("not retried", id=held.entry.id, error=str(error))
    return dropped


def discard(desk: Loader, entry_id: str, why: str) -> Discarded:
    """Discard an entry: it no longer counts as open, and its bytes stay where they are. The first `why` stays.

    Raises ConfigError when there is no such entry, when it is loaded, or when `why` is empty or too long.
    """
    held = _find(desk, entry_id)
    if held.entry.state == "loaded":
        raise ConfigError(f"{entry_id} is loaded: there is nothing to discard")
    with contextlib.suppress(BadObject):
        if held.entry.version and any(desk.lake.list(name := _drop_name(held, held.entry.version))):
            raise ConfigError(f"{entry_id} is being retried: {name} waits to be loaded; retry it, or remove that file")
    if not why.strip() or len(why) > _WHY_CHARACTERS:
        raise ConfigError(f"expected a reason of 1 to {_WHY_CHARACTERS} characters, got {len(why)}: say why")
    name = f"{_FOLDER}{entry_id}.discarded.json"
    note = {"why": _one_line(why.strip()), "at": desk.clock().isoformat()}
    try:
        desk.quarantine.write(name, json.dumps(note, indent=1, sort_keys=True).encode() + b"\n", if_generation=0)
    except ObjectExists:
        first = _read(desk.quarantine, name.removesuffix(".json")).get("why")
        return Discarded(str(first), is_new=False)
    log.info("discarded", id=entry_id, reason=held.entry.reason)
    return Discarded(note["why"], is_new=True)


def message(bucket: Lake, load: LedgerEntry) -> str:
    """Return why an object was quarantined, on one line; the reason in its ledger row if no message was kept."""
    note = _read(bucket, names.quarantine_name(load.version))
    return _one_line(str(note.get("message", load.quarantine_reason)))


def _has_come(stamp: object, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(stamp)) <= now
    except (ValueError, TypeError):  # none, or not written by the loader
        return False


def _files(bucket: Lake, only: str = "") -> dict[str, dict[str, StoredObject]]:
    """Return the files of every entry (of one, if named), by the ends of their names."""
    files: dict[str, dict[str, StoredObject]] = {}
    for stored in bucket.list(f"{_FOLDER}{only}"):
        if match := _NAME.fullmatch(stored.version.name):
            files.setdefault(match[1], {})[match[2] or ""] = stored
    return files


def _held(bucket: Lake, ledger: Ledger, files: dict[str, dict[str, StoredObject]]) -> list[_Held]:
    tried = retries.by_id(ledger.entries(is_quarantined=True)) if files else {}
    return [_entry(bucket, ledger, entry_id, own, tried.get(entry_id, [])) for entry_id, own in files.items()]


def _find(desk: Loader, entry_id: str) -> _Held:
    files = _files(desk.quarantine, entry_id).get(entry_id) if _ID.fullmatch(entry_id) else None
    if files is None:
        raise ConfigError(f"{printable(entry_id)[:80]!r} is not in quarantine; the ids are those of the list")
    (held,) = _held(desk.quarantine, desk.warehouse, {entry_id: files})
    if held.entry.state == "retry" and held.entry.version:
        first = names.retried_id(held.entry.version.name)
        raise ConfigError(f"{entry_id} is a failed retry: expected the id of its entry, {first}")
    return held


def _entry(
    bucket: Lake, ledger: Ledger, entry_id: str, files: dict[str, StoredObject], tried: Sequence[LedgerEntry]
) -> _Held:
    note = _read(bucket, f"{_FOLDER}{entry_id}")
    version = _version(note, entry_id)
    noted = ledger.find(version) if version else None
    failures = [row.quarantine_reason for row in tried if row.quarantine_reason is not None]
    waits = "stamped_at" in note and all(reason == note.get("reason") for reason in failures)
    # The event of the version itself can be delivered again after a fix.
    load = noted if noted and noted.quarantine_reason is None else retries.loaded(noted, tried)
    first = names.retried_id(version.name) if version else None
    is_retry = first is not None and any(bucket.list(f"{_FOLDER}{first}"))
    entry = Entry(
        id=entry_id,
        state="retry" if is_retry else "loaded" if load else "discarded" if ".discarded.json" in files else "open",
        version=version,
        table=noted.table_name if noted else None,
        run_id=noted.run_id if noted else None,
        reason=_one_line(str(note.get("reason", "unknown"))),
        message=_one_line(str(note.get("message", "its reason was not written yet, or cannot be read"))),
        size_bytes=files[""].size_bytes if "" in files else None,
        rows=noted.rows_quarantined if noted else None,
        quarantined_at=noted.loaded_at.isoformat() if noted else None,
        attempts=1 + len(failures),
        stamped_at=str(note["stamped_at"]) if waits else None,
    )
    return _Held(entry, files, tried, load)


def _drop(desk: Loader, held: _Held) -> StoredObject:
    """Copy the kept bytes to `drop/` under the first name that the ledger lacks; return the object that has it already.

    Raises BadObject when these bytes cannot be loaded, ConfigError when a person has to do something else.
    """
    entry = held.entry
    if "" not in held.files:
        raise ConfigError(f"{entry.id}: nothing was kept of {entry.came_from}: {entry.message}")
    if entry.state == "discarded":
        raise ConfigError(f"{entry.id} was discarded; drop the file again if it is to be loaded after all")
    if entry.version is None:
        raise ConfigError(f"{entry.id}: its origin is not known: {entry.message}; wait for the event of the object")
    if entry.reason == "checksum":
        raise BadObject("checksum", "expected the bytes that were written, got others: extract or drop them again")
    name = _drop_name(held, entry.version)
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "object")
        try:
            desk.quarantine.download(held.files[""].version, path)
            dropped = create_once(desk.lake, name, path)
        except (ObjectMissing, ObjectExists) as error:  # the kept bytes are gone, or another file has that name
            raise ConfigError(f"{entry.id}: its bytes cannot be copied to {name}: {error}") from error
    log.info("copied from quarantine; the event of the copy loads it", id=entry.id, object=name)
    return dropped


def _drop_name(held: _Held, version: ObjectVersion) -> str:
    known = {row.version.name for row in held.tried}
    return next(name for number in count(1) if (name := names.retry_name(version, number)) not in known)


def _version(note: dict[str, object], entry_id: str) -> ObjectVersion | None:
    """Return the version that a reason names, if this id is that of the version."""
    bucket, name, generation = (note.get(field) for field in ("bucket", "name", "generation"))
    if not isinstance(bucket, str) or not isinstance(name, str) or not isinstance(generation, int):
        return None
    version = ObjectVersion(bucket, name, generation)
    return version if names.quarantine_name(version) == f"{_FOLDER}{entry_id}" else None


def _read(bucket: Lake, name: str) -> dict[str, object]:
    try:
        value = json.loads(bucket.read(f"{name}.json")[0])
    except (ObjectMissing, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _sample(path: Path) -> str:
    """Return the first rows of a Parquet file that is small enough to open, else the first bytes as text."""
    with path.open("rb") as file:
        head = file.read(2 * _SAMPLE_CHARACTERS)
    text = head.decode(errors="backslashreplace")
    if head.startswith(b"PAR1"):
        with contextlib.suppress(BadObject, TransientError):
            text = "\n".join(parquet.sample(path, _SAMPLE_CAPS))
    lines = (text or "the object is empty").split("\n")
    return "\n".join(map(printable, lines))[:_SAMPLE_CHARACTERS]


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))[:500]
