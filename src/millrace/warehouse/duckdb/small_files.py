# ruff: noqa: S608 - names are quoted and checked by duckdb_merge
"""Many small objects of one table in one DuckDB transaction: the same result as one by one, at the cost of one.

The rows are merged together, each with the number of its object, so that every object has its own row in the ledger.
Of two rows with the same key in two objects, the greater wins; the other counts as superseded.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.tables import EXTRACTED_AT, MOST_AHEAD, Table
from millrace.warehouse import LedgerEntry, SmallObject, merge_rule, require_done
from millrace.warehouse.duckdb import ledger, merge as duckdb_merge, raw_tables
from millrace.warehouse.duckdb.merge import DUCKDB, OBJECT
from millrace.warehouse.merge_rule import MergeRule

_OBJECT = duckdb_merge.quoted(OBJECT)


def load(
    connection: duckdb.DuckDBPyConnection, table: Table, objects: Sequence[SmallObject], now: datetime, folder: Path
) -> list[LedgerEntry]:
    """Merge objects that the ledger lacks, and note them; BadObject when one of them has a bad row."""
    path = folder / "bundle.parquet"
    pq.write_table(_together(objects, table), path)
    stored = raw_tables.columns(connection, table)
    file_columns = raw_tables.described(connection, duckdb_merge.DESCRIBE_FILE, path=str(path))
    file_columns.pop(OBJECT)
    rule = merge_rule.match(DUCKDB, table, file_columns, stored, len(stored) + len(file_columns))
    values = {"path": str(path), "extracted_at": ledger.naive(now), "run_id": None}
    connection.execute(duckdb_merge.stage(duckdb_merge.select(rule, _OBJECT)), values)
    facts = duckdb_merge.facts(rule, "SELECT * FROM staged", None)
    rows, keys, _, failing, first, last = connection.execute(facts).fetchall()[0]
    if failing:
        raise BadObject("bundle", f"{failing} of {rows} rows cannot be loaded")
    newest = dict(connection.execute(f"SELECT {_OBJECT}, max({EXTRACTED_AT}) FROM staged GROUP BY 1").fetchall())
    if keys < rows:
        connection.execute(duckdb_merge.deduplicate(rule, "staged"))
    load_seq = ledger.next_load_seq(connection)
    rule = replace(rule, months=merge_rule.months_of(first, last))
    row_actions = _apply(connection, rule, load_seq, keys, now + MOST_AHEAD)
    entries = []
    for number, each in enumerate(objects):
        extracted_at = newest[number].replace(tzinfo=UTC) if number in newest else now
        what = (each.version, table, None, extracted_at, len(each.rows))
        entry = LedgerEntry.of_loaded(*what, row_actions.get(number, {}), load_seq, now)
        entries.append(replace(entry, crc32c=each.crc32c))
    for entry in entries:
        ledger.note(connection, entry)
    raw_tables.lower_future_stamps(connection, table, now + MOST_AHEAD)
    return entries


def _together(objects: Sequence[SmallObject], table: Table) -> pa.Table:
    numbered = [
        each.rows.append_column(OBJECT, pa.array([number] * len(each.rows), pa.int32()))
        for number, each in enumerate(objects)
    ]
    return pa.concat_tables(numbered)


def _apply(
    connection: duckdb.DuckDBPyConnection, rule: MergeRule, load_seq: int, keys: int, latest: datetime
) -> dict[int, Counter[str]]:
    """Merge `staged` of `keys` keys into the raw table; return the number of rows per object and row action."""
    connection.execute(duckdb_merge.classify(rule), {"latest": ledger.naive(latest)})
    row_actions: dict[int, Counter[str]] = {}
    for number, action, count in connection.execute(duckdb_merge.COUNT_ROW_ACTIONS_BY_OBJECT).fetchall():
        row_actions.setdefault(number, Counter())[action] += count
    total = sum(row_actions.values(), Counter[str]())
    require_done(rule.table, "classified", keys, total.total())
    raw_tables.apply(connection, rule, total, load_seq)
    return row_actions


def known(connection: duckdb.DuckDBPyConnection, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
    """Return the entries of many objects at once; those that are not in the ledger are left out."""
    names, generations = [version.name for version in versions], [version.generation for version in versions]
    wanted = set(versions)
    query = (
        f"SELECT {ledger.COLUMNS} FROM meta.loads "
        "SEMI JOIN (SELECT unnest($names) AS name, unnest($generations) AS generation) USING (name, generation)"
    )
    rows = connection.execute(query, {"names": names, "generations": generations}).fetchall()
    entries = [ledger.entry_of(row) for row in rows]
    return {entry.version: entry for entry in entries if entry.version in wanted}
