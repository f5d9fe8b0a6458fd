# ruff: noqa: S608 - this module only writes SQL: values are parameters, names are those of the registry
"""Snowpipe as another way of a part to Snowflake: a pipe a table fills META.PIPED_<table>, and the load takes it there.

A pipe copies each new object of `raw/` when Cloud Storage announces it, on Snowflake's own machines. It decides
nothing: the load function hears of the same object, waits until all of its rows have come (the event is delivered again
until then), and merges and notes them in its turn as always. What a pipe brings twice is one row a key; what it never
brings ends in the dead letters. Rows leave META.PIPED_<table> in the transaction that loads them.
"""

from millrace.tables import EXTRACTED, Table
from millrace.warehouse.snowflake.merge import HOW, Merge, columns_of, quoted
from millrace.warehouse.snowflake.objects import LAKE

_FILE = '"_FILE"'  # the name of the object, as METADATA$FILENAME has it


def piped(table: Table) -> str:
    """Give the qualified name of the table that the pipe fills."""
    return f"META.{quoted('PIPED_' + table.name)}"


def make(table: Table) -> str:
    """Give the statement that makes it."""
    return f"CREATE TABLE IF NOT EXISTS {piped(table)} ({columns_of(table)}, {_FILE} VARCHAR)"


def copy(table: Table) -> str:
    """Give what the pipe does with each object of the table."""
    return f"COPY INTO {piped(table)} FROM @{LAKE}/{table.name}/ {HOW} INCLUDE_METADATA = ({_FILE} = METADATA$FILENAME)"


def take(merge: Merge) -> str:
    """Give the statement that brings the rows of an object (its name is the parameter) into ARRIVED."""
    names = ", ".join(quoted(name) for name in merge.came)
    return f"INSERT INTO {merge.arrived} ({names}) SELECT {names} FROM {piped(merge.table)} WHERE {_FILE} = ?"


def forget(table: Table) -> str:
    """Give the statement that removes the rows of an object (its name is the parameter)."""
    return f"DELETE FROM {piped(table)} WHERE {_FILE} = ?"


PIPES = {table.name.upper(): {"table": make(table), "copy": copy(table)} for table in EXTRACTED.values()}
"""What Terraform makes of each table where `staging` is `snowpipe`; `terraform/write_tables.py` exports it."""
