"""A warehouse on the Snowflake emulator, in a database of its own, and its rows in the form that DuckDB returns."""

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from emulators import snowflake
from millrace.tables import TABLES, TEXTS
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

Rows = list[dict[str, object]]


def open_warehouse(where: str, lake: Path, clock: Callable[[], datetime], **more: Any) -> SnowflakeWarehouse:
    """Return a warehouse in a new database, with its external stage over the folder `lake`."""
    address = address_of(where, f"T{secrets.token_hex(6).upper()}")
    snowflake.provision(address, f"file://{lake}/raw/")
    return SnowflakeWarehouse(address, lake.name, clock, **more)


def empty(warehouse: SnowflakeWarehouse) -> None:
    """Remove everything that was loaded: all raw tables and all lines of the ledger."""
    for (name,) in warehouse.execute("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW'"):
        warehouse.execute(f'DROP TABLE RAW."{name}"')
    warehouse.execute("DELETE FROM META.LOADS")
    warehouse.ensure_tables()


def address_of(where: str, database: str) -> Address:
    """Return the address of a database of the emulator, for a user with a key."""
    url = f"snowflake://acme/{database}?user=MILLRACE_LOADER&role=MILLRACE_LOADER&warehouse=MILLRACE&{where}"
    return Address.parse(url, snowflake.private_key())


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
