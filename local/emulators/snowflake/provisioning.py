"""What Terraform creates for the code on Snowflake, created on the emulator."""

from collections.abc import Iterator
from dataclasses import replace

from emulators.snowflake import rights
from emulators.snowflake.shows import ADMINISTRATOR
from millrace.warehouse.snowflake import objects
from millrace.warehouse.snowflake.session import Address, connect

_USERS = {"API": "READER", "BUILDER": "BUILDER", "LOADER": "LOADER", "SWEEPER": "LOADER"}
# As in terraform/modules/snowflake/users.tf, but for TIMESTAMP_TYPE_MAPPING: without it `make parity` shows that the
# models do not depend on it.
_OF_A_USER = "ABORT_DETACHED_QUERY = TRUE LOCK_TIMEOUT = 60 TIMEZONE = 'UTC' WEEK_START = 1"


def provision(address: Address, lake: str, with_roles: bool = False) -> None:
    """Create the warehouse, users, schemas, stages over `lake` (the address of its `raw/`) and META, as administrator.

    `with_roles`: also the roles with the rights of Terraform, which then hold for all sessions of the account.
    """
    with connect(replace(address, role=ADMINISTRATOR)) as connection:
        for statement in _statements(address, lake, with_roles):
            connection.cursor().execute(statement)


def _statements(address: Address, lake: str, with_roles: bool) -> Iterator[str]:
    yield f"CREATE WAREHOUSE IF NOT EXISTS {address.warehouse}"
    for user, role in _USERS.items():
        own = f"DEFAULT_ROLE = MILLRACE_{role} DEFAULT_WAREHOUSE = {address.warehouse}"
        yield f"CREATE USER IF NOT EXISTS MILLRACE_{user} {own} {_OF_A_USER}"
    for schema in objects.SCHEMAS:
        yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
    yield from objects.META.values()
    yield from objects.ADDED.values()
    yield f"CREATE STAGE IF NOT EXISTS {objects.LAKE} URL = '{lake}'"
    yield f"CREATE STAGE IF NOT EXISTS {objects.DROPS}"
    if with_roles:
        yield from rights.grants(address.database, address.warehouse)
