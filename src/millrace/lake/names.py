"""The names of objects and their meaning, parsed from untrusted text and written back.

    raw/<table>/dt=<YYYY-MM-DD>/run=<run_id>/<task_id>-<nnnnn>.parquet     RawPart
    drop/<table>/<any name>.(parquet|ndjson|csv)                           DroppedFile
    drop/<table>/[<owner>/]retry-<id>[-<n>].(parquet|ndjson|csv)           DroppedFile: the n-th retry from quarantine
    runs/<run_id>/plan.json                                                PlanKey
    runs/<run_id>/tasks/<task_id>.json                                     TaskKey
    runs/<run_id>/failures/<task_id>.json                                  FailureKey
    runs/<run_id>/progress/<task_id>.json                                  ProgressKey
    runs/<run_id>/final.json                                               FinalKey
    state/[<account>/]<endpoint>.json                                      CursorKey
    state/compared.json                                                    ComparedKey
    state/[<account>/]rate.json                                            RateKey
    build/lease.json                                                       LeaseKey
    build/requested.json                                                   RequestedKey
    build/artifacts/<number>-<token>/(run_results|manifest).json           ArtifactKey

`str(key)` is the name and `parse` its inverse. `<table>` is a table of the registry, in `raw/` one that is extracted. A
task of a repository has the name of its endpoint, two underscores and the repository's id. `<run_id>` is the time of
the run; after a hyphen follows the account of the source, unless it has none.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Literal

from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.tables import ENDPOINTS, EXTRACTED, TABLES

ACCOUNT = r"[a-z0-9][a-z0-9-]{0,38}"
RUN_ID = rf"[0-9]{{8}}T[0-9]{{6}}Z(?:-{ACCOUNT})?"
TASK_ID = r"[a-z][a-z0-9_]{0,62}"
QUARANTINE_ID = r"[0-9a-f]{16}-[0-9]{1,19}"
MAX_NAME_BYTES = 1024  # Cloud Storage's own limit

Kind = Literal["parquet", "ndjson", "csv"]
KINDS: dict[str, Kind] = {".parquet": "parquet", ".ndjson": "ndjson", ".csv": "csv"}


def _folder(account: str) -> str:
    return f"{account}/" if account else ""


@dataclass(frozen=True, slots=True)
class RawPart:
    """One part that a task extracted."""

    table: str
    day: date
    run_id: str
    task_id: str
    number: int

    def __str__(self) -> str:
        return f"raw/{self.table}/dt={self.day.isoformat()}/run={self.run_id}/{self.task_id}-{self.number:05}.parquet"


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A file put under `drop/` to be loaded."""

    table: str
    path: str
    kind: Kind

    @property
    def owner(self) -> tuple[str, str] | None:
        """Return the owner column and its required value in every row; None unless the file is in an owner's folder."""
        column, (folder, in_folder, _) = TABLES[self.table].owner, self.path.partition("/")
        return (column, folder) if column and in_folder else None

    def __str__(self) -> str:
        return f"drop/{self.table}/{self.path}"


@dataclass(frozen=True, slots=True)
class PlanKey:
    """The plan of a run."""

    run_id: str

    def __str__(self) -> str:
        return f"runs/{self.run_id}/plan.json"


@dataclass(frozen=True, slots=True)
class TaskKey:
    """The record of one task of a run."""

    run_id: str
    task_id: str

    def __str__(self) -> str:
        return f"runs/{self.run_id}/tasks/{self.task_id}.json"


@dataclass(frozen=True, slots=True)
class FailureKey:
    """The reason why the last attempt of a task failed."""

    run_id: str
    task_id: str

    def __str__(self) -> str:
        return f"runs/{self.run_id}/failures/{self.task_id}.json"


@dataclass(frozen=True, slots=True)
class ProgressKey:
    """How far a task of a run has read."""

    run_id: str
    task_id: str

    def __str__(self) -> str:
        return f"runs/{self.run_id}/progress/{self.task_id}.json"


@dataclass(frozen=True, slots=True)
class FinalKey:
    """The final object of a run: how it ended."""

    run_id: str

    def __str__(self) -> str:
        return f"runs/{self.run_id}/final.json"


@dataclass(frozen=True, slots=True)
class CursorKey:
    """The cursor of an endpoint: how far the finished runs of an account have read it."""

    endpoint: str
    account: str = ""

    def __str__(self) -> str:
        return f"state/{_folder(self.account)}{self.endpoint}.json"


@dataclass(frozen=True, slots=True)
class ComparedKey:
    """The result of the last comparison of lake and ledger."""

    def __str__(self) -> str:
        return "state/compared.json"


@dataclass(frozen=True, slots=True)
class RateKey:
    """The budget of requests that all tasks of an account share."""

    account: str = ""

    def __str__(self) -> str:
        return f"state/{_folder(self.account)}rate.json"


@dataclass(frozen=True, slots=True)
class LeaseKey:
    """The lease for building: its holder and its end."""

    def __str__(self) -> str:
        return "build/lease.json"


@dataclass(frozen=True, slots=True)
class RequestedKey:
    """The requested build: through which change."""

    def __str__(self) -> str:
        return "build/requested.json"


@dataclass(frozen=True, slots=True)
class ArtifactKey:
    """An artifact of dbt from a build: `what` is one of ARTIFACTS."""

    number: int
    token: int
    what: str

    def __str__(self) -> str:
        return f"build/artifacts/{self.number}-{self.token}/{self.what}.json"


ARTIFACTS = ("run_results", "manifest")
ObjectKey = (
    RawPart
    | DroppedFile
    | PlanKey
    | TaskKey
    | FailureKey
    | ProgressKey
    | FinalKey
    | CursorKey
    | ComparedKey
    | RateKey
    | LeaseKey
    | RequestedKey
    | ArtifactKey
)

_OF_TASK: dict[str, type[TaskKey | FailureKey | ProgressKey]] = {
    "tasks": TaskKey,
    "failures": FailureKey,
    "progress": ProgressKey,
}
_RAW = re.compile(rf"raw/([a-z0-9_]+)/dt=(\d{{4}}-\d\d-\d\d)/run=({RUN_ID})/({TASK_ID})-(\d{{5}})\.parquet", re.ASCII)
_RUN = re.compile(rf"runs/({RUN_ID})/(?:(plan|final)|(tasks|failures|progress)/({TASK_ID}))\.json", re.ASCII)
_STATE = re.compile(rf"state/(?:({ACCOUNT})/)?([a-z0-9_]+)\.json", re.ASCII)
_FIXED: dict[str, ObjectKey] = {str(key): key for key in (ComparedKey(), RateKey(), LeaseKey(), RequestedKey())}
_ARTIFACT = re.compile(rf"build/artifacts/([1-9]\d*)-([1-9]\d*)/({'|'.join(ARTIFACTS)})\.json", re.ASCII)
_DROP = re.compile(r"drop/([^/]*)/(.*)", re.DOTALL)
# In older ledgers, a retry has the name of the kept copy, which was loaded itself.
_RETRY = re.compile(rf"(?:drop/.*/retry-|quarantine/)({QUARANTINE_ID})(?:-[0-9]{{1,9}})?(?:\.\w+)?", re.DOTALL)


def started_at(run_id: str) -> datetime:
    """Return the scheduled start of a run from its id; ValueError when the id does not begin with a time."""
    return datetime.fromisoformat(run_id.partition("-")[0]).astimezone(UTC)


def account_of(run_id: str) -> str:
    """Return the account that a run reads; "" for a run of the source that has none."""
    return run_id.partition("-")[2]


def parse(name: str) -> ObjectKey:
    """Return the key of an object's name.

    Raises BadObject (`unknown_table`, `object_name`) for a name that is none of the forms above.
    """
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise BadObject("object_name", f"object name of more than {MAX_NAME_BYTES} bytes")
    if match := _RAW.fullmatch(name):
        table, day, run_id, task_id, number = match.groups()
        known = _known(table, name, EXTRACTED)
        return RawPart(known, _day(day, name), _moment(run_id, name), task_id, int(number))
    if match := _RUN.fullmatch(name):
        run_id, which, folder, task_id = match.groups()
        _moment(run_id, name)
        if task_id:
            return _OF_TASK[folder](run_id, task_id)
        return PlanKey(run_id) if which == "plan" else FinalKey(run_id)
    if name in _FIXED:
        return _FIXED[name]
    if match := _STATE.fullmatch(name):
        account, which = match.groups(default="")
        return RateKey(account) if which == "rate" else CursorKey(_known(which, name, ENDPOINTS), account)
    if match := _ARTIFACT.fullmatch(name):
        return ArtifactKey(int(match[1]), int(match[2]), match[3])
    if match := _DROP.fullmatch(name):
        return _dropped(match[1], match[2], name)
    raise BadObject(
        "object_name",
        f"{name!r} is none of raw/<table>/…, drop/<table>/…, runs/<run_id>/…, state/<endpoint>.json, build/…",
    )


def quarantine_name(version: ObjectVersion) -> str:
    """Return a version's name in quarantine (its reason: plus `.json`), a hash that no crafted name can influence."""
    digest = hashlib.sha256(version.name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"quarantine/{digest[:16]}-{version.generation}"


def retry_name(version: ObjectVersion, number: int) -> str:
    """Return the name under which the n-th retry of a quarantined version is dropped; BadObject if it has no rows."""
    key = parse(version.name)
    if not isinstance(key, RawPart | DroppedFile):
        raise BadObject("object_name", f"{version.name!r} is not the name of an object with rows")
    owner = key.owner if isinstance(key, DroppedFile) else None
    folder, kind = f"{owner[1]}/" if owner else "", key.kind if isinstance(key, DroppedFile) else "parquet"
    file = quarantine_name(version).replace("quarantine/", "retry-") + (f"-{number}" if number > 1 else "")
    return str(parse(f"drop/{key.table}/{folder}{file}.{kind}"))


def retried_id(name: str) -> str | None:
    """Return the quarantine id of the object that a file with this name is a retry of; None for any other file."""
    match = _RETRY.fullmatch(name)
    return match[1] if match else None


def _dropped(table: str, path: str, name: str) -> DroppedFile:
    if not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/")):
        raise BadObject("object_name", f"{name!r}: a dropped file needs a plain name")
    kind = KINDS.get(PurePosixPath(path).suffix.lower())
    if kind is None:
        raise BadObject("object_name", f"{name!r}: the name must end in {', '.join(KINDS)}")
    return DroppedFile(_known(table, name, TABLES), path, kind)


def _moment(run_id: str, name: str) -> str:
    try:
        started_at(run_id)
    except ValueError:
        raise BadObject("object_name", f"{name!r}: {run_id} is no moment") from None
    return run_id


def _known(table: str, name: str, tables: Collection[str]) -> str:
    if table not in tables:
        raise BadObject("unknown_table", f"{name!r}: no table {table!r}; there are {', '.join(tables)}")
    return table


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadObject("object_name", f"{name!r}: {text} is no day") from None
