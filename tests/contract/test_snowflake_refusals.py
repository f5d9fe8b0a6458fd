"""The emulator of Snowflake refuses what Snowflake refused in public reports, and takes documented forms.

The real connector talks to the served emulator, so that number and SQLSTATE are those that a client receives.
"""

import secrets
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from snowflake import connector

STATEMENTS = tomllib.loads((Path(__file__).with_name("snowflake_statements.toml")).read_text())
Run = Callable[..., list[Any]]


@pytest.fixture
def run(snowflake_at: str) -> Iterator[Run]:
    """Run a statement in a database of its own, which `{database}` stands for; return its rows."""
    place = dict(each.split("=") for each in snowflake_at.split("&"))
    database, opened = f"D{secrets.token_hex(6).upper()}", {}

    def connected(**named: Any) -> Any:
        where = {"host": place["host"], "port": int(place["port"]), "protocol": place["protocol"]}
        return connector.connect(account="acme", user="reader", password="none", warehouse="MILLRACE", **where, **named)

    def ran(statement: str, schema: str = "PUBLIC", named: str = database) -> list[Any]:
        if (named, schema) not in opened:
            opened[named, schema] = connected(database=named or None, schema=schema or None)
        rows: list[Any] = opened[named, schema].cursor().execute(statement.replace("{database}", database)).fetchall()
        return rows

    with connected(database=database, schema="PUBLIC") as connection:
        connection.cursor().execute("CREATE WAREHOUSE IF NOT EXISTS MILLRACE")
        yield ran
    for connection in opened.values():
        connection.close()


def _named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case.get("name") or case["page"].rpartition("/")[2]) for case in cases]


@pytest.mark.parametrize("report", _named(STATEMENTS["report"]))
def test_reported_statement_is_refused_with_the_number_of_snowflake(run: Run, report: dict[str, Any]) -> None:
    for statement in report["before"]:
        run(statement)
    place = {"schema": report.get("schema", "PUBLIC")} | ({"named": ""} if report.get("database") == "" else {})
    with pytest.raises(connector.errors.ProgrammingError) as refused:
        run(report["statement"], **place)
    assert (refused.value.errno, refused.value.sqlstate) == (report["errno"], report["sqlstate"])
    assert isinstance(run(report["documented"], **place), list)


def test_ten_reports_of_other_projects_have_several_numbers() -> None:
    reports = STATEMENTS["report"]
    assert len({(report["repository"], report["issue"]) for report in reports}) == len(reports) == 10
    assert len({report["errno"] for report in reports}) >= 8


@pytest.mark.parametrize("example", _named([each for each in STATEMENTS["example"] if each.get("runs", True)]))
def test_example_of_the_documentation_runs(run: Run, example: dict[str, Any]) -> None:
    for statement in example.get("before", ()):
        run(statement)
    assert isinstance(run(example["statement"]), list)
