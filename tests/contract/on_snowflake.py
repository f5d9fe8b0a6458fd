"""A warehouse on Snowflake, in an empty database, and its rows in the form that DuckDB returns.

Without `use`, it is on the emulator, where each warehouse has a database of its own.
"""

import json
import os
import secrets
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from emulators import snowflake
from millrace.tables import TABLES, TEXTS
from millrace.warehouse.snowflake import objects
from millrace.warehouse.snowflake.session import Address, connect
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

Rows = list[dict[str, object]]
Run = Callable[..., list[tuple[object, ...]]]
"""Runs a statement with its values and returns its rows."""


_released: dict[str, list[Address]] = defaultdict(list)


_given: Address | None = None
_last_test = ""


def use(address: Address) -> None:
    """Open every warehouse in this one database from now on; it must hold nothing that has to stay."""
    global _given
    _given = address


def is_given() -> bool:
    """Return whether warehouses are opened in the database of `use`."""
    return _given is not None


def open_warehouse(where: str, lake: Path, clock: Callable[[], datetime], **more: Any) -> SnowflakeWarehouse:
    """Return a warehouse in an empty database, with its external stage over the folder `lake`.

    In the database of `use` the stage stays as it is, so every file is uploaded; a test that opens a second warehouse
    is skipped.
    """
    if _given is not None:
        return _open_given(_given, clock, **more)
    stage = f"file://{lake}/raw/"
    if _released[where]:
        warehouse = SnowflakeWarehouse(_released[where].pop(), lake.name, clock, **more)
        reset(warehouse)
        warehouse.execute(f"CREATE OR REPLACE STAGE {objects.LAKE} URL = '{stage}'")
        return warehouse
    address = address_of(where, f"T{secrets.token_hex(6).upper()}")
    snowflake.provision(address, stage)
    return SnowflakeWarehouse(address, lake.name, clock, **more)


def _open_given(address: Address, clock: Callable[[], datetime], **more: Any) -> SnowflakeWarehouse:
    global _last_test
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
    if test and test == _last_test:
        pytest.skip("needs two databases at once, and one is given")
    _last_test = test
    warehouse = SnowflakeWarehouse(address, None, clock, **more)
    reset(warehouse)
    return warehouse


def release(warehouse: SnowflakeWarehouse) -> None:
    """Close a warehouse, and let another test have its database: creating one is slow."""
    warehouse.close()
    address = warehouse._address
    if address == _given:
        return
    _released[f"host={address.host}&port={address.port}&protocol={address.protocol}"].append(address)


def empty(warehouse: SnowflakeWarehouse) -> None:
    """Remove everything that was loaded: all raw tables and all lines of the ledger."""
    for (name,) in warehouse.execute("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW'"):
        warehouse.execute(f'DROP TABLE RAW."{name}"')
    warehouse.execute("DELETE FROM META.LOADS")
    warehouse.ensure_tables()


def reset(warehouse: SnowflakeWarehouse) -> None:
    """Remove everything but what `provision` creates."""
    found = warehouse.execute("SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES")
    for schema, name, kind in found:
        if schema == "META" and kind != "VIEW":
            if name != "TURN":
                warehouse.execute(f'DELETE FROM META."{name}"')  # noqa: S608
        elif schema in objects.SCHEMAS:
            warehouse.execute(f'DROP {"VIEW" if kind == "VIEW" else "TABLE"} {schema}."{name}"')
    warehouse.execute(objects.META["LOAD_SEQ"].replace("CREATE SEQUENCE IF NOT EXISTS", "CREATE OR REPLACE SEQUENCE"))


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
