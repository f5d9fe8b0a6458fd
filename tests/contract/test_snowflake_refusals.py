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


@pytest.mark.parametrize(
    ("statement", "errno", "sqlstate"),
    [
        pytest.param("SELECT nope FROM t", 904, "42000", id="an unknown column"),
        pytest.param("SELECT t.nope FROM t", 904, "42000", id="an unknown column of a table"),
        pytest.param("SELECT u.id FROM t", 904, "42000", id="an unknown alias"),
        pytest.param("UPDATE t SET nope = 1", 904, "42000", id="an unknown column to set"),
        pytest.param("INSERT INTO t (nope) VALUES (1)", 904, "42000", id="an unknown column to fill"),
        pytest.param("SELECT id FROM t JOIN t AS u ON t.id = u.id", 2028, "42601", id="an ambiguous column"),
        pytest.param("SELECT * FROM missing", 2003, "42S02", id="an unknown table"),
        pytest.param("DROP VIEW missing", 2003, "42S02", id="an unknown view"),
        pytest.param("SELECT * FROM nowhere.missing", 2003, "02000", id="an unknown schema"),
        pytest.param("SELECT id, COUNT(*) FROM t", 979, "42601", id="a column beside an aggregate"),
        pytest.param("SELECT name, SUM(id) FROM t GROUP BY id", 979, "42601", id="a column that is not grouped"),
        pytest.param("SELECT n * b FROM t", 1044, "42P13", id="a number by a boolean"),
        pytest.param("SELECT CAST('one' AS INT)", 100038, "22018", id="a text for a number"),
        pytest.param("SELECT CAST('one' AS BOOLEAN)", 100037, "22018", id="a text for a boolean"),
        pytest.param("SELECT CAST('one' AS DATE)", 100040, "22007", id="a text for a day"),
        pytest.param("SELECT CAST('one' AS TIMESTAMP_NTZ)", 100035, "22007", id="a text for an instant"),
        pytest.param("SELECT CAST(1000 AS NUMBER(2, 0))", 100039, "22003", id="a number that does not fit"),
        pytest.param("INSERT INTO t (id) VALUES (1)", 100072, "22000", id="no value for NOT NULL"),
        pytest.param("SELECT (SELECT id FROM t)", 90150, "22000", id="two rows for one value"),
        pytest.param("SELECT 1 / 0", 100051, "22012", id="a division by zero"),
        pytest.param("SELECT SUM(id) / COUNT(n) FROM t", 100051, "22012", id="a division by a sum of zero"),
        pytest.param("SELECT REGEXP_LIKE('a', '[a')", 100048, "2201B", id="a pattern that has no end"),
        pytest.param("SELECT REGEXP_LIKE(name, '(?:x)') FROM t", 100048, "2201B", id="a group of Perl"),
        pytest.param(
            "SELECT REGEXP_LIKE(name, x) FROM (SELECT name, '(?i)X' AS x FROM t)", 100048, "2201B", id="a flag"
        ),
        pytest.param("SELECT REGEXP_REPLACE(name, 'x(?=y)', '') FROM t", 100048, "2201B", id="what follows"),
        pytest.param("CREATE TABLE t (a INT)", 2002, "42710", id="a table twice"),
        pytest.param("CREATE TABLE u (a INT, a INT)", 2025, "42S21", id="a column twice"),
        pytest.param("CREATE OR REPLACE VIEW t AS SELECT 1 AS a", 2203, "02000", id="a view for a table"),
    ],
)
def test_error_of_the_engine_has_the_number_of_snowflake(run: Run, statement: str, errno: int, sqlstate: str) -> None:
    run("CREATE TABLE t (id INT, name VARCHAR NOT NULL, b BOOLEAN, n NUMBER(38, 9))")
    run("INSERT INTO t (id, name) VALUES (1, 'x'), (2, 'y')")
    with pytest.raises(connector.errors.DatabaseError) as refused:
        run(statement)
    assert (refused.value.errno, refused.value.sqlstate) == (errno, sqlstate)


def test_division_by_what_is_not_zero_runs(run: Run) -> None:
    assert run("SELECT 6 / 2, 1 / NULLIF(0, 0), SUM(a) / COUNT(a) FROM (SELECT 4 AS a UNION ALL SELECT 2)") == [
        (3, None, 3)
    ]


def test_pattern_of_posix_runs_and_its_brackets_hold_any_character(run: Run) -> None:
    patterns = ("[(?]+", "[]*+]+", r"\\(\\?", "(a|b)?x{1,2}", "[^(?]")
    texts = ("(?", "*+]", "(?", "axx", "z")
    statement = ", ".join(f"REGEXP_LIKE('{text}', '{pattern}')" for text, pattern in zip(texts, patterns, strict=True))
    assert run(f"SELECT {statement}, REGEXP_LIKE('a', NULL)") == [(True,) * 5 + (None,)]
