"""The warehouse: raw tables, the ledger of every object that was loaded into them, and the log of the builds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, Self

import pyarrow as pa

from millrace.errors import BadObject, MillraceError, TransientError
from millrace.lake import ObjectVersion
from millrace.tables import MOST_AHEAD, Table


@dataclass(frozen=True, slots=True)
class Batch:
    """One object of the lake as a Parquet file on this machine, with its metadata.

    `extracted_at` is the default for rows without an `_extracted_at`; `run_id` is None for a dropped file. A stamp
    after `latest` cannot be true: a file that has one is refused, and a stored row that has one loses to every row
    that has none. `owner` is a column and the value that every row must have in it. None: not checked. `crc32c` is the
    object's, if known. `columns` are the names of its columns if it was checked already. None: the load checks it.
    """

    version: ObjectVersion
    table: Table
    path: Path
    extracted_at: datetime
    run_id: str | None
    latest: datetime | None = None
    owner: tuple[str, str] | None = None
    crc32c: str | None = None
    columns: tuple[str, ...] | None = None


class StampedAhead(BadObject):
    """An object has a stamp in the future; it can be loaded once `stamp` has passed."""

    def __init__(self, stamp: datetime, latest: datetime) -> None:
        super().__init__(
            "stamped_ahead",
            f"expected rows extracted by {latest.isoformat()}, got one of {stamp.isoformat()}; "
            "the file is loaded automatically after that time",
        )
        self.stamp = stamp


def current(batch: Batch, clock: Callable[[], datetime]) -> Batch:
    """Return the batch with `latest` brought up to date; call it inside the transaction.

    A loader can be suspended after it read its clock and before the merge. Rows that others stored meanwhile would
    count as stamped in the future, and lose.
    """
    return batch if batch.latest is None else replace(batch, latest=max(batch.latest, clock() + MOST_AHEAD))


def refuse_ahead(batch: Batch, newest: datetime) -> None:
    """Raise StampedAhead when the newest row, or the object itself, was extracted after `latest`."""
    stamp = max(newest, batch.extracted_at)
    if batch.latest is not None and stamp > batch.latest:
        raise StampedAhead(stamp, batch.latest)


QUARANTINED = "quarantine_reason IS NOT NULL OR name LIKE 'drop/%/retry-%' OR name LIKE 'quarantine/%'"
"""The ledger rows of quarantined objects and of their retries, as a condition for every engine."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The result of loading one object: a row of `meta.loads`.

    `rows_read = rows_inserted + rows_updated + rows_unchanged + rows_superseded + rows_quarantined`, always. For a
    quarantined object `quarantine_reason` is set; its `rows_read` is None when its rows could not be counted. A copied
    lake has other generations: its objects are recognised by name and `crc32c`. Entries from before version 0.3 have
    no `crc32c`.
    """

    version: ObjectVersion
    table_name: str | None
    run_id: str | None
    extracted_at: datetime | None
    rows_read: int | None
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_superseded: int
    rows_quarantined: int | None
    quarantine_reason: str | None
    load_seq: int
    loaded_at: datetime
    crc32c: str | None = None

    @classmethod
    def of_loaded(
        cls,
        version: ObjectVersion,
        table: Table,
        run_id: str | None,
        extracted_at: datetime,
        rows: int,
        row_actions: Mapping[str, int],
        load_seq: int,
        loaded_at: datetime,
    ) -> Self:
        """Return the entry of an object by its rows per row action: inserted, updated, unchanged, confirmed.

        A confirmed row is an unchanged one whose stamp advanced. All other rows were superseded.
        """
        inserted, updated = row_actions.get("inserted", 0), row_actions.get("updated", 0)
        unchanged = row_actions.get("unchanged", 0) + row_actions.get("confirmed", 0)
        return cls(
            version=version,
            table_name=table.name,
            run_id=run_id,
            extracted_at=extracted_at,
            rows_read=rows,
            rows_inserted=inserted,
            rows_updated=updated,
            rows_unchanged=unchanged,
            rows_superseded=rows - inserted - updated - unchanged,
            rows_quarantined=0,
            quarantine_reason=None,
            load_seq=load_seq,
            loaded_at=loaded_at,
        )

    @classmethod
    def of_quarantined(
        cls,
        version: ObjectVersion,
        table_name: str | None,
        run_id: str | None,
        rows: int | None,
        reason: str,
        load_seq: int,
        loaded_at: datetime,
    ) -> Self:
        """Return the entry of an object that went to quarantine, with all of its rows."""
        return cls(
            version=version,
            table_name=table_name,
            run_id=run_id,
            extracted_at=None,
            rows_read=rows,
            rows_inserted=0,
            rows_updated=0,
            rows_unchanged=0,
            rows_superseded=0,
            rows_quarantined=rows,
            quarantine_reason=reason,
            load_seq=load_seq,
            loaded_at=loaded_at,
        )

    def again(self, version: ObjectVersion, load_seq: int, loaded_at: datetime) -> Self:
        """Return the entry of the same object under another version: nothing was loaded for it."""
        unchanged = 0 if self.quarantine_reason else self.rows_read or 0
        noted = replace(self, rows_inserted=0, rows_updated=0, rows_unchanged=unchanged, rows_superseded=0)
        return replace(noted, version=version, load_seq=load_seq, loaded_at=loaded_at)


@dataclass(frozen=True, slots=True)
class SmallObject:
    """One object of the lake whose rows are in memory, in its table's schema."""

    version: ObjectVersion
    rows: pa.Table
    crc32c: str | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of a ledger: its newest load sequence, and its number of objects."""

    load_seq: int
    objects: int


class Miscounted(TransientError):
    """A statement changed another number of rows than expected; its transaction was rolled back."""


def require_done(table: Table, what: str, expected: int, done: int) -> None:
    """Raise Miscounted unless as many rows were changed as expected, so that no ledger row is wrong."""
    if done != expected:
        said = f"expected {expected:,} rows {what}, got {done:,}"
        raise Miscounted(f"raw.{table.name}: {said}; nothing was changed. Look for keys that it holds more than once")


class Ledger(Protocol):
    """The ledger of the lake's objects, read only."""

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        """Return the entry of one object; None while it is not in the ledger."""

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        """Return the ledger entries of one run, in the order of `load_seq`."""

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        """Return the whole ledger, or only quarantined objects and their retries, in the order of `load_seq`."""


class Warehouse(Ledger, Protocol):
    """The operations of a load. Each method is one transaction: all of it happens, or nothing."""

    def find_all(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
        """Return the entries of many objects; those that are not in the ledger are left out."""

    def extent(self) -> Extent:
        """Return the extent of the ledger."""

    def load(self, batch: Batch) -> LedgerEntry:
        """Merge the batch into `raw.<table>` and note it in the ledger, once.

        A version that is in the ledger already changes nothing and returns the first entry. Raises BadObject when the
        content cannot be loaded: then nothing was changed.
        """

    def quarantine(
        self,
        version: ObjectVersion,
        table_name: str | None,
        run_id: str | None,
        rows: int | None,
        reason: str,
        crc32c: str | None = None,
    ) -> LedgerEntry:
        """Note in the ledger that an object was quarantined; return the first entry of a version."""

    def adopt(self, copies: Mapping[ObjectVersion, LedgerEntry]) -> None:
        """Note that these versions are objects that the ledger has under another version: a lake was copied."""

    def count(self, table: Table) -> int:
        """Return the number of rows of a raw table."""

    def load_bundle(self, table: Table, objects: Sequence[SmallObject], now: datetime) -> list[LedgerEntry]:
        """Merge small objects of one table together, each with its own ledger entry, in one transaction.

        The table ends as if they had been loaded one by one at `now`; those in the ledger already change nothing.
        Raises BadObject when a row of any of them cannot be loaded: then nothing was changed.
        """

    def keys_of(self, table: Table) -> Iterator[tuple[object, ...]]:
        """Yield the key of every row of a raw table."""


GOOD_STATUSES = frozenset({"success", "pass", "warn", "skipped", "no-op"})
BuildResult = Literal["running", "good", "failed", "abandoned"]


@dataclass(frozen=True, slots=True)
class Node:
    """One seed, model or test of a build; `message` says why it is not good."""

    name: str
    kind: str
    status: str
    seconds: float
    message: str

    @property
    def is_good(self) -> bool:
        """Whether the node succeeded; skipped because of another node's failure counts as not good."""
        return self.status in GOOD_STATUSES and not (self.status == "skipped" and self.message)


@dataclass(frozen=True, slots=True)
class BuildRow:
    """One build: a row of `meta.builds`.

    Every change up to the load sequence `built_through` was in the raw tables before dbt started; `as_of` is the
    newest extraction of pull requests among them, of any source, `started_at` at most. The holder of an abandoned build
    died or was superseded. `nodes` are the models, and those tests that are not good. `project_hash` is that of the dbt
    project's files (None: not known, as in builds of earlier releases).
    """

    number: int
    token: int
    holder: str
    requested_load_seq: int | None
    built_through: int
    as_of: datetime | None
    started_at: datetime
    project_hash: str | None = None
    finished_at: datetime | None = None
    result: BuildResult = "running"
    seconds: float | None = None
    nodes: tuple[Node, ...] = ()


class Fenced(MillraceError):
    """A build with a larger token has started: this one must not change anything any more."""


class Poorer(MillraceError):
    """The published copy has objects that this warehouse lacks: it is not replaced."""


@dataclass(frozen=True, slots=True)
class DbtTarget:
    """Where dbt builds: the target of the profile, and the variables that the profile reads for it."""

    name: str
    settings: dict[str, str] = field(repr=False)


class BuildLog(Protocol):
    """The log of the builds in the warehouse. Only the holder of the newest token may write it. Methods are atomic."""

    def newest_load_seq(self) -> int:
        """Return the load sequence up to which *every* change is committed; 0 when nothing was loaded."""

    def start_build(
        self, token: int, holder: str, requested_load_seq: int | None, project_hash: str | None = None
    ) -> BuildRow:
        """Note that a build starts, through the newest load sequence; running ones of others become abandoned.

        Transactions that they left open are aborted. Raises Fenced when a build with a larger token has started.
        """

    def end_build(self, build: BuildRow, is_good: bool, seconds: float | None, nodes: tuple[Node, ...]) -> BuildRow:
        """Note how a build ended; Fenced when a build with a larger token has started.

        Of a good one it is noted too that each mart was tested, through the build's `built_through` at most.
        """

    def abandon_build(self, build: BuildRow) -> None:
        """Note that a build was stopped by its user; Fenced when a build with a larger token has started."""

    def last_builds(self, limit: int = 1) -> list[BuildRow]:
        """Return the last builds, the newest first."""

    def reset_watermarks(self) -> None:
        """Make the next build a full refresh of every incremental mart."""

    def reset_tested(self) -> None:
        """Make the next build test all rows; a test reads only what changed since the last good build."""


class Publisher(Protocol):
    """The published copy: the warehouse as it was after a good build."""

    def published(self) -> BuildRow | None:
        """Return the build that readers see; None when there is none yet, or it cannot be read."""

    def publish(self, build: BuildRow) -> None:
        """Publish the warehouse as it is, all of it or nothing.

        Raises Fenced when a build with a larger token has started, Poorer when the published copy has more objects.
        """
