"""Steps about the session and the database: sign-in and parameters, META, and the figures of the whole run."""

from collections.abc import Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from tests.verify_snowflake.checking import Unexpected, expect
from tests.verify_snowflake.place import OWN, Counted, Place

from millrace.errors import MillraceError, first_line
from millrace.warehouse.snowflake import objects

_PARAMETERS = ("TIMEZONE", "TIMESTAMP_TYPE_MAPPING")
_COLUMNS = """
    SELECT TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'META'
    ORDER BY TABLE_NAME, ORDINAL_POSITION"""
_HISTORY = """
    SELECT QUERY_TAG, COUNT(*), SUM(BYTES_SCANNED), SUM(TOTAL_ELAPSED_TIME), SUM(CREDITS_USED_CLOUD_SERVICES)
    FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(
        END_TIME_RANGE_START => DATEADD('second', -?, CURRENT_TIMESTAMP()), RESULT_LIMIT => 10000))
    GROUP BY QUERY_TAG ORDER BY QUERY_TAG"""


def sign_in(place: Place) -> Iterator[str]:
    """Say which session it is, and what Snowflake reports of the parameters that the loads depend on."""
    warehouse = place.open()
    ((version, region, role),) = warehouse.execute("SELECT CURRENT_VERSION(), CURRENT_REGION(), CURRENT_ROLE()")
    place.shared |= {"version": version, "region": region}
    yield f"Snowflake {version}, region {region}, role {role}"
    for name in _PARAMETERS:
        levels = {"account": "ACCOUNT", "user": f"USER {place.address.user}", "session": "SESSION"}
        said = {level: _parameter(warehouse, name, where) for level, where in levels.items()}
        yield f"{name}: " + ", ".join(f"{level} {value}" for level, value in said.items())
        if name == "TIMEZONE":
            expect("the zone of a session", said["session"], "UTC")
        else:
            expect("what TIMESTAMP means in a session", said["session"], "TIMESTAMP_NTZ")


def _parameter(warehouse: Counted, name: str, where: str) -> str:
    """Return a parameter's value as SHOW PARAMETERS reports it."""
    try:
        rows = warehouse.execute(f"SHOW PARAMETERS LIKE '{name}' IN {where}")
    except MillraceError as error:
        return f"not answered ({first_line(error)})"
    return next((str(row[1]) for row in rows if str(row[0]).upper() == name), "not listed")


def meta(place: Place) -> Iterator[str]:
    """Compare the tables and columns of META with the statements that Terraform exports; count the lock's rows."""
    warehouse = place.open()
    found: dict[str, list[str]] = {}
    for table, column in warehouse.execute(_COLUMNS):
        found.setdefault(table, []).append(column)
    expected = _exported()
    for table, columns in sorted(expected.items()):
        expect(f"the columns of META.{table}", sorted(found.get(table, [])), sorted(columns))
    yield f"{len(expected)} tables with {sum(map(len, expected.values()))} columns are as exported"
    others = sorted(found.keys() - expected.keys() - {OWN})
    yield f"other tables in META: {', '.join(others) or 'none'}"
    ((rows,),) = warehouse.execute("SELECT COUNT(*) FROM META.TURN")
    yield f"META.TURN has {rows} rows; the next number of META.LOAD_SEQ is {_drawn(warehouse)}"


def _drawn(warehouse: Counted) -> int:
    """Return a number of the sequence; Unexpected when the one after it is not larger."""
    (one,), (other,) = (warehouse.execute("SELECT META.LOAD_SEQ.NEXTVAL")[0] for _ in range(2))
    if int(other) <= int(one):
        raise Unexpected(f"META.LOAD_SEQ: expected a number above {one}, got {other}")
    return int(one)


def _exported() -> dict[str, list[str]]:
    """Return the columns of each table that the statements of Terraform create, with those of later releases."""
    tables: dict[str, list[str]] = {}
    for name, statement in objects.META.items():
        created = sqlglot.parse_one(statement, read="snowflake")
        columns = [column.name.upper() for column in created.find_all(exp.ColumnDef)]
        selected = created.find(exp.Select)
        if created.args.get("kind") == "TABLE":
            tables[name] = columns or [each.alias.upper() for each in (selected.selects if selected else ())]
    for name in objects.ADDED:
        table, column = name.split(".")
        tables[table].append(column)
    return tables


def figures(place: Place) -> Iterator[str]:
    """Say what the steps counted, and what the history of this user's statements says of the run."""
    counted: dict[str, str] = place.shared.get("figures", {})
    for what, figure in counted.items():
        yield f"{what}: {figure}"
    try:
        rows = place.open().execute(_HISTORY, int(place.seconds()) + 60)
    except MillraceError as error:
        yield f"the history of statements is not answered ({first_line(error)})"
        return
    for row in rows:
        yield _of_history(row)


def _of_history(row: tuple[Any, ...]) -> str:
    tag, statements, scanned, elapsed_ms, credits = row
    return (
        f"tag {tag or 'none'}: {statements} statements, {int(scanned or 0):,} bytes scanned, "
        f"{float(elapsed_ms or 0) / 1000:.1f} s in all, {float(credits or 0):.6f} credits of cloud services"
    )
