"""The raw tables in DuckDB: create, describe and change them, and repair a bad column name of an older release.

A merge finds stored rows by `rowid`, which is DuckDB's own name for the place of a row. A column of that name would
hide it: rows would then be lost or duplicated. No file may have one (see parquet.check).
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from millrace import log
from millrace.tables import LOAD_SEQ, TABLES, Table
from millrace.warehouse import require_done
from millrace.warehouse.duckdb import merge as duckdb_merge
from millrace.warehouse.duckdb.ledger import naive
from millrace.warehouse.duckdb.merge import DUCKDB
from millrace.warehouse.merge_rule import MergeRule

_HIDDEN = "rowid"
# Loading again does no harm. The rows of the ledger stay, under generations that no object has: builds and marts
# depend on its load sequences.
_FORGET_DROPS = """
    UPDATE meta.loads SET generation = -generation, crc32c = NULL
    WHERE table_name = ? AND starts_with(name, 'drop/') AND generation > 0 AND rows_inserted + rows_updated > 0"""

VIEW_OF_WINDOWS = (
    "CREATE OR REPLACE VIEW meta.source_windows AS SELECT "  # noqa: S608 our own names
    f"{', '.join(duckdb_merge.quoted(name) for name in TABLES['source_windows'].columns.names)} FROM raw.source_windows"
)
"""What was read of the sources, beside the ledger of what was loaded. It names columns, so that more can be added."""

_HAS_FUTURE_STAMP = "SELECT 1 FROM meta.loads WHERE table_name = $table AND extracted_at > $latest LIMIT 1"


def described(connection: duckdb.DuckDBPyConnection, query: str, **values: str) -> dict[str, str]:
    """Return the columns, name: type, of a DESCRIBE."""
    return {name: kind for name, kind, *_ in connection.execute(query, values).fetchall()}


def columns(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Return the columns of a raw table, name: type; create it if it is missing, and repair it if needed."""
    connection.execute(DUCKDB.create(table))
    stored = described(connection, f"DESCRIBE {DUCKDB.raw(table)}")
    if not any(name.lower() == _HIDDEN for name in stored):
        return stored
    _mend(connection, table, stored)
    return described(connection, f"DESCRIBE {DUCKDB.raw(table)}")


def apply(
    connection: duckdb.DuckDBPyConnection, rule: MergeRule, row_actions: Mapping[str, int], load_seq: int
) -> None:
    """Apply the row actions to the raw table; Miscounted when a statement changes another number of rows."""
    for action, statement in duckdb_merge.apply(rule).items():
        if row_actions.get(action):
            values = {} if action == "confirmed" else {"load_seq": load_seq}
            done = connection.execute(statement, values).fetchall()[0][0]
            require_done(rule.table, action, row_actions[action], done)
    connection.execute("DROP TABLE classified")
    connection.execute("DROP TABLE staged")


def lower_future_stamps(connection: duckdb.DuckDBPyConnection, table: Table, latest: datetime) -> None:
    """Lower `extracted_at` of loads that is after `latest`, once no row has such a stamp any more."""
    if connection.execute(_HAS_FUTURE_STAMP, {"table": table.name, "latest": naive(latest)}).fetchall():
        connection.execute(DUCKDB.lower_future_stamps(table), {"latest": naive(latest)})


def _mend(connection: duckdb.DuckDBPyConnection, table: Table, stored: dict[str, str]) -> None:
    """Rename the column, keep one row of each key, and let dropped files load again: their rows may be missing."""
    name = next(name for name in stored if name.lower() == _HIDDEN)
    taken = {each.lower() for each in stored}
    free = f"{_HIDDEN}_of_file"
    while free in taken:
        free += "_"
    connection.execute(f"ALTER TABLE {DUCKDB.raw(table)} RENAME COLUMN {duckdb_merge.quoted(name)} TO {free}")
    renamed = {free if each == name else each: kind for each, kind in stored.items() if each != LOAD_SEQ}
    rule = MergeRule(DUCKDB, table, renamed, {}, {})
    repeated = connection.execute(duckdb_merge.deduplicate(rule, DUCKDB.raw(table))).fetchall()[0][0]
    to_load = connection.execute(_FORGET_DROPS, [table.name]).fetchall()[0][0]
    log.warning(
        "raw table mended",
        table=table.name,
        column=name,
        renamed_to=free,
        repeated_rows_removed=repeated,
        dropped_files_to_load_again=to_load,
        advice="rows of earlier loads may be missing: run with --full-refresh, then with --drops",
    )
