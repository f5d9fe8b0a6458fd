# ruff: noqa: S608 - the names are this module's own
"""The ledger in DuckDB: the load result of every object, in `meta.loads`. Instants are in UTC, without a zone."""

from collections.abc import Mapping
from dataclasses import astuple, fields
from datetime import UTC, datetime
from typing import Any

import duckdb

from millrace.lake import ObjectVersion
from millrace.warehouse import QUARANTINED, Extent, LedgerEntry

CREATE = """
    CREATE SCHEMA IF NOT EXISTS raw;
    CREATE SCHEMA IF NOT EXISTS meta;
    CREATE SEQUENCE IF NOT EXISTS meta.load_seq;
    CREATE TABLE IF NOT EXISTS meta.loads (
        bucket VARCHAR, name VARCHAR, generation BIGINT, table_name VARCHAR, run_id VARCHAR,
        extracted_at TIMESTAMP, rows_read BIGINT, rows_inserted BIGINT, rows_updated BIGINT,
        rows_unchanged BIGINT, rows_superseded BIGINT, rows_quarantined BIGINT, quarantine_reason VARCHAR,
        load_seq BIGINT, loaded_at TIMESTAMP, crc32c VARCHAR
    );
    ALTER TABLE meta.loads ADD COLUMN IF NOT EXISTS crc32c VARCHAR;
"""
COLUMNS = ", ".join(
    [field.name for part in (ObjectVersion, LedgerEntry) for field in fields(part) if field.name != "version"]
)


def next_load_seq(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the load sequence of the next change; a number may stay unused."""
    return int(connection.execute("SELECT nextval('meta.load_seq')").fetchall()[0][0])


def find(connection: duckdb.DuckDBPyConnection, version: ObjectVersion) -> LedgerEntry | None:
    """Return the entry of one object; None while it is not in the ledger."""
    query = f"SELECT {COLUMNS} FROM meta.loads WHERE bucket = ? AND name = ? AND generation = ?"
    found = connection.execute(query, astuple(version)).fetchall()
    return entry_of(found[0]) if found else None


def loads_of(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[LedgerEntry]:
    """Return the entries of one run, in the order of `load_seq`."""
    query = f"SELECT {COLUMNS} FROM meta.loads WHERE run_id = ? ORDER BY load_seq"
    return [entry_of(row) for row in connection.execute(query, [run_id]).fetchall()]


def entries(connection: duckdb.DuckDBPyConnection, is_quarantined: bool) -> list[LedgerEntry]:
    """Return the whole ledger, or only quarantined objects and their retries, in the order of `load_seq`."""
    query = f"SELECT {COLUMNS} FROM meta.loads WHERE {QUARANTINED if is_quarantined else True} ORDER BY load_seq"
    return [entry_of(row) for row in connection.execute(query).fetchall()]


def extent(connection: duckdb.DuckDBPyConnection) -> Extent:
    """Return the extent of the ledger."""
    query = "SELECT coalesce(max(load_seq), 0), count(*) FROM meta.loads"
    return Extent(*connection.execute(query).fetchall()[0])


def note(connection: duckdb.DuckDBPyConnection, entry: LedgerEntry) -> None:
    """Add a row to the ledger."""
    version, *values = (getattr(entry, field.name) for field in fields(entry))
    row = [naive(value) if isinstance(value, datetime) else value for value in (*astuple(version), *values)]
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO meta.loads ({COLUMNS}) VALUES ({marks})", row)


def adopt(
    connection: duckdb.DuckDBPyConnection, copies: Mapping[ObjectVersion, LedgerEntry], loaded_at: datetime
) -> None:
    """Note that these versions are objects that the ledger has under another version."""
    load_seq = next_load_seq(connection)
    for version, entry in copies.items():
        note(connection, entry.again(version, load_seq, loaded_at))


def entry_of(row: tuple[Any, ...]) -> LedgerEntry:
    """Return a row of the ledger, in the order of COLUMNS, as an entry."""
    values: list[Any] = [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row]
    return LedgerEntry(ObjectVersion(*values[:3]), *values[3:])


def naive(instant: datetime) -> datetime:
    """Return the instant as the warehouse stores it: in UTC, without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)
