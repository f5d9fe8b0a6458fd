"""The warehouse in one DuckDB file: on a laptop, it replaces Snowflake."""

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from millrace.errors import BadObject, TransientError, first_line, is_of_the_machine
from millrace.lake import ObjectVersion
from millrace.tables import TABLES, Table
from millrace.warehouse import (
    Batch,
    BuildRow,
    DbtTarget,
    Extent,
    LedgerEntry,
    Node,
    SmallObject,
    current,
    source_windows,
)
from millrace.warehouse.duckdb import (
    builds,
    ledger,
    opening,
    raw_tables,
    single_file,
    small_files,
)
from millrace.warehouse.duckdb.merge import DUCKDB
from millrace.warehouse.parquet import ParquetLimits

_OWN_LIMIT = re.compile(r"/[\d.]+ \w+ used\)")  # the limit that was set; without it, the machine is out of memory


class DuckDBWarehouse:
    """A Warehouse (see the protocol) in the DuckDB file `path`, which is opened at the first use.

    Several threads may use one; while it is open, no other process can open the file. Its methods raise ConfigError
    when the file cannot be opened, TransientError when disk or memory do not suffice. Once it was open, they wait for
    a process that took the file meanwhile, `patience_s` at most, then raise TransientError.
    """

    def __init__(
        self,
        path: Path,
        memory_limit: str = "200MB",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        caps: ParquetLimits = ParquetLimits(),  # noqa: B008 - frozen
        patience_s: float = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._patience_s, self._sleep = patience_s, sleep
        self._was_open = False
        self._memory_limit = memory_limit
        self._clock = clock
        self._caps = caps
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file for other processes; the next use opens it again."""
        with self._lock:
            self._disconnect()

    def ensure_tables(self) -> None:
        """Create every missing raw table and column of the registry, and the view over one: dbt needs them."""
        with self._transaction() as connection:
            for table in TABLES.values():
                for statement in DUCKDB.complete(table, raw_tables.columns(connection, table)):
                    connection.execute(statement)
            connection.execute(source_windows.CREATE)

    @contextmanager
    def released_for_dbt(self) -> Iterator[DbtTarget]:
        """Close the file, so that dbt can open it with its own settings; the raw tables exist."""
        self.ensure_tables()
        self.close()
        settings = {"MILLRACE_DUCKDB_PATH": str(self._path), "MILLRACE_DUCKDB_MEMORY": self._memory_limit}
        yield DbtTarget("local", settings)

    def load(self, batch: Batch) -> LedgerEntry:
        """Merge the batch into its raw table and note it in the ledger, once; BadObject when it cannot be loaded.

        An object that exceeds the memory is tried once more with nothing else in memory. If that meets the memory
        limit too, no retry will help: that is BadObject (`too_large`), and the object can be retried from quarantine
        with more memory. When the machine itself is out of memory, that is TransientError.
        """
        try:
            return self._load(batch)
        except TransientError as error:
            if not isinstance(error.__cause__, duckdb.OutOfMemoryException):
                raise
            self.close()
        try:
            return self._load(batch)
        except TransientError as error:
            is_limited = isinstance(error.__cause__, duckdb.OutOfMemoryException) and _OWN_LIMIT.search(str(error))
            if not is_limited:
                raise
            advice = "raise MILLRACE_MEMORY, then retry it from quarantine"
            raise BadObject("too_large", f"{self._memory_limit} of memory do not suffice for it: {advice}") from error

    def _load(self, batch: Batch) -> LedgerEntry:
        with self._transaction() as connection:
            known = ledger.find(connection, batch.version)
            if known is not None:
                return known
            batch = current(batch, self._clock)
            with _translate_errors(batch.path, self._path):
                load_seq = ledger.next_load_seq(connection)
                counts = single_file.merge(connection, batch, load_seq, self._caps)
            what = (batch.version, batch.table, batch.run_id, counts.extracted_at)
            entry = LedgerEntry.of_loaded(*what, counts.read, counts.row_actions, load_seq, self._clock())
            entry = replace(entry, crc32c=batch.crc32c)
            ledger.note(connection, entry)
            if batch.latest is not None:
                raw_tables.lower_future_stamps(connection, batch.table, batch.latest)
            return entry

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
        with self._transaction() as connection:
            known = ledger.find(connection, version)
            if known is not None:
                return known
            load_seq = ledger.next_load_seq(connection)
            entry = LedgerEntry.of_quarantined(version, table_name, run_id, rows, reason, load_seq, self._clock())
            entry = replace(entry, crc32c=crc32c)
            ledger.note(connection, entry)
            return entry

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        """Return the entry of one object; None while it is not in the ledger."""
        with self._transaction() as connection:
            return ledger.find(connection, version)

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        """Return the ledger entries of one run, in the order of `load_seq`."""
        with self._transaction() as connection:
            return ledger.loads_of(connection, run_id)

    def find_all(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
        """Return the entries of many objects; those that are not in the ledger are left out."""
        with self._transaction() as connection:
            return small_files.known(connection, versions)

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        """Return the whole ledger, or only quarantined objects and their retries, in the order of `load_seq`."""
        with self._transaction() as connection:
            return ledger.entries(connection, is_quarantined)

    def extent(self) -> Extent:
        """Return the extent of the ledger."""
        with self._transaction() as connection:
            return ledger.extent(connection)

    def adopt(self, copies: Mapping[ObjectVersion, LedgerEntry]) -> None:
        """Note that these versions are objects that the ledger has under another version."""
        with self._transaction() as connection:
            ledger.adopt(connection, copies, self._clock())

    def count(self, table: Table) -> int:
        """Return the number of rows of a raw table."""
        with self._transaction() as connection:
            connection.execute(DUCKDB.create(table))
            return int(connection.table(DUCKDB.raw(table)).count("*").fetchall()[0][0])

    def load_bundle(self, table: Table, objects: Sequence[SmallObject], now: datetime) -> list[LedgerEntry]:
        """Merge small objects of one table together, each with its own ledger entry; BadObject when one is bad."""
        with self._transaction() as connection, tempfile.TemporaryDirectory(prefix="millrace-") as folder:
            known = small_files.known(connection, [each.version for each in objects])
            new = [each for each in objects if each.version not in known]
            loaded = small_files.load(connection, table, new, max(now, self._clock()), Path(folder)) if new else []
            return [*known.values(), *loaded]

    def keys_of(self, table: Table) -> Iterator[tuple[object, ...]]:
        """Yield the key of every row of a raw table."""
        with self._transaction() as connection:
            connection.execute(DUCKDB.create(table))
            rows = connection.execute(DUCKDB.all_keys(table)).fetchall()
        yield from rows

    def run_scripts(self, scripts: Sequence[str]) -> None:
        """Run statements that dbt wrote in one transaction; TransientError, and nothing changed, when one fails.

        The statements touch few rows, and planning them takes longer than running them. The disabled optimizer, which
        makes intermediate results smaller, is a fifth of the planning.
        """
        with self._transaction() as connection:
            connection.execute("SET disabled_optimizers = 'compressed_materialization'")
            for script in scripts:
                connection.execute(script)
            connection.execute("RESET disabled_optimizers")

    def reset_watermarks(self) -> None:
        """Make the next build a full refresh of every incremental mart."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM meta.mart_watermarks")

    def reset_tested(self) -> None:
        """Make the next build test all rows."""
        with self._transaction() as connection:
            builds.reset_tested(connection)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one of our own queries."""
        with self._transaction() as connection:
            return connection.execute(sql).fetchall()

    def query_published(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one of our own queries over the published copy, also while another process builds."""
        return builds.query(self.published_path, sql)

    def newest_load_seq(self) -> int:
        """Return the load sequence of the newest load: one transaction at a time, so every earlier one is committed."""
        with self._transaction() as connection:
            return builds.newest_load_seq(connection)

    def start_build(
        self, token: int, holder: str, requested_load_seq: int | None, project_hash: str | None = None
    ) -> BuildRow:
        """Note that a build starts; Fenced when one with a larger token has started."""
        with self._transaction() as connection:
            return builds.start(connection, token, holder, requested_load_seq, self._clock(), project_hash)

    def end_build(self, build: BuildRow, is_good: bool, seconds: float | None, nodes: tuple[Node, ...]) -> BuildRow:
        """Note how a build ended; Fenced when one with a larger token has started."""
        ended = replace(build, finished_at=self._clock(), result="good" if is_good else "failed")
        ended = replace(ended, seconds=seconds, nodes=nodes)
        with self._transaction() as connection:
            builds.end(connection, ended)
        return ended

    def abandon_build(self, build: BuildRow) -> None:
        """Note that a build was stopped by its user; Fenced when one with a larger token has started."""
        with self._transaction() as connection:
            builds.end(connection, replace(build, finished_at=self._clock(), result="abandoned"))

    def last_builds(self, limit: int = 1) -> list[BuildRow]:
        """Return the last builds, the newest first."""
        with self._transaction() as connection:
            return builds.last(connection, limit)

    @property
    def published_path(self) -> Path:
        """The file for readers: a copy of this one after a good build, `published.duckdb` beside it.

        A process sees a newer copy once it has closed *every* connection to the older one: DuckDB shares them by path.
        """
        return self._path.with_name("published.duckdb")

    def published(self) -> BuildRow | None:
        """Return the build that readers see; None when there is none yet, or it cannot be read."""
        return builds.published(self.published_path)

    def objects_beyond(self, path: Path) -> list[ObjectVersion]:
        """Return the objects that the ledger of another file has and this one lacks."""
        with self._lock:
            return builds.objects_beyond(self._connect(), path)

    def publish(self, build: BuildRow) -> None:
        """Copy the warehouse for its readers (see builds.publish); Fenced when a later build has started."""
        with self._lock:
            connection = self._connect()
            try:
                builds.publish(connection, build, self.published_path)
            except duckdb.Error as error:
                self._disconnect()
                raise TransientError(f"{self.published_path}: {first_line(error)}") from error

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._lock:
            connection = self._connect()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self._roll_back(connection)
                if isinstance(error, duckdb.Error | MemoryError):
                    raise opening.failed(self._path, error) from error
                raise

    def _roll_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            connection.execute("ROLLBACK")
        except duckdb.Error:  # after an internal error DuckDB refuses everything until the file is opened again
            self._disconnect()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = opening.connect(self._path, self._patience(), self._sleep)
                self._was_open = True
                for setting, value in self._settings().items():
                    self._connection.execute(f"SET {setting} = '{value}'")
                self._connection.execute(ledger.CREATE + builds.CREATE)
            except (duckdb.Error, OSError) as error:
                self._disconnect()
                raise opening.refused(self._path, error, is_begun=self._was_open) from error
        return self._connection

    def _patience(self) -> float:
        return self._patience_s if self._was_open else opening.AT_THE_START_S

    def _settings(self) -> dict[str, str]:
        # SET, not connect(config=…): DuckDB refuses a second connection (dbt's) with another configuration.
        return {
            "TimeZone": "UTC",
            "memory_limit": self._memory_limit.replace("'", ""),
            "max_temp_directory_size": f"{self._caps.uncompressed_bytes}B",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",  # a name in SQL never is a Python variable
            "preserve_insertion_order": "false",  # raw tables have no order: half the time, less memory
        }

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _translate_errors(path: Path, warehouse: Path) -> Iterator[None]:
    """Turn DuckDB's errors into BadObject, except those that another file would have met as well."""
    try:
        yield
    except (duckdb.TransactionException, duckdb.FatalException):
        raise
    except duckdb.Error as error:
        if is_of_the_machine(error) or opening.is_damage(warehouse, error):
            raise
        message = first_line(error).replace(str(path), "the file")
        raise BadObject("unreadable", f"DuckDB cannot read it: {message}") from error
