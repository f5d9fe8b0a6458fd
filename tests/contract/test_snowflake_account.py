"""The state of an account in the emulator of Snowflake: transactions, warehouses, parameters of account, user, session.

Each test names the documentation whose sentence it checks.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake import connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError
from tests.contract import on_snowflake

from emulators import snowflake
from millrace.warehouse.snowflake.session import Address, connect

ADMINISTRATOR = "ACCOUNTADMIN"
NEW_YEAR = "2026-01-01 01:00:00"
Open = Callable[..., SnowflakeConnection]
Rows = list[tuple[Any, ...]]


def run(session: SnowflakeConnection, statement: str, *values: object) -> Rows:
    with session.cursor() as cursor:
        return list(cursor.execute(statement, values or None))  # type: ignore[arg-type]


def described(session: SnowflakeConnection, statement: str) -> list[dict[str, Any]]:
    with session.cursor() as cursor:
        rows = list(cursor.execute(statement))  # type: ignore[arg-type]
        return [dict(zip([column.name for column in cursor.description], row, strict=True)) for row in rows]


@pytest.fixture
def address(snowflake_at: str) -> Address:
    """Return the address of a user to whom no other test has given a warehouse or parameters."""
    return replace(on_snowflake.new_database(snowflake_at), user=f"U{secrets.token_hex(4).upper()}")


@pytest.fixture
def sign_in(address: Address) -> Iterator[Open]:
    """Yield a function that opens a session, with another user, role or warehouse, and with session parameters."""
    with ExitStack() as stack:

        def opened(parameters: dict[str, Any] | None = None, **who: Any) -> SnowflakeConnection:
            return stack.enter_context(connect(replace(address, **who), **(parameters or {})))

        yield opened


@pytest.fixture
def holder(sign_in: Open) -> SnowflakeConnection:
    """Return a session with a transaction that has locked RAW.TURN."""
    session = sign_in()
    run(session, "CREATE TABLE RAW.TURN AS SELECT 0 AS TAKEN")
    run(session, "BEGIN NAME T1")
    run(session, "UPDATE RAW.TURN SET TAKEN = 1")
    return session


# https://docs.snowflake.com/en/sql-reference/transactions


def test_begin_in_a_transaction_is_ignored(holder: SnowflakeConnection, sign_in: Open) -> None:
    (before,) = run(holder, "SELECT CURRENT_TRANSACTION()")
    run(holder, "BEGIN TRANSACTION")
    assert run(holder, "SELECT CURRENT_TRANSACTION()") == [before]
    run(holder, "ROLLBACK")
    assert run(holder, "SELECT CURRENT_TRANSACTION()") == [(None,)]
    assert run(sign_in(), "SELECT TAKEN FROM RAW.TURN") == [(0,)]


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param("CREATE TABLE RAW.N (I NUMBER)", id="create"),
        pytest.param("ALTER TABLE RAW.TURN ADD COLUMN J NUMBER", id="alter"),
        pytest.param("CREATE TEMPORARY TABLE RAW.N AS SELECT 1 AS I", id="create temporary table as select"),
    ],
)
def test_definition_commits_the_transaction(holder: SnowflakeConnection, sign_in: Open, definition: str) -> None:
    run(holder, definition)
    assert run(holder, "SELECT CURRENT_TRANSACTION()") == [(None,)]
    assert run(sign_in({"LOCK_TIMEOUT": 0}), "UPDATE RAW.TURN SET TAKEN = TAKEN + 1") == [(1, 0)]


def test_session_that_ends_rolls_its_transaction_back(holder: SnowflakeConnection, sign_in: Open) -> None:
    holder.close()
    other = sign_in({"LOCK_TIMEOUT": 0})
    run(other, "UPDATE RAW.TURN SET TAKEN = TAKEN + 10")
    assert run(other, "SELECT TAKEN FROM RAW.TURN") == [(10,)]


def test_without_autocommit_a_change_begins_a_transaction(sign_in: Open) -> None:
    session, other = sign_in(), sign_in({"LOCK_TIMEOUT": 0})
    run(session, "CREATE TABLE RAW.TURN AS SELECT 0 AS TAKEN")
    session.autocommit(False)
    run(session, "UPDATE RAW.TURN SET TAKEN = 1")
    assert run(other, "SELECT TAKEN FROM RAW.TURN") == [(0,)]
    with pytest.raises(ProgrammingError, match="has locked table 'TURN'"):
        run(other, "UPDATE RAW.TURN SET TAKEN = 2")
    session.commit()
    assert run(other, "SELECT TAKEN FROM RAW.TURN") == [(1,)]


@pytest.mark.parametrize(
    "comment", [pytest.param("/* {{}} */ {}", id="before"), pytest.param("{}\n/* {{}} */;", id="behind, as dbt does")]
)
def test_comment_around_a_statement_of_a_transaction_is_none_of_it(sign_in: Open, comment: str) -> None:
    session, other = sign_in(), sign_in()
    run(session, "CREATE TABLE RAW.TURN AS SELECT 0 AS TAKEN")
    run(session, comment.format("begin"))
    assert run(session, "SELECT CURRENT_TRANSACTION()") != [(None,)]
    run(session, comment.format("update RAW.TURN set TAKEN = 1"))
    assert run(other, "SELECT TAKEN FROM RAW.TURN") == [(0,)]
    run(session, comment.format("commit"))
    assert run(other, "SELECT TAKEN FROM RAW.TURN") == [(1,)]
    run(session, comment.format("alter session set TIMEZONE = 'Asia/Tokyo'"))
    assert run(session, comment.format("show parameters like 'TIMEZONE'"))[0][1] == "Asia/Tokyo"


# https://docs.snowflake.com/en/sql-reference/sql/show-transactions and …/show-locks


def test_show_transactions_lists_those_of_the_user(
    holder: SnowflakeConnection, address: Address, sign_in: Open
) -> None:
    (found,) = [each for each in described(sign_in(), "SHOW TRANSACTIONS") if each["session"] == holder.session_id]
    assert list(found) == ["id", "user", "session", "name", "started_on", "state", "scope"]
    assert (found["user"], found["name"], found["state"], found["scope"]) == (address.user, "T1", "running", 0)
    assert str(found["id"]) == run(holder, "SELECT CURRENT_TRANSACTION()")[0][0]
    assert found["started_on"].tzinfo is not None
    other = sign_in(user="ANOTHER")
    assert found["id"] not in [each["id"] for each in described(other, "SHOW TRANSACTIONS IN ACCOUNT")]
    administrator = sign_in(user="ANOTHER", role=ADMINISTRATOR)
    assert found["id"] not in [each["id"] for each in described(administrator, "SHOW TRANSACTIONS")]
    assert found["id"] in [each["id"] for each in described(administrator, "SHOW TRANSACTIONS IN ACCOUNT")]


def test_show_locks_lists_the_lock_of_a_table(holder: SnowflakeConnection, sign_in: Open, address: Address) -> None:
    mine = f"{address.database}.RAW.TURN"
    (found,) = [each for each in described(sign_in(), "SHOW LOCKS") if each["resource"] == mine]
    assert list(found) == [
        "resource",
        "type",
        "transaction",
        "transaction_started_on",
        "status",
        "acquired_on",
        "query_id",
    ]
    assert (found["type"], found["status"]) == ("PARTITIONS", "HOLDING")
    run(holder, "COMMIT")
    assert mine not in [each["resource"] for each in described(sign_in(), "SHOW LOCKS")]


# https://docs.snowflake.com/en/sql-reference/functions/system_abort_transaction


@pytest.mark.parametrize(
    "who",
    [
        pytest.param({}, id="by the user who started it"),
        pytest.param({"user": "ANOTHER", "role": ADMINISTRATOR}, id="by an account administrator"),
    ],
)
def test_aborted_transaction_is_rolled_back(holder: SnowflakeConnection, sign_in: Open, who: dict[str, str]) -> None:
    ((number,),) = run(holder, "SELECT CURRENT_TRANSACTION()")
    other = sign_in({"LOCK_TIMEOUT": 0}, **who)
    assert run(other, f"SELECT SYSTEM$ABORT_TRANSACTION({number})") == [(f"Aborted transaction id: {number}",)]
    run(other, "UPDATE RAW.TURN SET TAKEN = TAKEN + 10")
    with pytest.raises(ProgrammingError) as refused:
        run(holder, "UPDATE RAW.TURN SET TAKEN = 7")
    assert (refused.value.errno, refused.value.sqlstate) == (615, "57014")
    assert run(holder, "SELECT TAKEN FROM RAW.TURN") == [(10,)]


def test_transaction_of_another_user_is_not_aborted(holder: SnowflakeConnection, sign_in: Open) -> None:
    ((number,),) = run(holder, "SELECT CURRENT_TRANSACTION()")
    with pytest.raises(ProgrammingError, match="Insufficient privileges"):
        run(sign_in(user="ANOTHER"), "SELECT SYSTEM$ABORT_TRANSACTION(?)", number)
    run(holder, "COMMIT")
    assert run(holder, "SELECT TAKEN FROM RAW.TURN") == [(1,)]


def test_transaction_of_a_client_that_vanished_stays_until_it_is_aborted(
    address: Address, sign_in: Open, holder: SnowflakeConnection
) -> None:
    ((number,),) = run(holder, "SELECT CURRENT_TRANSACTION()")
    holder.rest.delete_session = lambda *_, **__: None  # type: ignore[method-assign, union-attr]
    holder.close()
    other = sign_in({"LOCK_TIMEOUT": 0})
    with pytest.raises(ProgrammingError, match=f"in transaction {number}"):
        run(other, "UPDATE RAW.TURN SET TAKEN = 2")
    run(other, f"SELECT SYSTEM$ABORT_TRANSACTION('{number}')")
    assert run(other, "UPDATE RAW.TURN SET TAKEN = TAKEN + 10") == [(1, 0)]


def test_context_functions_answer_of_the_session(sign_in: Open) -> None:
    session = sign_in(user="ANOTHER")
    found = run(session, "SELECT CURRENT_USER(), CURRENT_SESSION(), CURRENT_WAREHOUSE(), CURRENT_TRANSACTION()")
    assert found == [("ANOTHER", str(session.session_id), "MILLRACE", None)]


# https://docs.snowflake.com/en/user-guide/warehouses-overview


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT I FROM RAW.T", id="query"),
        pytest.param("SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS", id="information schema"),
        pytest.param("INSERT INTO RAW.T VALUES (2)", id="insert"),
        pytest.param("UPDATE RAW.T SET I = 2", id="update"),
        pytest.param("DELETE FROM RAW.T WHERE I = 1", id="delete"),
        pytest.param("MERGE INTO RAW.T USING (SELECT 1 AS J) ON I = J WHEN MATCHED THEN DELETE", id="merge"),
        pytest.param("CREATE TABLE RAW.N AS SELECT 1 AS I", id="create table as select"),
    ],
)
@pytest.mark.parametrize("warehouse", [pytest.param("", id="none"), pytest.param("NOT_THERE", id="unknown")])
def test_statement_without_a_warehouse_is_refused(sign_in: Open, warehouse: str, statement: str) -> None:
    run(sign_in(), "CREATE TABLE RAW.T AS SELECT 1 AS I")
    with pytest.raises(ProgrammingError) as refused:
        run(sign_in(warehouse=warehouse), statement)
    assert (refused.value.errno, refused.value.sqlstate) == (606, "57P03")
    assert "No active warehouse selected in the current session." in str(refused.value.msg)
    assert run(sign_in(), "SELECT I FROM RAW.T") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("CREATE TABLE IF NOT EXISTS RAW.N (I NUMBER)", id="create table"),
        pytest.param("CREATE OR REPLACE VIEW RAW.V AS SELECT I FROM RAW.T", id="create view"),
        pytest.param("CREATE TABLE RAW.N CLONE RAW.T", id="clone"),
        pytest.param("ALTER TABLE RAW.T ADD COLUMN J NUMBER", id="alter table"),
        pytest.param("SHOW TABLES IN SCHEMA RAW", id="show"),
        pytest.param("DESCRIBE TABLE RAW.T", id="describe"),
        pytest.param("SELECT CURRENT_USER()", id="query of no table"),
        pytest.param("SELECT COUNT(*) FROM RAW.T", id="count of a table"),
        pytest.param("BEGIN", id="begin"),
    ],
)
def test_statement_that_needs_no_warehouse_is_answered(sign_in: Open, statement: str) -> None:
    run(sign_in(), "CREATE TABLE RAW.T AS SELECT 1 AS I")
    session = sign_in(warehouse="")
    assert run(session, "SELECT CURRENT_WAREHOUSE()") == [(None,)]
    assert run(session, statement)  # each has an answer of at least a row


def test_session_takes_the_default_warehouse_of_its_user(sign_in: Open) -> None:
    session = sign_in(user="WITH_DEFAULT", warehouse="")
    run(session, "CREATE TABLE RAW.T (I NUMBER)")
    run(session, "CREATE OR REPLACE USER WITH_DEFAULT DEFAULT_WAREHOUSE = MILLRACE")
    with pytest.raises(ProgrammingError, match="No active warehouse"):
        run(session, "SELECT I FROM RAW.T")
    assert run(sign_in(user="WITH_DEFAULT", warehouse=""), "SELECT I FROM RAW.T") == []
    run(session, "USE WAREHOUSE MILLRACE")
    assert run(session, "SELECT I FROM RAW.T") == []


def test_use_of_an_unknown_warehouse_is_refused(sign_in: Open) -> None:
    with pytest.raises(ProgrammingError) as refused:
        run(sign_in(), "USE WAREHOUSE NOT_THERE")
    assert (refused.value.errno, refused.value.sqlstate) == (2043, "02000")


# https://docs.snowflake.com/en/sql-reference/parameters


def plain(address: Address, **parameters: object) -> SnowflakeConnection:
    """Return a session that sets no parameter but these."""
    return connector.connect(
        account=address.account,
        user=address.user,
        password="any",
        database=address.database,
        schema="RAW",
        warehouse=address.warehouse,
        host=address.host,
        port=address.port,
        protocol=address.protocol,
        paramstyle="qmark",
        session_parameters=parameters,
    )


def test_parameter_is_of_session_else_user_else_account(address: Address) -> None:
    with plain(address) as session:
        value = "SHOW PARAMETERS LIKE 'TIMEZONE' IN SESSION"
        assert run(session, value)[0][1] == "America/Los_Angeles"
        run(session, f"ALTER USER IF EXISTS {address.user}_P SET TIMEZONE = 'Asia/Tokyo'")
        assert run(session, f"SHOW PARAMETERS LIKE 'TIMEZONE' IN USER {address.user}_P")[0][1] == "Asia/Tokyo"
        assert run(session, "SHOW PARAMETERS LIKE 'TIMEZONE' IN ACCOUNT")[0][1:4:2] == ("America/Los_Angeles", "")
    other = replace(address, user=f"{address.user}_P")
    with plain(other) as session:
        assert run(session, value)[0][1] == "Asia/Tokyo"
        run(session, "ALTER SESSION SET TIMEZONE = 'Europe/Berlin', LOCK_TIMEOUT = 3")
        assert run(session, value)[0][1] == "Europe/Berlin"
        run(session, "ALTER SESSION UNSET TIMEZONE")
        assert run(session, value)[0][1] == "Asia/Tokyo"
    with plain(other, TIMEZONE="UTC") as session:
        assert run(session, value)[0][1] == "UTC"


def test_unknown_time_zone_is_refused(sign_in: Open) -> None:
    with pytest.raises(ProgrammingError) as refused:
        run(sign_in(), "ALTER SESSION SET TIMEZONE = 'Europe/Atlantis'")
    assert (refused.value.errno, refused.value.sqlstate) == (1008, "22023")


# https://docs.snowflake.com/en/sql-reference/data-types-datetime


@pytest.mark.parametrize(
    ("mapping", "kind"),
    [
        pytest.param(None, "TIMESTAMP_NTZ", id="default"),
        pytest.param("TIMESTAMP_LTZ", "TIMESTAMP_LTZ", id="of the session"),
    ],
)
def test_timestamp_is_what_the_mapping_says_and_datetime_is_ntz(sign_in: Open, mapping: str | None, kind: str) -> None:
    session = sign_in({"TIMESTAMP_TYPE_MAPPING": mapping} if mapping else None)
    run(session, "CREATE TABLE RAW.T (A TIMESTAMP, B DATETIME, C TIMESTAMP_NTZ(6))")
    run(session, "CREATE TABLE RAW.S AS SELECT CAST(A AS TIMESTAMP) AS A, A::DATETIME AS B FROM RAW.T")
    kinds = "SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = ? ORDER BY ORDINAL_POSITION"
    assert run(session, kinds, "T") == [(kind,), ("TIMESTAMP_NTZ",), ("TIMESTAMP_NTZ",)]
    assert run(session, kinds, "S") == [(kind,), ("TIMESTAMP_NTZ",)]


def test_mapping_of_the_account_is_an_option_of_the_server() -> None:
    options: dict[str, Any] = {"timezone": "Asia/Tokyo", "timestamp_type_mapping": "TIMESTAMP_LTZ"}
    with snowflake.serving(**options) as where, plain(on_snowflake.new_database(where)) as session:
        run(session, "CREATE TABLE RAW.T (A TIMESTAMP)")
        run(session, "INSERT INTO RAW.T SELECT CAST('2026-01-01 00:00:00' AS TIMESTAMP_NTZ)")
        assert run(session, "SELECT A FROM RAW.T") == [(datetime(2025, 12, 31, 15, tzinfo=UTC),)]


@pytest.mark.parametrize(
    ("zone", "wall", "day"),
    [
        pytest.param("UTC", "2026-01-01 01:00:00", "2026-01-01", id="UTC"),
        pytest.param("America/Los_Angeles", "2025-12-31 17:00:00", "2025-12-31", id="Los Angeles"),
    ],
)
def test_ltz_put_into_ntz_takes_the_wall_clock_of_the_session(
    sign_in: Open, tmp_path: Path, zone: str, wall: str, day: str
) -> None:
    session = sign_in({"TIMEZONE": zone})
    run(session, "CREATE TABLE RAW.T (WALL TIMESTAMP_NTZ(6), DAY DATE)")
    instant = f"CAST('{NEW_YEAR}+00:00' AS TIMESTAMP_LTZ)"
    run(session, f"INSERT INTO RAW.T SELECT {instant}, CAST({instant} AS DATE)")
    assert run(session, "SELECT TO_CHAR(WALL), TO_CHAR(DAY) FROM RAW.T") == [(wall, day)]
    assert run(session, f"SELECT TO_CHAR(CAST({instant} AS TIMESTAMP_NTZ))") == [(wall,)]
    instants = pa.array([datetime.fromisoformat(f"{NEW_YEAR}+00:00")], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"WALL": instants}), tmp_path / "part.parquet")
    run(session, f"CREATE STAGE RAW.S URL = 'file://{tmp_path}/'")
    run(session, "DELETE FROM RAW.T")
    run(
        session,
        "COPY INTO RAW.T FROM @RAW.S FILES = ('part.parquet') MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FILE_FORMAT = "
        "(TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE)",
    )
    assert run(session, "SELECT TO_CHAR(WALL) FROM RAW.T") == [(wall,)]


def test_bound_instant_without_a_zone_is_no_instant_of_the_zone(sign_in: Open) -> None:
    session = sign_in({"TIMEZONE": "America/Los_Angeles"})
    run(session, "CREATE TABLE RAW.T (WALL TIMESTAMP_NTZ(6))")
    run(session, "INSERT INTO RAW.T VALUES (?)", datetime.fromisoformat(NEW_YEAR))
    assert run(session, "SELECT WALL FROM RAW.T") == [(datetime.fromisoformat(NEW_YEAR),)]
