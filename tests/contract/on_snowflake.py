"""A warehouse on the Snowflake emulator, in a database of its own, and its rows in the form that DuckDB returns."""

import json
import secrets
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from emulators import snowflake
from millrace.tables import TABLES, TEXTS
from millrace.warehouse.snowflake import objects
from millrace.warehouse.snowflake.session import Address, connect
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

Rows = list[dict[str, object]]
Run = Callable[..., list[tuple[object, ...]]]
"""Runs a statement with its values and returns its rows."""


_released: dict[str, list[Address]] = defaultdict(list)


def open_warehouse(where: str, lake: Path, clock: Callable[[], datetime], **more: Any) -> SnowflakeWarehouse:
    """Return a warehouse in an empty database, with its external stage over the folder `lake`."""
    stage = f"file://{lake}/raw/"
    if _released[where]:
        warehouse = SnowflakeWarehouse(_released[where].pop(), lake.name, clock, **more)
        _reset(warehouse, stage)
        return warehouse
    address = address_of(where, f"T{secrets.token_hex(6).upper()}")
    snowflake.provision(address, stage)
    return SnowflakeWarehouse(address, lake.name, clock, **more)


def release(warehouse: SnowflakeWarehouse) -> None:
    """Close a warehouse, and let another test have its database: creating one is slow."""
    warehouse.close()
    address = warehouse._address
    _released[f"host={address.host}&port={address.port}&protocol={address.protocol}"].append(address)


def empty(warehouse: SnowflakeWarehouse) -> None:
    """Remove everything that was loaded: all raw tables and all lines of the ledger."""
    for (name,) in warehouse.execute("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW'"):
        warehouse.execute(f'DROP TABLE RAW."{name}"')
    warehouse.execute("DELETE FROM META.LOADS")
    warehouse.ensure_tables()


def _reset(warehouse: SnowflakeWarehouse, stage: str) -> None:
    """Remove everything but what `provision` creates, and let the stage lead to another folder."""
    found = warehouse.execute("SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES")
    for schema, name, kind in found:
        if schema == "META":
            if name != "TURN":
                warehouse.execute(f'DELETE FROM META."{name}"')  # noqa: S608
        elif schema in objects.SCHEMAS:
            warehouse.execute(f'DROP {"VIEW" if kind == "VIEW" else "TABLE"} {schema}."{name}"')
    warehouse.execute(objects.META["LOAD_SEQ"].replace("CREATE SEQUENCE IF NOT EXISTS", "CREATE OR REPLACE SEQUENCE"))
    warehouse.execute(f"CREATE OR REPLACE STAGE {objects.LAKE} URL = '{stage}'")


def address_of(where: str, database: str) -> Address:
    """Return the address of a database of the emulator, for a user with a key."""
    url = f"snowflake://acme/{database}?user=MILLRACE_LOADER&role=MILLRACE_LOADER&warehouse=MILLRACE&{where}"
    return Address.parse(url, snowflake.private_key())


def new_database(where: str) -> Address:
    """Return the address of an empty database, in an account that has the warehouse of the address."""
    address = address_of(where, f"T{secrets.token_hex(6).upper()}")
    with connect(address) as connection:
        connection.cursor().execute(f"CREATE WAREHOUSE IF NOT EXISTS {address.warehouse}")
    return address


def rows_of(warehouse: SnowflakeWarehouse, table: str) -> Rows:
    """Return the rows of a raw table, ordered: columns of the registry by their names, others in lower case."""
    query = (
        "SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'RAW' AND TABLE_NAME = ?"
    )
    kinds = dict(warehouse.execute(f"{query} ORDER BY ORDINAL_POSITION", table.upper()))
    names = {name.upper(): name for name in TABLES[table].schema.names}
    lists = {field.name.upper() for field in TABLES[table].schema if field.type == TEXTS}
    found = []
    for row in warehouse.execute(f'SELECT * FROM RAW."{table.upper()}"'):  # noqa: S608
        values = zip(kinds.items(), row, strict=True)
        found.append(
            {
                names.get(name, name.lower()): json.loads(value)
                if value and (kind == "VARIANT" or name in lists)
                else value
                for (name, kind), value in values
            }
        )
    return sorted(found, key=repr)
