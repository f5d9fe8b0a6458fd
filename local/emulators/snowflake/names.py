"""The full name of a table."""

from typing import NamedTuple

from sqlglot import exp


class TableName(NamedTuple):
    """Database, schema and name, as they are stored: upper case where a statement does not quote them."""

    database: str
    schema: str
    table: str

    def __str__(self) -> str:
        return ".".join(self)

    def quoted(self) -> str:
        """Return the name as SQL."""
        return ".".join(f'"{part}"' for part in self)


def name_of(table: exp.Expression, database: str | None, schema: str | None) -> TableName:
    """Return the full name of a table of a statement, for a session in this database and schema."""
    found = table if isinstance(table, exp.Table) else table.find(exp.Table)
    if found is None:
        raise ValueError(f"no table in {table.sql('snowflake')}")
    parts = [_stored(found.args.get(key)) for key in ("catalog", "db", "this")]
    return TableName(parts[0] or database or "", parts[1] or schema or "", parts[2])


def _stored(name: object) -> str:
    if not isinstance(name, exp.Identifier):
        return "" if name is None else str(name).upper()
    return name.name if name.quoted else name.name.upper()


def dropped(tree: exp.Drop, database: str | None, schema: str | None) -> list[TableName]:
    """Return the full names of what a DROP drops."""
    return [name_of(table, database, schema) for table in tree.args.get("tables") or [tree.this]]
