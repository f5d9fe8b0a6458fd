"""The statements that Terraform sends to Snowflake, and the names and settings of what it makes there."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.deploy.terraform.rig import PROJECT
from tests.deploy.terraform.rules import resources

Plan = dict[str, Any]

# Data definition statements and SHOW run without a warehouse. What reads or writes rows needs one, and so does a
# scripting block: https://docs.snowflake.com/en/user-guide/warehouses-overview
WITHOUT_WAREHOUSE = re.compile(r"(CREATE (?!.*\bAS\b)|ALTER |DROP |SHOW )", re.S)
OF_ROWS = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|MERGE|COPY INTO|CALL|BEGIN|DECLARE|EXECUTE IMMEDIATE|TRUNCATE)\b")


def needs_a_warehouse(statement: str) -> bool:
    return not WITHOUT_WAREHOUSE.match(statement) or bool(OF_ROWS.search(statement))


def statements(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield every statement of the plan with its resource: what it does, what undoes it, and what it reads."""
    for address, planned in resources(plan, "snowflake_execute"):
        for kind in ("execute", "revert", "query"):
            if planned.get(kind):
                yield f"{address}: {kind}", planned[kind]


@pytest.mark.parametrize(
    ("statement", "needs"),
    [
        ("CREATE TABLE IF NOT EXISTS META.A (B VARCHAR)", False),
        ("CREATE TABLE IF NOT EXISTS META.A AS SELECT 1 AS B", True),
        ("CREATE TABLE META.A AS (TABLE META.B)", True),
        ("SELECT 1", True),
        ("INSERT INTO META.A VALUES (1)", True),
        ("EXECUTE IMMEDIATE $$ BEGIN RETURN 1; END; $$", True),
        ("ALTER USER A UNSET SESSION POLICY", False),
        ("SHOW SCHEMAS", False),
    ],
)
def test_what_reads_or_writes_rows_needs_a_warehouse(statement: str, needs: bool) -> None:
    assert needs_a_warehouse(statement) is needs


def test_no_statement_of_meta_needs_a_warehouse() -> None:
    exported = json.loads((PROJECT / "terraform" / "snowflake.json").read_text())
    sent = exported["made"] | exported["added"]
    assert len(sent) >= 8
    assert [name for name, statement in sent.items() if needs_a_warehouse(statement)] == []


def test_no_statement_of_the_plan_needs_a_warehouse(plan: Plan) -> None:
    sent = dict(statements(plan))
    assert len(sent) > 30
    assert [name for name, statement in sent.items() if needs_a_warehouse(statement)] == []
