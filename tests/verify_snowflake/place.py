"""The database that the steps share: settings, a warehouse that counts its statements, and a folder of this machine."""

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.contract import on_snowflake
from tests.proofs.parity.extracted import END

from millrace.errors import ConfigError, MillraceError
from millrace.warehouse.snowflake import objects
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

ADDRESS, KEY = "MILLRACE_TEST_SNOWFLAKE", "MILLRACE_SNOWFLAKE_KEY"
OWN = "VERIFY_SNOWFLAKE"
"""A table in META. Its presence shows that everything in the database is of this command, and may be removed."""

_META_TABLES = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'META'"
_FILLED = """
    SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES
    WHERE TABLE_SCHEMA IN ('RAW', 'STAGING', 'INTERMEDIATE', 'MART', 'PUBLISHED')"""


class Counted(SnowflakeWarehouse):
    """A warehouse that counts its statements in `sent`."""

    sent = 0

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        self.sent += 1
        return super().execute(statement, *values)


@dataclass
class Place:
    """The place of a verification. `shared` is what later steps take from earlier ones; `closing` ends with the run."""

    address: Address
    folder: Path
    developers: int
    days: int
    closing: ExitStack
    shared: dict[str, Any] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Return how long the verification has run."""
        return time.monotonic() - self._began

    def open(self, clock: Callable[[], datetime] = lambda: END) -> Counted:
        """Open a warehouse of the database; it closes with the run."""
        return self.closing.enter_context(Counted(self.address, None, clock))

    def emptied(self) -> Counted:
        """Open a warehouse of the database after everything that was loaded is removed."""
        warehouse = self.open()
        on_snowflake.reset(warehouse)
        warehouse.ensure_tables()
        return warehouse


def read(environment: Mapping[str, str]) -> Address:
    """Return the address that the environment names; ConfigError with the next step when there is none."""
    if not environment.get(ADDRESS):
        raise ConfigError(
            f"{ADDRESS} is not set: expected snowflake://ACCOUNT/DATABASE?user=U&role=R&warehouse=W, see --help"
        )
    return Address.parse(environment[ADDRESS], environment.get(KEY))


def require_warehouse(address: Address) -> None:
    """Raise ConfigError when the session has no warehouse: Snowflake opens it without one that it does not know."""
    with Counted(address) as warehouse:
        ((current,),) = warehouse.execute("SELECT CURRENT_WAREHOUSE()")
    if str(current or "").upper() != address.warehouse.upper():
        raise ConfigError(
            f"the warehouse {address.warehouse} does not exist, or {address.role} may not use it: "
            "see SHOW WAREHOUSES, and correct warehouse= in the address"
        )


def provision(address: Address) -> None:
    """Create the database, its schemas, META and the internal stage, by the statements that Terraform runs.

    The external stage over a bucket needs an integration, and is left out: the files are uploaded.
    """
    with Counted(address) as warehouse:
        warehouse.execute(f"CREATE DATABASE IF NOT EXISTS {address.database}")
    schemas = [f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in objects.SCHEMAS]
    stage = f"CREATE STAGE IF NOT EXISTS {objects.DROPS}"
    with Counted(address) as warehouse:  # a session whose database is there
        for statement in (*schemas, *objects.META.values(), *objects.ADDED.values(), stage):
            warehouse.execute(statement)


def claim(address: Address) -> None:
    """Mark the database as one of this command; ConfigError when it lacks META, or holds what is not of this command.

    Nothing is changed before it is sure that the database may be used.
    """
    with Counted(address) as warehouse:
        try:
            meta = {name for (name,) in warehouse.execute(_META_TABLES)}
        except MillraceError as error:
            raise ConfigError(f"the database {address.database} cannot be read: {error}") from error
        missing = {"LOADS", "BUILDS", "TURN"} - meta
        if missing:
            raise ConfigError(
                f"the database {address.database} lacks META.{min(missing)}: run terraform apply, or give --provision"
            )
        if OWN not in meta:
            ((loads,),) = warehouse.execute("SELECT COUNT(*) FROM META.LOADS")
            ((tables,),) = warehouse.execute(_FILLED)
            if loads or tables:
                raise ConfigError(
                    f"the database {address.database} holds {loads} loads and {tables} tables that are not of this "
                    "command, which would remove them: name a database of its own, and give --provision"
                )
            warehouse.execute(f"CREATE TABLE IF NOT EXISTS META.{OWN} (STARTED_AT TIMESTAMP_NTZ(6))")


def without_names(text: str, address: Address) -> str:
    """Return a text without the names of account, host and user, and without the key."""
    names = {address.account: "ACCOUNT", address.user: "USER"} | ({address.host: "HOST"} if address.host else {})
    names |= {part: "ACCOUNT" for part in re.split(r"[-.]", address.account) if len(part) > 3}
    for name, instead in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?<![\w$]){re.escape(name)}(?![\w$])", instead, text, flags=re.IGNORECASE)
    return text.replace(address.private_key.strip(), "KEY") if address.private_key else text


def now() -> datetime:
    """Return the time of this machine, in UTC."""
    return datetime.now(UTC)


def environment(address: Address) -> dict[str, str]:
    """Return the environment of a process that works in the same database."""
    there = f"&host={address.host}&port={address.port}&protocol={address.protocol}" if address.host else ""
    named = f"user={address.user}&role={address.role}&warehouse={address.warehouse}"
    url = f"snowflake://{address.account}/{address.database}?{named}{there}"
    return os.environ | {ADDRESS: url} | ({KEY: address.private_key} if address.private_key else {})
