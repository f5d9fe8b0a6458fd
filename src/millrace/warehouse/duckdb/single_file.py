"""One file in one DuckDB transaction: checked, staged, decided row by row, and merged into its raw table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

import duckdb

from millrace.errors import BadObject
from millrace.warehouse import Batch, refuse_ahead, require_done
from millrace.warehouse.duckdb import ledger, merge as duckdb_merge, raw_tables
from millrace.warehouse.duckdb.merge import Merge
from millrace.warehouse.parquet import ParquetLimits, check


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows of one file, in all and per row action."""

    extracted_at: datetime
    read: int
    row_actions: dict[str, int]


def merge(connection: duckdb.DuckDBPyConnection, batch: Batch, load_seq: int, caps: ParquetLimits) -> Counts:
    """Merge one file into its raw table; BadObject when it cannot be loaded, StampedAhead when not yet."""
    merge = _prepare(connection, batch, caps)
    file = {"path": str(batch.path), "extracted_at": ledger.naive(batch.extracted_at), "run_id": batch.run_id}
    is_empty = not connection.execute(f"SELECT 1 FROM {duckdb_merge.raw(batch.table)} LIMIT 1").fetchall()  # noqa: S608
    if not is_empty:
        connection.execute(duckdb_merge.stage(merge), file)
    source, values = (merge.select, file) if is_empty else ("SELECT * FROM staged", {})
    rows, keys, extracted_at, failing = connection.execute(duckdb_merge.facts(merge, source), values).fetchall()[0]
    if failing:
        _refuse(merge, rows, connection.execute(duckdb_merge.failures(merge, source), values).fetchall()[0])
    newest = extracted_at.replace(tzinfo=UTC) if rows else batch.extracted_at
    refuse_ahead(batch, newest)
    if is_empty:
        source = merge.select if keys == rows else duckdb_merge.best(merge, merge.select)
        inserted = connection.execute(duckdb_merge.insert_all(merge, source), {**file, "load_seq": load_seq}).fetchall()
        require_done(batch.table, "inserted", keys, inserted[0][0])
        return Counts(newest, rows, {"inserted": keys})
    if keys < rows:
        connection.execute(duckdb_merge.keep_best(merge))
    return Counts(newest, rows, _merge_staged(connection, merge, load_seq, keys, batch.latest))


def _refuse(merge: Merge, rows: int, failing: tuple[int, ...]) -> NoReturn:
    found = zip(duckdb_merge.checks(merge), failing, strict=True)
    reason, message, count = next((reason, message, count) for (reason, message, _), count in found if count)
    raise BadObject(reason, f"{count} of {rows} rows {message}")


def _prepare(connection: duckdb.DuckDBPyConnection, batch: Batch, caps: ParquetLimits) -> Merge:
    """Check the file and make the raw table ready for its columns."""
    names = batch.columns if batch.columns is not None else check(batch.path, caps)
    file_columns = raw_tables.described(connection, duckdb_merge.DESCRIBE_FILE, path=str(batch.path))
    if tuple(file_columns) != names:
        raise BadObject("unreadable", "the file's two descriptions of itself name different columns")
    stored = raw_tables.columns(connection, batch.table)
    merge = duckdb_merge.plan(batch.table, file_columns, stored, caps.columns, batch.owner)
    for name, kind in merge.new_columns.items():
        connection.execute(duckdb_merge.add_column(batch.table, name, kind))
    return merge


def _merge_staged(
    connection: duckdb.DuckDBPyConnection, merge: Merge, load_seq: int, keys: int, latest: datetime | None
) -> dict[str, int]:
    """Merge the table `staged` of `keys` keys into the raw table; return the number of rows per row action."""
    connection.execute(duckdb_merge.classify(merge), {"latest": latest and ledger.naive(latest)})
    row_actions = dict(connection.execute(duckdb_merge.COUNT_ROW_ACTIONS).fetchall())
    if "tied" in row_actions:
        connection.execute(duckdb_merge.break_ties(merge))
        row_actions = dict(connection.execute(duckdb_merge.COUNT_ROW_ACTIONS).fetchall())
    require_done(merge.table, "decided on", keys, sum(row_actions.values()))
    raw_tables.apply(connection, merge, row_actions, load_seq)
    return row_actions
