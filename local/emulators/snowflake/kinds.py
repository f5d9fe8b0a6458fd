"""Permanent, transient and temporary tables, and which may be cloned into which.

https://docs.snowflake.com/en/user-guide/tables-temp-transient: the kind belongs to the statement that creates a table,
and a table without TRANSIENT or TEMPORARY is permanent, whatever it is cloned from.
https://docs.snowflake.com/en/sql-reference/sql/create-clone: a table is not cloned into one with a longer Fail-safe.

The kind is the comment of DuckDB's table, which follows it through ALTER TABLE … RENAME and goes with it. Comments of
Snowflake are kept elsewhere, by fakesnow.
"""

from string import Template
from typing import Any

from fakesnow.transforms import show
from sqlglot import exp

from emulators.snowflake.names import TableName, name_of
from emulators.snowflake.refusals import Refusal

PERMANENT, TRANSIENT, TEMPORARY = "PERMANENT", "TRANSIENT", "TEMPORARY"

# Quoted by github.com/SQLMesh/sqlmesh/issues/4079; both numbers stand in published notes of courses.
TRANSIENT_INTO_PERMANENT = Refusal(
    2120, "0A000", "SQL compilation error:\nTransient object cannot be cloned to a permanent object."
)
TEMPORARY_INTO_PERMANENT = Refusal(
    2119,
    "0A000",
    "SQL compilation error:\nTemp table cannot be cloned to a permanent table; clone to a transient table instead.",
)
SHOWN_TABLES = show.SQL_CREATE_VIEW_SHOW_TABLES.replace("create view if not exists", "create or replace view").replace(
    "'TABLE' as kind", "coalesce(table_comment, 'TABLE') as kind"
)
"""The view of SHOW TABLES with its documented kinds: TABLE, TEMPORARY, TRANSIENT. SHOW OBJECTS says TABLE of all three.

https://docs.snowflake.com/en/sql-reference/sql/show-tables
"""
_RELATIONS = """
    SELECT database_name, schema_name, table_name, estimated_size, comment FROM duckdb_tables()
    UNION ALL
    SELECT database_name, schema_name, view_name, NULL, 'VIEW' FROM duckdb_views() WHERE NOT internal"""
_REFUSED = {TRANSIENT: TRANSIENT_INTO_PERMANENT, TEMPORARY: TEMPORARY_INTO_PERMANENT}


def created_kind(tree: exp.Create) -> str:
    """Return the kind of table that a CREATE TABLE makes."""
    if tree.find(exp.TemporaryProperty):
        return TEMPORARY
    return TRANSIENT if tree.find(exp.TransientProperty) else PERMANENT


def kind_of(duck: Any, table: TableName) -> str | None:
    """Return the kind of a table; None when there is no such table."""
    found = duck.execute(
        "SELECT coalesce(comment, ?) FROM duckdb_tables() "
        "WHERE upper(database_name) = ? AND upper(schema_name) = ? AND upper(table_name) = ?",
        [PERMANENT, *(part.upper() for part in table)],
    ).fetchone()
    return None if found is None else str(found[0])


def clone_refusal(duck: Any, tree: exp.Create, database: str | None, schema: str | None) -> Refusal | None:
    """Return why a table may not be cloned; None when it may, or when the statement clones none."""
    clone = tree.args.get("clone")
    if clone is None or created_kind(tree) != PERMANENT:
        return None
    source = kind_of(duck, name_of(clone.this, database, schema))
    return _REFUSED.get(source or PERMANENT)


def note_kind(duck: Any, kind: str, table: TableName) -> None:
    """Note the kind of a table that was just created."""
    if kind != PERMANENT:
        duck.execute(f"COMMENT ON TABLE {table.quoted()} IS '{kind}'")


def with_kinds(view: Template) -> Template:
    """Return fakesnow's INFORMATION_SCHEMA.TABLES with IS_TRANSIENT, IS_TEMPORARY and TABLE_TYPE, and with the views.

    https://docs.snowflake.com/en/sql-reference/info-schema/tables
    """
    sql = view.template
    for given, instead in {
        """'BASE TABLE' AS "TABLE_TYPE\"""": (
            f"""CASE tables.comment WHEN '{TEMPORARY}' THEN 'LOCAL TEMPORARY' WHEN 'VIEW' THEN 'VIEW'
            ELSE 'BASE TABLE' END AS "TABLE_TYPE\""""
        ),
        """'NO' AS "IS_TRANSIENT\"""": (
            f"""CASE tables.comment WHEN '{TRANSIENT}' THEN 'YES' ELSE 'NO' END AS "IS_TRANSIENT\""""
        ),
        """'NO' AS "IS_TEMPORARY\"""": (
            f"""CASE tables.comment WHEN '{TEMPORARY}' THEN 'YES' ELSE 'NO' END AS "IS_TEMPORARY\""""
        ),
        "from duckdb_tables tables": f"from ({_RELATIONS}) AS tables",
    }.items():
        if given not in sql:
            raise RuntimeError(f"fakesnow's view of tables has no {given}: look at its new release")
        sql = sql.replace(given, instead)
    return Template(sql)
