"""The raw tables in DuckDB: create, describe and change them, and repair a bad column name of an older release.

A merge finds stored rows by `rowid`, which is DuckDB's own name for the place of a row. A column of that name would
hide it: rows would then be lost or duplicated. No file may have one (see parquet.check).
"""

from collections.abc import Mapping
from datetime import datetime

import duckdb

from millrace import log
from millrace.tables import LOAD_SEQ, Table
from millrace.warehouse import require_done
from millrace.warehouse.duckdb import merge as duckdb_merge
from millrace.warehouse.duckdb.ledger import naive
from millrace.warehouse.duckdb.merge import Merge

_HIDDEN = "rowid"
# Loading again does no harm. The rows of the ledger stay, under generations that no object has: builds and marts
# depend on its load sequences.
_FORGET_DROPS = """
    UPDATE meta.loads SET generation = -generation, crc32c = NULL
    WHERE table_name = ? AND starts_with(name, 'drop/') AND generation > 0 AND rows_inserted + rows_updated > 0"""

_HAS_UNTRUE = "SELECT 1 FROM meta.loads WHERE table_name = $table AND extracted_at > $latest LIMIT 1"
_FORGET_UNTRUE = """
    UPDATE meta.loads SET extracted_at = least(loaded_at, $latest)
    WHERE table_name = $table AND extracted_at > $latest
        AND NOT EXISTS (SELECT 1 FROM {raw} WHERE _extracted_at > $latest)"""


def described(connection: duckdb.DuckDBPyConnection, query: str, **values: str) -> dict[str, str]:
    """Return the columns, name: type, of a DESCRIBE."""
    return {name: kind for name, kind, *_ in connection.execute(query, values).fetchall()}


def columns(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Return the columns of a raw table, name: type; create it if it is missing, and repair it if needed."""
    connection.execute(duckdb_merge.create(table))
    stored = described(connection, f"DESCRIBE {duckdb_merge.raw(table)}")
    if not any(name.lower() == _HIDDEN for name in stored):
        return stored
    _mend(connection, table, stored)
    return described(connection, f"DESCRIBE {duckdb_merge.raw(table)}")


def apply(connection: duckdb.DuckDBPyConnection, merge: Merge, row_actions: Mapping[str, int], load_seq: int) -> None:
    """Apply the row actions to the raw table; Miscounted when a statement changes another number of rows."""
    for action, statement in duckdb_merge.apply(merge).items():
        if row_actions.get(action):
            values = {} if action == "confirmed" else {"load_seq": load_seq}
            done = connection.execute(statement, values).fetchall()[0][0]
            require_done(merge.table, action, row_actions[action], done)
    connection.execute("DROP TABLE decided")
    connection.execute("DROP TABLE staged")


def forget_untrue(connection: duckdb.DuckDBPyConnection, table: Table, latest: datetime) -> None:
    """Lower `extracted_at` of loads that is after `latest`, once no row has such a stamp any more."""
    values = {"table": table.name, "latest": naive(latest)}
    if connection.execute(_HAS_UNTRUE, values).fetchall():
        connection.execute(_FORGET_UNTRUE.format(raw=duckdb_merge.raw(table)), values)


def _mend(connection: duckdb.DuckDBPyConnection, table: Table, stored: dict[str, str]) -> None:
    """Rename the column, keep one row of each key, and let dropped files load again: their rows may be missing."""
    name = next(name for name in stored if name.lower() == _HIDDEN)
    taken = {each.lower() for each in stored}
    free = f"{_HIDDEN}_of_file"
    while free in taken:
        free += "_"
    connection.execute(f"ALTER TABLE {duckdb_merge.raw(table)} RENAME COLUMN {duckdb_merge.quoted(name)} TO {free}")
    renamed = {free if each == name else each: kind for each, kind in stored.items() if each != LOAD_SEQ}
    repeated = connection.execute(duckdb_merge.remove_repeated(Merge(table, renamed, {}, ""))).fetchall()[0][0]
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
