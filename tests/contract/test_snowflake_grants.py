"""Grants in the emulator of Snowflake: what a replaced table keeps, and what a role without a privilege is answered.

https://docs.snowflake.com/en/sql-reference/sql/create-table, "COPY GRANTS"
https://docs.snowflake.com/en/user-guide/security-access-control-privileges
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from tests.contract import on_snowflake

from emulators import snowflake
from millrace.warehouse.snowflake.session import connect

ADMINISTRATOR = "ACCOUNTADMIN"
FUTURE = "GRANT SELECT ON FUTURE TABLES IN SCHEMA RAW TO ROLE READS"
EXPLICIT = "GRANT INSERT ON TABLE RAW.T TO ROLE WRITES"


class Roles:
    """A database of an account with roles, and a session for each role that is asked for."""

    def __init__(self, where: str, stack: ExitStack) -> None:
        self._stack = stack
        self._address = on_snowflake.new_database(where)
        self._sessions: dict[str, SnowflakeConnection] = {}
        for role in ("OWNS", "READS", "WRITES", "NOTHING"):
            self.run(ADMINISTRATOR, f"CREATE ROLE IF NOT EXISTS {role}")
            self.run(ADMINISTRATOR, f"GRANT USAGE ON WAREHOUSE {self._address.warehouse} TO ROLE {role}")
            if role != "NOTHING":
                self.run(ADMINISTRATOR, f"GRANT USAGE ON SCHEMA RAW TO ROLE {role}")
        self.run(ADMINISTRATOR, "GRANT CREATE TABLE, CREATE VIEW ON SCHEMA RAW TO ROLE OWNS")

    def run(self, role: str, statement: str) -> list[tuple[object, ...]]:
        if role not in self._sessions:
            self._sessions[role] = self._stack.enter_context(connect(replace(self._address, role=role)))
        with self._sessions[role].cursor() as cursor:
            return list(cursor.execute(statement))  # type: ignore[arg-type]

    def granted(self, table: str = "RAW.T") -> set[tuple[object, ...]]:
        """Return the privileges on a table besides its owner's, and the roles that have them."""
        found = self.run(ADMINISTRATOR, f"SHOW GRANTS ON TABLE {table}")
        return {(privilege, role) for _, privilege, _, _, _, role, *_ in found if privilege != "OWNERSHIP"}


@pytest.fixture(scope="module")
def where() -> Iterator[str]:
    with snowflake.serving() as served:
        yield served


@pytest.fixture
def roles(where: str) -> Iterator[Roles]:
    with ExitStack() as stack:
        yield Roles(where, stack)


SELECTED, INSERTED = ("SELECT", "READS"), ("INSERT", "WRITES")


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        pytest.param("CREATE OR REPLACE TABLE RAW.T (I NUMBER)", {SELECTED}, id="replaced"),
        pytest.param("CREATE OR REPLACE TABLE RAW.T CLONE RAW.S", {SELECTED}, id="replaced by a clone"),
        pytest.param("CREATE OR REPLACE TABLE RAW.T COPY GRANTS (I NUMBER)", {INSERTED}, id="replaced with its grants"),
        pytest.param(
            "CREATE OR REPLACE TRANSIENT TABLE RAW.T CLONE RAW.S COPY GRANTS", {INSERTED}, id="clone, which is second"
        ),
        pytest.param("CREATE OR REPLACE TABLE RAW.T COPY GRANTS AS SELECT 1 AS I", {INSERTED}, id="of a query"),
        pytest.param("CREATE TABLE IF NOT EXISTS RAW.T (I NUMBER)", {INSERTED}, id="there already"),
        pytest.param("ALTER TABLE RAW.T ADD COLUMN J NUMBER", {INSERTED}, id="altered"),
    ],
)
def test_replaced_table_keeps_only_copied_grants_else_gets_future_ones(
    roles: Roles, statement: str, kept: set[tuple[str, str]]
) -> None:
    roles.run("OWNS", "CREATE TABLE RAW.S (I NUMBER)")
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run(ADMINISTRATOR, EXPLICIT)
    roles.run(ADMINISTRATOR, FUTURE)
    roles.run("OWNS", statement)
    assert roles.granted() == kept


def test_clone_with_copied_grants_has_those_of_its_source_and_no_future_ones(roles: Roles) -> None:
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run(ADMINISTRATOR, EXPLICIT)
    roles.run(ADMINISTRATOR, FUTURE)
    roles.run("OWNS", "CREATE TABLE RAW.N CLONE RAW.T COPY GRANTS")
    assert roles.granted("RAW.N") == {INSERTED}


def test_renamed_table_keeps_its_grants_and_a_dropped_one_none(roles: Roles) -> None:
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run(ADMINISTRATOR, EXPLICIT)
    roles.run("OWNS", "ALTER TABLE RAW.T RENAME TO RAW.N")
    assert roles.granted("RAW.N") == {INSERTED}
    roles.run("OWNS", "DROP TABLE RAW.N")
    roles.run("OWNS", "CREATE TABLE RAW.N (I NUMBER)")
    assert roles.granted("RAW.N") == set()


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT I FROM RAW.T", id="select"),
        pytest.param("UPDATE RAW.T SET I = 1", id="update"),
        pytest.param("DELETE FROM RAW.T", id="delete"),
        pytest.param("TRUNCATE TABLE RAW.T", id="truncate"),
        pytest.param("MERGE INTO RAW.T USING (SELECT 1 AS J) ON I = J WHEN MATCHED THEN DELETE", id="merge"),
        pytest.param("INSERT OVERWRITE INTO RAW.T SELECT 1", id="insert overwrite"),
        pytest.param("DROP TABLE RAW.T", id="drop"),
        pytest.param("ALTER TABLE RAW.T ADD COLUMN J NUMBER", id="alter"),
        pytest.param("INSERT INTO RAW.T SELECT I FROM RAW.T", id="insert of itself"),
    ],
)
def test_missing_privilege_on_a_visible_table_is_refused(roles: Roles, statement: str) -> None:
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run(ADMINISTRATOR, EXPLICIT)
    roles.run("WRITES", "INSERT INTO RAW.T VALUES (1)")
    with pytest.raises(ProgrammingError, match="Insufficient privileges to operate on table 'T'") as refused:
        roles.run("WRITES", statement)
    assert (refused.value.errno, refused.value.sqlstate) == (3001, "42501")
    assert roles.run("OWNS", "SELECT I FROM RAW.T") == [(1,)]


@pytest.mark.parametrize("role", [pytest.param("READS", id="no grant"), pytest.param("NOTHING", id="no schema")])
def test_table_without_any_privilege_reads_as_missing(roles: Roles, role: str) -> None:
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    with pytest.raises(ProgrammingError, match="does not exist or not authorized") as refused:
        roles.run(role, "SELECT I FROM RAW.T")
    assert refused.value.errno == 2003
    roles.run(ADMINISTRATOR, "GRANT SELECT ON ALL TABLES IN SCHEMA RAW TO ROLE READS")
    assert roles.run("READS", "SELECT I FROM RAW.T") == []


def test_table_is_created_only_with_the_privilege_on_its_schema(roles: Roles) -> None:
    with pytest.raises(ProgrammingError, match="Insufficient privileges to operate on schema 'RAW'"):
        roles.run("WRITES", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run("WRITES", "CREATE TEMPORARY TABLE RAW.T (I NUMBER)")  # needs no privilege to create tables
    roles.run("WRITES", "INSERT INTO RAW.T VALUES (1)")


def test_view_is_read_by_the_right_of_its_owner(roles: Roles) -> None:
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run("OWNS", "CREATE VIEW RAW.V AS SELECT I FROM RAW.T")
    roles.run(ADMINISTRATOR, "GRANT SELECT ON VIEW RAW.V TO ROLE READS")
    assert roles.run("READS", "WITH T AS (SELECT I FROM RAW.V) SELECT I FROM T") == []
    roles.run(ADMINISTRATOR, "REVOKE SELECT ON VIEW RAW.V FROM ROLE READS")
    with pytest.raises(ProgrammingError, match="does not exist or not authorized"):
        roles.run("READS", "SELECT I FROM RAW.V")


def test_role_without_usage_of_the_warehouse_has_none(roles: Roles, where: str) -> None:
    roles.run(ADMINISTRATOR, "CREATE ROLE IF NOT EXISTS WITHOUT_USAGE")
    roles.run(ADMINISTRATOR, "GRANT USAGE ON SCHEMA RAW TO ROLE WITHOUT_USAGE")
    roles.run("OWNS", "CREATE TABLE RAW.T (I NUMBER)")
    roles.run(ADMINISTRATOR, "GRANT SELECT ON TABLE RAW.T TO ROLE WITHOUT_USAGE")
    with pytest.raises(ProgrammingError, match="No active warehouse"):
        roles.run("WITHOUT_USAGE", "SELECT I FROM RAW.T")
