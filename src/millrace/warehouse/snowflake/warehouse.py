"""The warehouse on Snowflake. Terraform creates all that it needs besides its raw tables (see objects.py).

One transaction at a time changes anything. Each begins by taking the write lock, an update of the one row of
META.TURN; a second transaction waits for the first to commit. Snowflake enforces no unique key and reads what is
committed, so without the lock two deliveries of one object would both find it missing in the ledger. The slow steps
(reading the file, copying it over) run before.
"""

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from snowflake import connector
from snowflake.connector.errors import Error, ProgrammingError

from millrace.errors import ConfigError, TransientError, first_line
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
from millrace.warehouse.snowflake import builds, ledger, staging as snowflake_staging
from millrace.warehouse.snowflake.merge import SNOWFLAKE, Merge
from millrace.warehouse.snowflake.session import LOCK_TIMEOUT_S, Address, connect
from millrace.warehouse.snowflake.staging import staging

_TURN = "UPDATE META.TURN SET TAKEN_AT = SYSDATE()"
_CONFLICT = 625  # the write lock is held for longer than LOCK_TIMEOUT; the emulator reports it at once
_MISSING = 2003  # an object does not exist, or may not be used
_IDLE_S = 240.0  # Snowflake ends a session that is idle for five minutes (terraform/modules/snowflake/users.tf)
_ENDED = range(390000, 391000)  # of the session or its token, whatever class the error has


class SnowflakeWarehouse:
    """A Warehouse (see the protocol) on Snowflake, and the log and publisher of its builds. One session, one lock.

    `lake` is the bucket of the external stage. Only its parts, whose names are written once, are copied from there;
    any other file is uploaded as it was checked. Methods raise ConfigError when the session is refused or an object of
    Terraform is missing, and TransientError for all that a retry may solve.
    """

    def __init__(
        self,
        address: Address,
        lake: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        caps: ParquetLimits = ParquetLimits(),  # noqa: B008 - frozen
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address
        self._lake = lake
        self._clock = clock
        self._caps = caps
        self._sleep = sleep
        self._lock = threading.RLock()
        self._connection: connector.SnowflakeConnection | None = None
        self._used_at = 0.0
        self._holders = 0
        self._has_tables = False
        self._session = ""
        self._tag = "millrace"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; the next use opens another one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(Error, OSError):
                    connection.close()

    def ensure_tables(self) -> None:
        """Create every raw table of the registry that is missing: dbt needs them, empty or not."""
        with self._lock:
            snowflake_staging.ensure_tables(self.execute)
            self._has_tables = True

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
            merge = self._prepare(batch.table, content.columns)
            with staging(self.execute, merge):
                if snowflake_staging.is_of_the_lake(batch, content, self._lake):
                    snowflake_staging.copy(self.execute, merge, batch, content)
                else:
                    checked = batch.path if content.is_canonical else path
                    snowflake_staging.upload(self.execute, merge, checked, Path(folder))
                snowflake_staging.deduplicate(self.execute, merge, batch.extracted_at, batch.run_id)
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
            snowflake_staging.together(new, path)
            content = canonical.read(path, table, self._caps, path, is_checked=True)
            merge = self._prepare(table, content.columns, is_bundle=True)
            with staging(self.execute, merge):
                snowflake_staging.upload(self.execute, merge, path, path.parent)
                snowflake_staging.deduplicate(self.execute, merge, now, None)
                return [*known.values(), *self._merge_bundle(merge, table, new, now)]

    def keys_of(self, table: Table) -> Iterator[tuple[object, ...]]:
        """Yield the key of every row of a raw table."""
        self.execute(SNOWFLAKE.create(table))
        yield from self.execute(SNOWFLAKE.all_keys(table))

    def newest_load_seq(self) -> int:
        """Return the load sequence of the newest load; the write lock ensures that every earlier one is committed."""
        return int(self.execute("SELECT COALESCE(MAX(LOAD_SEQ), 0) FROM META.LOADS")[0][0])

    def start_build(self, token: int, holder: str, requested_load_seq: int | None) -> BuildRow:
        """Note that a build starts; Fenced when one with a larger token has started."""
        with self._transaction():
            return builds.start(self.execute, token, holder, requested_load_seq, self._clock())

    def end_build(self, build: BuildRow, is_good: bool, seconds: float | None, nodes: tuple[Node, ...]) -> BuildRow:
        """Note how a build ended; Fenced when one with a larger token has started."""
        ended = replace(build, finished_at=self._clock(), result="good" if is_good else "failed")
        ended = replace(ended, seconds=seconds, nodes=nodes)
        with self._transaction():
            builds.end(self.execute, ended)
        return ended

    def last_builds(self, limit: int = 1) -> list[BuildRow]:
        """Return the last builds, the newest first."""
        return builds.last(self.execute, limit)

    def reset_watermarks(self) -> None:
        """Make the next build a full refresh of every incremental mart."""
        self.execute("DELETE FROM META.MART_WATERMARKS")

    def reset_tested(self) -> None:
        """Make the next build test all rows."""
        builds.reset_tested(self.execute)

    def published(self) -> BuildRow | None:
        """Return the build that readers see; None when there is none yet."""
        return builds.published(self.execute)

    def publish(self, build: BuildRow) -> None:
        """Copy the marts for their readers in one transaction; Fenced when a build with a larger token has started."""
        with self._holding():
            builds.refuse_older(self.execute, build.token)
            builds.shape(self.execute)
            with self._transaction():
                builds.publish(self.execute, build)

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; instants are in UTC, without a zone."""
        with self._lock:
            connection = self._connect()
            bound = [
                value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value for value in values
            ]
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement, bound or None, _statement_params={"QUERY_TAG": self._tag})
                    return list(cursor.fetchall())
            except Error as error:
                raise self._to_error(error) from error
            finally:
                self._used_at = time.monotonic()

    def _to_error(self, error: Error) -> Exception:
        if error.errno == _MISSING:
            return ConfigError(f"{first_line(error)}: was it made, and is it granted? docs/snowflake.md")
        if not isinstance(error, ProgrammingError) or error.errno in _ENDED:  # not the statement's
            self.close()
        return TransientError(f"Snowflake: {first_line(error)}")

    @contextmanager
    def _holding(self) -> Iterator[None]:
        """Keep to one session until the block ends: a transaction and temporary tables end with their session."""
        with self._lock:
            self._connect()
            self._holders += 1
            try:
                yield
            finally:
                self._holders -= 1

    def _connect(self) -> connector.SnowflakeConnection:
        """Return the session; a new one when it may have ended, unless work was begun in it."""
        if not self._holders and self._connection is not None and time.monotonic() - self._used_at > _IDLE_S:
            self.close()
        if self._connection is None:
            if self._holders:
                raise TransientError("Snowflake: the session ended, and what was begun in it with it")
            self._connection = connect(self._address)
            self._session = secrets.token_hex(6).upper()
        return self._connection

    @contextmanager
    def _tagged(self, run_id: str | None) -> Iterator[None]:
        """Tag the statements with their run in the query history."""
        before, self._tag = self._tag, f"millrace {run_id}" if run_id else self._tag
        try:
            yield
        finally:
            self._tag = before

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._holding():
            self._take_turn()
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _take_turn(self) -> None:
        """Begin a transaction and wait for the write lock; nothing was done before, so a retry does no harm."""
        waited_s = 0.0
        while True:
            self.execute("BEGIN")
            try:
                if self.execute(_TURN)[0][0] == 1:
                    return
            except TransientError as error:
                self._roll_back()
                if getattr(error.__cause__, "errno", None) != _CONFLICT or waited_s > LOCK_TIMEOUT_S:
                    raise
                self._sleep(0.05)
                waited_s += 0.05
            except BaseException:
                self._roll_back()
                raise
            else:
                self._roll_back()
                raise ConfigError("META.TURN has not its one row: terraform apply makes it, see docs/snowflake.md")

    def _roll_back(self) -> None:
        """Roll back the transaction; if that fails, end the session, which rolls back too."""
        try:
            self.execute("ROLLBACK")
        except (TransientError, ConfigError):
            self.close()

    def _prepare(self, table: Table, file_columns: dict[str, str], is_bundle: bool = False) -> Merge:
        if not self._has_tables:  # the first load of a process creates the tables of a new release, for dbt
            self.ensure_tables()
        return snowflake_staging.prepare(
            self.execute, table, file_columns, self._caps.columns, self._session, is_bundle
        )

    def _merge(self, merge: Merge, batch: Batch, content: Content) -> LedgerEntry:
        with self._transaction():
            known = self.find(batch.version)
            if known is not None:
                return known
            batch = current(batch, self._clock)
            load_seq, row_actions = snowflake_staging.apply(self.execute, merge, batch.latest)
            what = (batch.version, batch.table, batch.run_id, _newest(content, batch))
            entry = LedgerEntry.of_loaded(*what, content.rows, row_actions[0], load_seq, self._clock())
            entry = replace(entry, crc32c=batch.crc32c)
            ledger.note(self.execute, [entry])
            return entry

    def _merge_bundle(
        self, merge: Merge, table: Table, objects: Sequence[SmallObject], now: datetime
    ) -> list[LedgerEntry]:
        newest = snowflake_staging.newest_of_objects(self.execute, merge)
        with self._transaction():
            if self.find_all([each.version for each in objects]):
                raise TransientError("another load has loaded some of these objects meanwhile")
            latest = max(now, self._clock()) + MOST_AHEAD
            load_seq, row_actions = snowflake_staging.apply(self.execute, merge, latest)
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
