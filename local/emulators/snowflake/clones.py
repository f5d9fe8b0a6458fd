# ruff: noqa: S608 - the names are those of tables of the emulator
"""CREATE TABLE … CLONE: a table with the columns, constraints, lengths and rows of another.

https://docs.snowflake.com/en/sql-reference/sql/create-clone. fakesnow makes a table of a query, which has none of the
constraints and lengths, and does not replace one.
"""

from typing import Any

from sqlglot import exp

from emulators.snowflake.kinds import kind_of
from emulators.snowflake.names import TableName

_LENGTHS = "_fs_global._fs_information_schema._fs_columns_ext"
_PLACE = "upper(ext_table_catalog) = ? AND upper(ext_table_schema) = ? AND upper(ext_table_name) = ?"


def clone(duck: Any, source: TableName, table: TableName, tree: exp.Create) -> None:
    """Create a table as a copy of another, in one step for all sessions, as the statement says."""
    if tree.args.get("exists") and kind_of(duck, table) is not None:
        return
    place = [part.upper() for part in source]
    defined = duck.execute(
        "SELECT sql FROM duckdb_tables() WHERE upper(database_name) = ? AND upper(schema_name) = ? "
        "AND upper(table_name) = ?",
        place,
    ).fetchone()
    columns = defined[0][defined[0].index("(") :] if defined else ""
    duck.execute("BEGIN TRANSACTION")
    try:
        if tree.args.get("replace"):
            duck.execute(f"DROP TABLE IF EXISTS {table.quoted()}")
        # The query names the source, also where there is none: the answer is then that of any missing table.
        made = f"CREATE TABLE {table.quoted()} {columns}" if columns else f"SELECT 1 FROM {source.quoted()}"
        duck.execute(made)
        duck.execute(f"INSERT INTO {table.quoted()} SELECT * FROM {source.quoted()}")
        duck.execute("COMMIT")
    except BaseException:
        duck.execute("ROLLBACK")
        raise
    own = [part.upper() for part in table]
    duck.execute(f"DELETE FROM {_LENGTHS} WHERE {_PLACE}", own)
    duck.execute(
        f"INSERT INTO {_LENGTHS} SELECT ?, ?, ?, * EXCLUDE (ext_table_catalog, ext_table_schema, ext_table_name) "
        f"FROM {_LENGTHS} WHERE {_PLACE}",
        [*own, *place],
    )
