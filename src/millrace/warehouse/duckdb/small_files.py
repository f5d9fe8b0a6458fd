# ruff: noqa: S608 - names are quoted and checked by duckdb_merge
"""Many small objects of one table in one DuckDB transaction: the same end as one by one, for the price of one.

The rows are merged together, each with the number of its object, so that every object has its own row in the ledger.
Of two objects with the same key the greater row wins, the other's counts as superseded.
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
from millrace.tables import EXTRACTED_AT, Table
from millrace.warehouse import LedgerEntry, SmallObject
from millrace.warehouse.duckdb import ledger, merge as duckdb_merge

_NUMBER = "_object"


def load(
    connection: duckdb.DuckDBPyConnection, table: Table, objects: Sequence[SmallObject], now: datetime, folder: Path
) -> list[LedgerEntry]:
    """Merge the objects, none of which the ledger has, and note them; BadObject when one of them has a bad row."""
    path = folder / "bundle.parquet"
    pq.write_table(_together(objects, table), path)
    connection.execute(duckdb_merge.create(table))
    stored = _described(connection, f"DESCRIBE {duckdb_merge.raw(table)}", {})
    came = _described(connection, duckdb_merge.DESCRIBE_FILE, {"path": str(path)})
    came.pop(_NUMBER)
    merge = duckdb_merge.plan(table, came, stored, len(stored) + len(came))
    values = {"path": str(path), "extracted_at": ledger.naive(now), "run_id": None}
    select = merge.select.replace("SELECT ", f"SELECT {_NUMBER}, ", 1)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {select}", values)
    rows, keys, _, failing = connection.execute(duckdb_merge.facts(merge, "SELECT * FROM staged")).fetchall()[0]
    if failing:
        raise BadObject("bundle", f"{failing} of {rows} rows cannot be loaded")
    newest = dict(connection.execute(f"SELECT {_NUMBER}, max({EXTRACTED_AT}) FROM staged GROUP BY 1").fetchall())
    if keys < rows:
        connection.execute(duckdb_merge.keep_best(merge))
    load_seq = ledger.next_load_seq(connection)
    fates = _carry_out(connection, merge, load_seq)
    entries = []
    for number, each in enumerate(objects):
        extracted_at = newest[number].replace(tzinfo=UTC) if number in newest else now
        what = (each.version, table, None, extracted_at, len(each.rows))
        entry = LedgerEntry.of_loaded(*what, fates.get(number, {}), load_seq, now)
        entries.append(replace(entry, crc32c=each.crc32c))
    for entry in entries:
        ledger.note(connection, entry)
    return entries


def _together(objects: Sequence[SmallObject], table: Table) -> pa.Table:
    numbered = [
        each.rows.append_column(_NUMBER, pa.array([number] * len(each.rows), pa.int32()))
        for number, each in enumerate(objects)
    ]
    return pa.concat_tables(numbered)


def _carry_out(
    connection: duckdb.DuckDBPyConnection, merge: duckdb_merge.Merge, load_seq: int
) -> dict[int, Counter[str]]:
    """Bring `staged` into the raw table; gives, for each object, how many rows had which fate."""
    connection.execute(duckdb_merge.decide(merge))
    connection.execute(duckdb_merge.break_ties(merge))
    joined = "decided AS d JOIN staged AS s ON s.rowid = d.staged_row"
    query = f"SELECT s.{_NUMBER}, d.fate, count(*) FROM {joined} GROUP BY ALL"
    fates: dict[int, Counter[str]] = {}
    for number, fate, count in connection.execute(query).fetchall():
        fates.setdefault(number, Counter())[fate] += count
    met = {fate for counts in fates.values() for fate in counts}
    for fate, statement in duckdb_merge.carry_out(merge).items():
        if fate in met:
            connection.execute(statement, {} if fate == "confirmed" else {"load_seq": load_seq})
    connection.execute("DROP TABLE decided")
    connection.execute("DROP TABLE staged")
    return fates


def _described(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, str]) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute(query, values).fetchall()}


def known(connection: duckdb.DuckDBPyConnection, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, LedgerEntry]:
    """Give what became of many objects at once; one that nothing became of yet is left out."""
    names, generations = [version.name for version in versions], [version.generation for version in versions]
    wanted = set(versions)
    query = (
        f"SELECT {ledger.COLUMNS} FROM meta.loads "
        "SEMI JOIN (SELECT unnest($names) AS name, unnest($generations) AS generation) USING (name, generation)"
    )
    rows = connection.execute(query, {"names": names, "generations": generations}).fetchall()
    entries = [ledger.entry_of(row) for row in rows]
    return {entry.version: entry for entry in entries if entry.version in wanted}
