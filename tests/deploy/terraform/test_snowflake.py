"""The statements that Terraform sends to Snowflake, and the names and settings of what it makes there."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.deploy.terraform.access import warehouses
from tests.deploy.terraform.conftest import Checked
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


def test_nothing_is_left_of_snowpipe_but_its_refusals(plan: Plan) -> None:
    traces = re.compile(
        r"snowpipe|CREATE PIPE|snowflake_(pipe|notification_integration)\b|PIPED|METADATA\$FILENAME", re.I
    )
    suffixes = (".py", ".tf", ".json", ".sql", ".yml", ".sh")
    files = [
        path
        for folder in ("src", "functions", "jobs", "terraform", "local")
        for path in (PROJECT / folder).rglob("*")
        if path.suffix in suffixes and not {".terraform", "target", "node_modules"} & set(path.parts)
    ]
    lines = [(path.name, line.strip()) for path in files for line in path.read_text(errors="replace").splitlines()]
    assert len(files) > 250
    refusal = 'error_message = "snowflake_staging was removed with Snowpipe: parts are copied when they are loaded. '
    assert [(name, line) for name, line in lines if traces.search(line)] == [
        ("variables.tf", f'{refusal}Remove the setting."')
    ]
    kinds = {address.split(".")[2] for address, _ in resources(plan) if ".snowflake_" in address}
    assert not {"snowflake_pipe", "snowflake_notification_integration"} & kinds


def test_names_of_an_environment_with_a_prefix_are_those_of_no_other(plan: Plan, variant: Checked) -> None:
    of_production, of_variant = (names_in_the_account(each) for each in (plan, variant.plan))
    assert {name.split("_")[0] for _, name in of_production} == {"MILLRACE"}
    assert len(of_variant) == len(of_production) == 11
    assert of_variant & of_production == set()
    assert [name for _, name in of_variant if not re.fullmatch(r"[A-Z_][A-Z0-9_$]{0,254}", name)] == []


def names_in_the_account(plan: Plan) -> set[tuple[str, str]]:
    """Return kind and name of all that Terraform makes outside of the database."""
    kinds = ("account_role", "database", "resource_monitor", "service_user", "storage_integration", "warehouse")
    return {(kind, planned["name"]) for kind in kinds for _, planned in resources(plan, f"snowflake_{kind}")}


def test_addresses_of_an_environment_name_what_it_makes(variant: Checked) -> None:
    made = {name for _, name in names_in_the_account(variant.plan)}
    addresses = [urlsplit(address) for _, address in warehouses(variant.plan)]
    assert len(addresses) == 4
    named = {each.path.strip("/") for each in addresses}
    named |= {value for each in addresses for _, value in parse_qsl(each.query)}
    assert named == made - {"MILLRACE_DEV_LAKE"}


def test_at_most_20_instances_wait_for_the_write_lock(plan: Plan) -> None:
    services = dict(resources(plan, "google_cloud_run_v2_service"))
    writers = [services[f"module.{name}.google_cloud_run_v2_service.this"]["template"][0] for name in ("load", "sweep")]
    assert [each["max_instance_request_concurrency"] for each in writers] == [1, 1]
    ((_, job),) = resources(plan, "google_cloud_run_v2_job")
    instances = [each["scaling"][0]["max_instance_count"] for each in writers] + [job["template"][0]["parallelism"]]
    assert instances == [10, 1, 1]
    assert sum(instances) <= 20
