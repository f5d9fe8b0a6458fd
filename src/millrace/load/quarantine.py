"""The quarantine desk: list what the load quarantined, load it after a fix, or discard it with a reason.

    quarantine/<id>                    the bytes as they arrived; never changed, never deleted
    quarantine/<id>.json               their origin, and why they were quarantined
    quarantine/<id>.retry-<n>.json     why a later attempt failed as well
    quarantine/<id>.discarded.json     why they were discarded

A retry loads the kept copy, an object with a version of its own. The ledger row of that version commits together with
its rows, so a copy is never loaded without its ledger row, nor noted in the ledger without its rows.
"""

import contextlib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from millrace import log
from millrace.errors import BadObject, ConfigError, TransientError
from millrace.lake import Lake, ObjectExists, ObjectMissing, ObjectVersion, StoredObject, names
from millrace.lake.names import DroppedFile, RawPart
from millrace.load import handler
from millrace.load.handler import Loader
from millrace.runs import build_requests
from millrace.tables import MOST_AHEAD
from millrace.terminal import printable
from millrace.warehouse import Ledger, LedgerEntry, parquet
from millrace.warehouse.parquet import ParquetLimits

State = Literal["open", "loaded", "discarded"]

_FOLDER = "quarantine/"
_ID = re.compile(r"[0-9a-f]{16}-[0-9]{1,19}")
_NAME = re.compile(rf"{_FOLDER}({_ID.pattern})(\.json|\.retry-[0-9]{{1,9}}\.json|\.discarded\.json)?")
_SAMPLE_CHARACTERS = 2000
_SAMPLE_CAPS = ParquetLimits(row_groups=1000, footer_bytes=4 << 20, vector_bytes=8 << 20, cpu_s=10)
_WHY_CHARACTERS = 1000


class Desk(Protocol):
    """The places that entries are read from; a `Loader` is one."""

    @property
    def quarantine(self) -> Lake:
        """The bucket of objects that could not be loaded."""

    @property
    def warehouse(self) -> Ledger:
        """The ledger, which contains what was loaded since."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One quarantined version. `version` is None while its reason cannot be read; `id` is its name at the desk.

    `reason`, `message` and `set_aside_at` are those of the first attempt, `attempts` counts the failed ones.
    `stamped_at` is set where a row has a stamp in the future: from then on it can be loaded.
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
    set_aside_at: str | None
    attempts: int
    stamped_at: str | None = None

    @property
    def came_from(self) -> str:
        """The origin of the bytes, on one line that a terminal can show."""
        if self.version is None:
            return "unknown"
        return printable(f"{self.version.bucket}/{self.version.name}#{self.version.generation}")


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry with what a person needs to judge it; `sample` is printable, whatever the bytes are."""

    entry: Entry
    failed_since: tuple[str, ...]
    sample: str


@dataclass(frozen=True, slots=True)
class Retried:
    """The result of a retry: `load` is the ledger row of the kept copy, None when it failed again for `reason`."""

    entry: Entry
    load: LedgerEntry | None
    reason: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """The result of a discard; `why` is the first reason given. The bytes are kept."""

    entry: Entry
    why: str
    is_new: bool


def entries(desk: Desk, state: State | None = "open") -> list[Entry]:
    """Return the entries in that state (None: in any), oldest first."""
    found = [_entry(desk, entry_id, files) for entry_id, files in _held(desk).items()]
    chosen = [entry for entry in found if state in (None, entry.state)]
    return sorted(chosen, key=lambda entry: (entry.set_aside_at or "", entry.id))


def show(desk: Desk, entry_id: str) -> Shown:
    """Return an entry with a sample of its content; ConfigError when there is no such entry."""
    entry, files = _find(desk, entry_id)
    told = [_read(desk, stored) for suffix, stored in sorted(files.items()) if suffix.startswith(".retry-")]
    failed = tuple(_one_line(f"{each.get('reason')}: {each.get('message')}") for each in told)
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path = Path(folder, "object")
        try:
            desk.quarantine.download(_copy(entry, files).version, path)
        except (ObjectMissing, ConfigError):
            return Shown(entry, failed, "nothing was kept: the object was too large, or gone")
        return Shown(entry, failed, _sample(path))


def retry(desk: Loader, entry_id: str) -> Retried:
    """Load the kept bytes as the original object, once; safe to repeat, also after a crash.

    Rows without an extraction time count as extracted when they were quarantined, so they do not win over newer rows.
    Raises ConfigError when there is no such entry, when it was discarded, or when nothing was kept.
    """
    entry, files = _find(desk, entry_id)
    if entry.state == "discarded":
        raise ConfigError(f"{entry_id} was discarded; drop the file again if it is to be loaded after all")
    copy = _copy(entry, files).version
    load = _loaded(desk, entry, copy)
    try:
        load = load or _load(desk, entry, copy)
    except BadObject as error:
        _note_failure(desk, entry, error)
        return Retried(entry, None, error.reason, _one_line(str(error)))
    except ObjectMissing as error:
        raise ConfigError(f"{entry_id}: the bytes that were kept are gone: {error}") from error
    if load.rows_inserted + load.rows_updated > 0:
        build_requests.request(desk.lake, load.load_seq, None)
        desk.job.start(None)
    log.info("loaded from quarantine", id=entry_id, table=load.table_name, rows=load.rows_read, load_seq=load.load_seq)
    changed = f"{load.rows_inserted:,} inserted, {load.rows_updated:,} updated"
    return Retried(replace(entry, state="loaded"), load, None, f"{load.rows_read:,} rows loaded: {changed}")


def retry_due(desk: Loader, since: datetime | None = None) -> list[Retried]:
    """Load what was quarantined for a stamp in the future that has passed since; what cannot be loaded stays.

    `since` excludes stamps that had passed by then: they were tried already. The ledger is queried for the rest only.
    """
    retried, now = [], desk.clock()
    for entry_id, files in _held(desk).items():
        stamp = _stamped_at(desk, files)
        if stamp is None or not _has_come(stamp, now) or (since is not None and _has_come(stamp, since)):
            continue
        try:
            if _entry(desk, entry_id, files).state == "open":
                retried.append(retry(desk, entry_id))
        except ConfigError as error:
            log.warning("not loaded from quarantine", id=entry_id, error=str(error))
    return retried


def discard(desk: Loader, entry_id: str, why: str) -> Discarded:
    """Discard an entry: it no longer counts as open, and its bytes stay where they are. The first `why` stays.

    Raises ConfigError when there is no such entry, when it is loaded, or when `why` is empty or too long.
    """
    entry, _ = _find(desk, entry_id)
    if entry.state == "loaded":
        raise ConfigError(f"{entry_id} is loaded: there is nothing to discard")
    if not why.strip() or len(why) > _WHY_CHARACTERS:
        raise ConfigError(f"say why, in at most {_WHY_CHARACTERS} characters: whoever misses these rows will ask")
    name = f"{_FOLDER}{entry_id}.discarded.json"
    note = {"why": _one_line(why.strip()), "at": desk.clock().isoformat()}
    try:
        desk.quarantine.write(name, _to_json(note), if_generation=0)
    except ObjectExists:
        first = _parsed(desk.quarantine.read(name)[0])
        return Discarded(replace(entry, state="discarded"), str(first.get("why")), is_new=False)
    log.info("discarded", id=entry_id, reason=entry.reason)
    return Discarded(replace(entry, state="discarded"), str(note["why"]), is_new=True)


def settled(ledger: Ledger) -> Ledger:
    """Return the ledger for the sums of a run: a part that was loaded from quarantine counts as loaded, once."""
    return _Settled(ledger)


class _Settled:
    """A ledger in which the entry of a kept copy replaces that of the quarantined version."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        loads = self._ledger.loads_of(run_id)
        copies = {entry.version.name: entry for entry in loads if entry.version.name.startswith(_FOLDER)}
        return [self._settled(entry, copies) for entry in loads if entry.version.name not in copies]

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        entry = self._ledger.find(version)
        if entry is None or entry.quarantine_reason is None or entry.run_id is None:
            return entry
        return next(each for each in self.loads_of(entry.run_id) if each.version == version)

    def find_all(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
        return {version: entry for version in versions if (entry := self.find(version)) is not None}

    def _settled(self, entry: LedgerEntry, copies: dict[str, LedgerEntry]) -> LedgerEntry:
        copy = copies.get(handler.quarantine_name(entry.version)) if entry.quarantine_reason is not None else None
        return replace(copy, version=entry.version) if copy else entry


def _held(desk: Desk) -> dict[str, dict[str, StoredObject]]:
    """Return the files of each entry, by the ends of their names."""
    held: dict[str, dict[str, StoredObject]] = {}
    for stored in desk.quarantine.list(_FOLDER):
        if match := _NAME.fullmatch(stored.version.name):
            held.setdefault(match[1], {})[match[2] or ""] = stored
    return held


def _has_come(stamp: str, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(stamp) <= now
    except (ValueError, TypeError):  # not written by the loader
        return False


def _find(desk: Desk, entry_id: str) -> tuple[Entry, dict[str, StoredObject]]:
    files: dict[str, StoredObject] = {}
    if _ID.fullmatch(entry_id):
        for stored in desk.quarantine.list(f"{_FOLDER}{entry_id}"):
            if (match := _NAME.fullmatch(stored.version.name)) and match[1] == entry_id:
                files[match[2] or ""] = stored
    if not files:
        raise ConfigError(f"{printable(entry_id)[:80]!r} is not in quarantine; the ids are those of the list")
    return _entry(desk, entry_id, files), files


def _entry(desk: Desk, entry_id: str, files: dict[str, StoredObject]) -> Entry:
    told = _read(desk, files[".json"]) if ".json" in files else {}
    version = _version(told, entry_id)
    noted = desk.warehouse.find(version) if version else None
    copy = files.get("")
    entry = Entry(
        id=entry_id,
        state="open",
        version=version,
        table=noted.table_name if noted else None,
        run_id=noted.run_id if noted else None,
        reason=_one_line(str(told.get("reason", "unknown"))),
        message=_one_line(str(told.get("message", "its reason was not written yet, or cannot be read"))),
        size_bytes=copy.size_bytes if copy else None,
        rows=noted.rows_quarantined if noted else None,
        set_aside_at=noted.loaded_at.isoformat() if noted else None,
        attempts=1 + sum(suffix.startswith(".retry-") for suffix in files),
        stamped_at=_stamped_at(desk, files, told),
    )
    if _loaded(desk, entry, copy.version if copy else None) is not None:
        return replace(entry, state="loaded")
    return replace(entry, state="discarded") if ".discarded.json" in files else entry


def _stamped_at(desk: Desk, files: dict[str, StoredObject], told: dict[str, object] | None = None) -> str | None:
    """Return the time from which an entry can be loaded; None when it failed for another reason since."""
    if told is None:
        told = _read(desk, files[".json"]) if ".json" in files else {}
    if "stamped_at" not in told:
        return None
    failures = [_read(desk, stored) for suffix, stored in files.items() if suffix.startswith(".retry-")]
    is_other = any(failure.get("reason") != told.get("reason") for failure in failures)
    return None if is_other else str(told["stamped_at"])


def _loaded(desk: Desk, entry: Entry, copy: ObjectVersion | None) -> LedgerEntry | None:
    """Return the load of the kept copy, or of the version itself: its event may be delivered again after a fix."""
    for version in (copy, entry.version):
        found = desk.warehouse.find(version) if version else None
        if found is not None and found.quarantine_reason is None:
            return found
    return None


def _load(desk: Loader, entry: Entry, copy: ObjectVersion) -> LedgerEntry:
    if entry.version is None:
        raise ConfigError(f"{entry.id}: {entry.message}, so it is not known what it was; its event comes again")
    if entry.reason == "checksum":
        raise BadObject("checksum", "the bytes that came are not those that were written: extract or drop them again")
    key = names.parse(entry.version.name)
    if not isinstance(key, RawPart | DroppedFile):
        raise BadObject("object_name", f"{entry.came_from} is not the name of an object with rows")
    noted = desk.warehouse.find(entry.version)
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        path, now = Path(folder, "object"), desk.clock()
        stored = desk.quarantine.download(copy, path)
        set_aside_at = noted.loaded_at if noted else now
        return desk.warehouse.load(handler.batch_of(stored, key, path, set_aside_at, now + MOST_AHEAD))


def _note_failure(desk: Loader, entry: Entry, error: BadObject) -> None:
    note = {"reason": error.reason, "message": str(error), "at": desk.clock().isoformat()}
    number = entry.attempts
    while True:
        with contextlib.suppress(ObjectExists):  # another retry was faster
            desk.quarantine.write(f"{_FOLDER}{entry.id}.retry-{number}.json", _to_json(note), if_generation=0)
            log.warning("failed again", id=entry.id, reason=error.reason, error=str(error))
            return
        number += 1


def _copy(entry: Entry, files: dict[str, StoredObject]) -> StoredObject:
    if "" not in files:
        raise ConfigError(f"{entry.id}: nothing was kept of {entry.came_from}: {entry.message}")
    return files[""]


def _version(told: dict[str, object], entry_id: str) -> ObjectVersion | None:
    """Return the version that a reason names, if this id is that of the version."""
    bucket, name, generation = (told.get(field) for field in ("bucket", "name", "generation"))
    if not isinstance(bucket, str) or not isinstance(name, str) or not isinstance(generation, int):
        return None
    version = ObjectVersion(bucket, name, generation)
    return version if handler.quarantine_name(version) == f"{_FOLDER}{entry_id}" else None


def _read(desk: Desk, stored: StoredObject) -> dict[str, object]:
    try:
        return _parsed(desk.quarantine.read(stored.version.name)[0])
    except ObjectMissing:
        return {}


def _parsed(content: bytes) -> dict[str, object]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
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


def _to_json(fields: dict[str, str]) -> bytes:
    return json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"
