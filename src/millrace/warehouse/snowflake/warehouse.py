"""The warehouse on Snowflake. Terraform creates all that it needs besides its raw tables (see objects.py).

One transaction at a time changes anything: each begins by taking the write lock (see statements.py). Snowflake enforces
no unique key and reads what is committed, so without the lock two deliveries of one object would both find it missing
in the ledger. The slow steps (reading the file, copying it over) run before.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from millrace.errors import TransientError
from millrace.lake import ObjectVersion
from millrace.tables import MOST_AHEAD, Table
from millrace.warehouse import (
    Batch,
    BuildRow,
    DbtTarget,
    Extent,
    LedgerEntry,
    Node,
    SmallObject,
    canonical,
    current,
    refuse_ahead,
)
from millrace.warehouse.canonical import Content
from millrace.warehouse.parquet import ParquetLimits
from millrace.warehouse.snowflake import abandoned, builds, ledger, publishing, staging
from millrace.warehouse.snowflake.merge import SNOWFLAKE, Merge
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.statements import Statements

_PUBLICATION_S = 3600  # the time limit of the build job and of its user (terraform/modules/snowflake/users.tf)


class SnowflakeWarehouse(Statements):
    """A Warehouse (see the protocol) on Snowflake, and the log and publisher of its builds. One session, one lock.

    `lake` is the bucket of the external stage. Only its parts, whose names are written once, are copied from there;
    any other file is uploaded as it was checked. Methods raise ConfigError when the session is refused or an object of
    Terraform is missing, and TransientError for all that a retry may solve (see errors.py).
    """

    def __init__(
        self,
        address: Address,
        lake: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        caps: ParquetLimits = ParquetLimits(),  # noqa: B008 - frozen
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(address, sleep, monotonic)
        self._lake = lake
        self._clock = clock
        self._caps = caps
        self._tables = staging.RawTables(self.execute, caps.columns)

    def ensure_tables(self) -> None:
        """Create every missing raw table and column of the registry, and the view over one: dbt needs them."""
        with self._lock:
            self._tables.ensure()

    @contextmanager
    def released_for_dbt(self) -> Iterator[DbtTarget]:
        """Yield a target that signs in as this one does. The raw tables exist already, owned by the loader."""
        yield DbtTarget("prod", self._address.for_dbt())

    def load(self, batch: Batch) -> LedgerEntry:
        """Merge the batch into its raw table and note it in the ledger, once; BadObject when it cannot be loaded."""
        with self._holding(), self._tagged(batch.run_id), tempfile.TemporaryDirectory(prefix="millrace-") as folder:
            path = Path(folder, "object.parquet")
            is_checked = batch.columns is not None
            content = canonical.read(
                batch.path, batch.table, self._caps, path, owner=batch.owner, is_checked=is_checked
            )
            refuse_ahead(batch, _newest(content, batch))
            with self._tables.forgotten_after_error():
                merge = self._tables.prepare(batch.table, content, self._session)
                staging.create(self.execute, merge)
                with self._of_a_file():
                    if staging.is_of_the_lake(batch, content, self._lake):
                        staging.copy(self.execute, merge, batch, content)
                    else:
                        checked = batch.path if content.is_canonical else path
                        staging.upload(self.execute, merge, checked, Path(folder))
                    staging.deduplicate(self.execute, merge, batch.extracted_at, batch.run_id)
                return self._merge(merge, batch, content)

    def quarantine(
        self,
        version: ObjectVersion,
        table_name: str | None,
        run_id: str | None,
        rows: int | None,
        reason: str,
        crc32c: str | None = None,
    ) -> LedgerEntry:
        """Note that an object was quarantined, once."""
        with self._transaction():
            known = self.find(version)
            if known is not None:
                return known
            load_seq = ledger.next_load_seq(self.execute)
            entry = LedgerEntry.of_quarantined(version, table_name, run_id, rows, reason, load_seq, self._clock())
            entry = replace(entry, crc32c=crc32c)
            ledger.note(self.execute, [entry])
            return entry

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        """Return the entry of one object; None while it is not in the ledger."""
        return ledger.find(self.execute, version)

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        """Return the ledger entries of one run, in the order of `load_seq`."""
        return ledger.loads_of(self.execute, run_id)

    def find_all(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
        """Return the entries of many objects; those that are not in the ledger are left out."""
        return ledger.find_all(self.execute, versions)

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        """Return the whole ledger, or only quarantined objects and their retries, in the order of `load_seq`."""
        return ledger.entries(self.execute, is_quarantined)

    def extent(self) -> Extent:
        """Return the extent of the ledger."""
        return ledger.extent(self.execute)

    def adopt(self, copies: Mapping[ObjectVersion, LedgerEntry]) -> None:
        """Note that these versions are objects that the ledger has under another version."""
        with self._transaction():
            load_seq, now = ledger.next_load_seq(self.execute), self._clock()
            ledger.note(self.execute, [entry.again(version, load_seq, now) for version, entry in copies.items()])

    def count(self, table: Table) -> int:
        """Return the number of rows of a raw table."""
        self.execute(SNOWFLAKE.create(table))
        return int(self.execute(f"SELECT COUNT(*) FROM {SNOWFLAKE.raw(table)}")[0][0])  # noqa: S608

    def load_bundle(self, table: Table, objects: Sequence[SmallObject], now: datetime) -> list[LedgerEntry]:
        """Merge small objects of one table together, each with its own ledger entry; BadObject when one is bad."""
        with self._holding(), self._tagged(None), tempfile.TemporaryDirectory(prefix="millrace-") as folder:
            known = self.find_all([each.version for each in objects])
            new = [each for each in objects if each.version not in known]
            if not new:
                return list(known.values())
            path = Path(folder, "bundle.parquet")
            staging.together(new, path)
            content = canonical.read(path, table, self._caps, path, is_checked=True)
            with self._tables.forgotten_after_error():
                merge = self._tables.prepare(table, content, self._session, is_bundle=True)
                staging.create(self.execute, merge)
                with self._of_a_file():
                    staging.upload(self.execute, merge, path, path.parent)
                    staging.deduplicate(self.execute, merge, now, None)
                return [*known.values(), *self._merge_bundle(merge, table, new, now)]

    def keys_of(self, table: Table) -> Iterator[tuple[object, ...]]:
        """Yield the key of every row of a raw table."""
        self.execute(SNOWFLAKE.create(table))
        yield from self.stream(SNOWFLAKE.all_keys(table))

    def newest_load_seq(self) -> int:
        """Return the load sequence of the newest load; the write lock ensures that every earlier one is committed."""
        return int(self.execute("SELECT COALESCE(MAX(LOAD_SEQ), 0) FROM META.LOADS")[0][0])

    def start_build(
        self, token: int, holder: str, requested_load_seq: int | None, project_hash: str | None = None
    ) -> BuildRow:
        """Note that a build starts; Fenced when one with a larger token has started.

        Then abort the transactions of its predecessors, which hold the locks of this build: those that were open before
        it was noted. A dead builder left them, or one that lives and has lost the lease. A successor's begin later.
        """
        builds.require_columns(self.execute)
        left_open = list(abandoned.running(self.execute))
        with self._build_transaction(token):
            build = builds.start(self.execute, token, holder, requested_load_seq, self._clock(), project_hash)
        abandoned.abort(self.execute, left_open)
        return build

    def end_build(self, build: BuildRow, is_good: bool, seconds: float | None, nodes: tuple[Node, ...]) -> BuildRow:
        """Note how a build ended; Fenced when one with a larger token has started."""
        ended = replace(build, finished_at=self._clock(), result="good" if is_good else "failed")
        ended = replace(ended, seconds=seconds, nodes=nodes)
        with self._build_transaction(build.token):
            builds.end(self.execute, ended)
        return ended

    def abandon_build(self, build: BuildRow) -> None:
        """Note that a build was stopped by its user; Fenced when one with a larger token has started."""
        with self._build_transaction(build.token):
            builds.end(self.execute, replace(build, finished_at=self._clock(), result="abandoned"))

    def last_builds(self, limit: int = 1) -> list[BuildRow]:
        """Return the last builds, the newest first."""
        return builds.last(self.execute, limit)

    def reset_watermarks(self) -> None:
        """Make the next build a full refresh of every incremental mart, and the next publication a copy of all."""
        with self._transaction():
            self.execute("DELETE FROM META.MART_WATERMARKS")

    def reset_tested(self) -> None:
        """Make the next build test all rows."""
        builds.reset_tested(self.execute)

    def published(self) -> BuildRow | None:
        """Return the build that readers see; None when there is none yet."""
        return builds.published(self.execute)

    def publish(self, build: BuildRow) -> None:
        """Publish the marts in one transaction; Fenced when a build with a larger token has started."""
        with self._taking(_PUBLICATION_S):
            publishing.shape(self.execute, build.token)
            with self._build_transaction(build.token):
                publishing.publish(self.execute, build)

    @contextmanager
    def _build_transaction(self, token: int) -> Iterator[None]:
        with self._transaction(lambda: builds.refuse_older(self.execute, token)):
            yield

    def _merge(self, merge: Merge, batch: Batch, content: Content) -> LedgerEntry:
        with self._transaction():
            known = self.find(batch.version)
            if known is not None:
                return known
            batch = current(batch, self._clock)
            with self._of_a_file():
                load_seq, row_actions = staging.apply(self.execute, merge, batch.latest)
            what = (batch.version, batch.table, batch.run_id, _newest(content, batch))
            entry = LedgerEntry.of_loaded(*what, content.rows, row_actions[0], load_seq, self._clock())
            entry = replace(entry, crc32c=batch.crc32c)
            ledger.note(self.execute, [entry])
            return entry

    def _merge_bundle(
        self, merge: Merge, table: Table, objects: Sequence[SmallObject], now: datetime
    ) -> list[LedgerEntry]:
        newest = staging.newest_of_objects(self.execute, merge)
        with self._transaction():
            if self.find_all([each.version for each in objects]):
                raise TransientError("another load has loaded some of these objects meanwhile")
            latest = max(now, self._clock()) + MOST_AHEAD
            with self._of_a_file():
                load_seq, row_actions = staging.apply(self.execute, merge, latest)
            entries = []
            for number, each in enumerate(objects):
                extracted_at, rows = newest.get(number, now), len(each.rows)
                what = (each.version, table, None, extracted_at, rows)
                entries.append(
                    replace(LedgerEntry.of_loaded(*what, row_actions[number], load_seq, now), crc32c=each.crc32c)
                )
            ledger.note(self.execute, entries)
            return entries


def _newest(content: Content, batch: Batch) -> datetime:
    """Return when the newest row of a file was extracted; without such a row, when the file was."""
    newest = content.extracted_at_us
    if newest is None:
        return batch.extracted_at
    return datetime.fromtimestamp(newest // 1_000_000, UTC).replace(microsecond=newest % 1_000_000)
