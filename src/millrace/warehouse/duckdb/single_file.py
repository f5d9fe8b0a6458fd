"""One file in one DuckDB transaction: checked, staged, classified row by row, and merged into its raw table."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NoReturn

import duckdb

from millrace.errors import BadObject
from millrace.warehouse import Batch, merge_rule, refuse_ahead, require_done
from millrace.warehouse.duckdb import ledger, merge as duckdb_merge, raw_tables
from millrace.warehouse.duckdb.merge import DUCKDB
from millrace.warehouse.merge_rule import MergeRule
from millrace.warehouse.parquet import ParquetLimits, check


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows of one file, in all and per row action."""

    extracted_at: datetime
    read: int
    row_actions: dict[str, int]


def merge(connection: duckdb.DuckDBPyConnection, batch: Batch, load_seq: int, caps: ParquetLimits) -> Counts:
    """Merge one file into its raw table; BadObject when it cannot be loaded, StampedAhead when not yet."""
    rule, owner = _prepare(connection, batch, caps), batch.owner
    file = {"path": str(batch.path), "extracted_at": ledger.naive(batch.extracted_at), "run_id": batch.run_id}
    is_empty = not connection.execute(f"SELECT 1 FROM {DUCKDB.raw(batch.table)} LIMIT 1").fetchall()  # noqa: S608
    if not is_empty:
        connection.execute(duckdb_merge.stage(duckdb_merge.select(rule)), file)
    source, values = (duckdb_merge.select(rule), file) if is_empty else ("SELECT * FROM staged", {})
    facts = duckdb_merge.facts(rule, source, owner)
    rows, keys, extracted_at, failing, first, last = connection.execute(facts, values).fetchall()[0]
    if failing:
        counts = connection.execute(duckdb_merge.failures(rule, source, owner), values).fetchall()[0]
        _refuse(duckdb_merge.checks(rule, owner), rows, counts)
    newest = extracted_at.replace(tzinfo=UTC) if rows else batch.extracted_at
    refuse_ahead(batch, newest)
    if is_empty:
        source = source if keys == rows else duckdb_merge.greatest(rule, source)
        inserted = connection.execute(duckdb_merge.insert_all(rule, source), {**file, "load_seq": load_seq}).fetchall()
        require_done(batch.table, "inserted", keys, inserted[0][0])
        return Counts(newest, rows, {"inserted": keys})
    if keys < rows:
        connection.execute(duckdb_merge.deduplicate(rule, "staged"))
    rule = replace(rule, months=merge_rule.months_of(first, last))
    return Counts(newest, rows, _merge_staged(connection, rule, load_seq, keys, batch.latest))


def _refuse(checks: list[tuple[str, str, str]], rows: int, failing: tuple[int, ...]) -> NoReturn:
    found = zip(checks, failing, strict=True)
    reason, message, count = next((reason, message, count) for (reason, message, _), count in found if count)
    raise BadObject(reason, f"{count} of {rows} rows {message}")


def _prepare(connection: duckdb.DuckDBPyConnection, batch: Batch, caps: ParquetLimits) -> MergeRule:
    """Check the file and make the raw table ready for its columns."""
    names = batch.columns if batch.columns is not None else check(batch.path, caps)
    file_columns = raw_tables.described(connection, duckdb_merge.DESCRIBE_FILE, path=str(batch.path))
    if tuple(file_columns) != names:
        said = f"expected the columns {', '.join(names)} of its footer, got {', '.join(file_columns)} from DuckDB"
        raise BadObject("unreadable", f"no readable Parquet file: {said:.300}")
    stored = raw_tables.columns(connection, batch.table)
    rule = merge_rule.match(DUCKDB, batch.table, file_columns, stored, caps.columns)
    for statement in rule.add_columns:
        connection.execute(statement)
    return rule


def _merge_staged(
    connection: duckdb.DuckDBPyConnection, rule: MergeRule, load_seq: int, keys: int, latest: datetime | None
) -> dict[str, int]:
    """Merge the table `staged` of `keys` keys into the raw table; return the number of rows per row action."""
    connection.execute(duckdb_merge.classify(rule), {"latest": latest and ledger.naive(latest)})
    row_actions = dict(connection.execute(duckdb_merge.COUNT_ROW_ACTIONS).fetchall())
    require_done(rule.table, "classified", keys, sum(row_actions.values()))
    raw_tables.apply(connection, rule, row_actions, load_seq)
    return row_actions
