"""Which tables the emulator of Snowflake lets a table be cloned from, and the kind of table that a statement makes."""

from collections.abc import Iterator

import pytest
from snowflake.connector import DictCursor, SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from tests.contract import on_snowflake

from millrace.warehouse.snowflake.session import connect

SOURCES = {
    "permanent": "CREATE TABLE S (I NUMBER)",
    "transient": "create or replace transient table S as (select 1 as I)",
    "temporary": "CREATE TEMPORARY TABLE S (I NUMBER)",
}
KIND = "SELECT TABLE_TYPE, IS_TRANSIENT FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW' AND TABLE_NAME = ?"


@pytest.fixture(scope="module")
def connection(snowflake_at: str) -> Iterator[SnowflakeConnection]:
    with connect(on_snowflake.new_database(snowflake_at)) as opened:
        yield opened


@pytest.fixture
def run(connection: SnowflakeConnection) -> Iterator[on_snowflake.Run]:
    """Yield a function that runs a statement in an empty schema and returns its rows."""

    def ran(statement: str, *values: object) -> list[tuple[object, ...]]:
        with connection.cursor() as cursor:
            return list(cursor.execute(statement, values or None))  # type: ignore[arg-type]

    yield ran
    for (name,) in ran("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW'"):
        ran(f'DROP TABLE RAW."{name}"')


# https://docs.snowflake.com/en/sql-reference/sql/create-clone; the texts: SQLMesh/sqlmesh issue 4079 and others
@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param(
            "transient",
            (2120, "0A000", "Transient object cannot be cloned to a permanent object."),
            id="transient",
        ),
        pytest.param(
            "temporary",
            (2119, "0A000", "Temp table cannot be cloned to a permanent table; clone to a transient table instead."),
            id="temporary",
        ),
    ],
)
def test_clone_into_a_permanent_table_is_refused(
    run: on_snowflake.Run, source: str, said: tuple[int, str, str]
) -> None:
    run(SOURCES[source])
    with pytest.raises(ProgrammingError) as refused:
        run("CREATE OR REPLACE TABLE P CLONE S")
    errno, sqlstate, text = said
    assert (refused.value.errno, refused.value.sqlstate) == (errno, sqlstate)
    assert text in str(refused.value.msg)
    assert run(KIND, "P") == []


@pytest.mark.parametrize(
    ("source", "into", "kind"),
    [
        pytest.param("permanent", "TABLE", ("BASE TABLE", "NO"), id="permanent into permanent"),
        pytest.param("permanent", "TRANSIENT TABLE", ("BASE TABLE", "YES"), id="permanent into transient"),
        pytest.param("transient", "TRANSIENT TABLE", ("BASE TABLE", "YES"), id="transient into transient"),
        pytest.param("transient", "TEMPORARY TABLE", ("LOCAL TEMPORARY", "NO"), id="transient into temporary"),
        pytest.param("temporary", "TRANSIENT TABLE", ("BASE TABLE", "YES"), id="temporary into transient"),
    ],
)
def test_clone_has_the_kind_of_its_statement(
    run: on_snowflake.Run, source: str, into: str, kind: tuple[str, str]
) -> None:
    run(SOURCES[source])
    run(f"CREATE OR REPLACE {into} P CLONE S")
    assert run(KIND, "P") == [kind]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(["ALTER TABLE S RENAME TO T"], id="renamed"),
        pytest.param(["ALTER TABLE S RENAME TO T", "ALTER TABLE T ADD COLUMN J NUMBER"], id="and with another column"),
        pytest.param(["CREATE OR REPLACE TRANSIENT TABLE T CLONE S"], id="a clone of its own"),
    ],
)
def test_changed_transient_table_stays_transient(run: on_snowflake.Run, changes: list[str]) -> None:
    for statement in (SOURCES["transient"], *changes):
        run(statement)
    assert run(KIND, "T") == [("BASE TABLE", "YES")]
    with pytest.raises(ProgrammingError, match="Transient object cannot be cloned"):
        run("CREATE TABLE P CLONE T")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(["CREATE OR REPLACE TABLE S (I NUMBER)"], id="replaced"),
        pytest.param(["DROP TABLE S", "CREATE TABLE S (I NUMBER)"], id="dropped and created"),
    ],
)
def test_permanent_table_in_the_place_of_a_transient_one_is_cloned(run: on_snowflake.Run, changes: list[str]) -> None:
    for statement in (SOURCES["transient"], *changes, "CREATE TABLE P CLONE S"):
        run(statement)
    assert run(KIND, "P") == [("BASE TABLE", "NO")]


# https://docs.snowflake.com/en/sql-reference/sql/show-tables; dbt reads SHOW OBJECTS, where each of them is a TABLE
@pytest.mark.parametrize(
    ("source", "kind"),
    [
        pytest.param("permanent", "TABLE", id="permanent"),
        pytest.param("transient", "TRANSIENT", id="transient"),
        pytest.param("temporary", "TEMPORARY", id="temporary"),
    ],
)
def test_show_tables_has_the_kind(
    connection: SnowflakeConnection, run: on_snowflake.Run, source: str, kind: str
) -> None:
    run(SOURCES[source])
    shown = []
    for statement in ("SHOW TABLES IN SCHEMA RAW", "SHOW OBJECTS IN SCHEMA RAW"):
        with connection.cursor(DictCursor) as cursor:
            shown += [(row["name"], row["kind"]) for row in cursor.execute(statement)]  # type: ignore[union-attr]
    assert shown == [("S", kind), ("S", "TABLE")]


def test_views_are_listed_with_the_tables(run: on_snowflake.Run) -> None:
    """INFORMATION_SCHEMA.TABLES "displays a row for each table and view": docs/sql-reference/info-schema/tables."""
    run(SOURCES["permanent"])
    run("CREATE VIEW V AS SELECT I FROM S")
    listed = run("SELECT TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'RAW' ORDER BY 1")
    run("DROP VIEW V")
    assert listed == [("S", "BASE TABLE"), ("V", "VIEW")]
