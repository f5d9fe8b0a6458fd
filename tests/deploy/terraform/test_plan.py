"""The plan of production: the rules, the rights on each object, and the pages that list them.

One file, because each process that runs tests makes the plan once.
"""

import re
from typing import Any

import pytest
from tests.deploy.terraform.access import rows, warehouses
from tests.deploy.terraform.rig import PROJECT
from tests.deploy.terraform.rules import containers, findings, resources, storage_rights

from millrace.bus import EXTRACT_EVENTS, EXTRACT_REQUESTS, OBJECT_EVENTS
from millrace.bus.events import ANNOUNCED
from millrace.tables import CURSOR_SIM, endpoints_of
from millrace.warehouse.snowflake.objects import META

Plan = dict[str, Any]
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text()
ACCESS = (PROJECT / "docs" / "access.md").read_text()
PART = "raw/commits/dt=2026-11-01/run=20261101T000000Z/commits-00000.parquet"
RUN = "runs/20261101T000000Z"
USAGE = "drop/usage_events/20261101T000000Z-0123456789abcdef.ndjson"
INVOKERS = "google_cloud_run_v2_service_iam_member"
READER = "group:analysts@example.com"  # named in production
COLLECTOR = 'collectors["group:developers@example.com"]'  # named in production


def settings(container: dict[str, Any]) -> dict[str, str]:
    """Return the settings of a container whose values the plan knows."""
    return {each["name"]: each["value"] for each in container["env"] if each.get("value") is not None}


def may(plan: Plan, who: str, verb: str, name: str, bucket: str = "lake") -> bool:
    return any(right.allows(verb, bucket, name) for right in storage_rights(plan) if right.who == who)


def test_the_plan_breaks_no_rule(plan: Plan) -> None:
    assert findings(plan) == []


@pytest.mark.parametrize(
    ("who", "verb", "name"),
    [
        pytest.param('extract["commits"]', "create", PART, id="an extractor creates its parts"),
        pytest.param('extract["commits"]', "create", f"{RUN}/tasks/commits.json", id="and its record"),
        pytest.param('extract["commits"]', "get", f"{RUN}/plan.json", id="it reads its plan"),
        pytest.param('extract["commits"]', "get", "state/commits.json", id="and its cursor"),
        pytest.param('extract["commits"]', "delete", f"{RUN}/progress/commits.json", id="it replaces its checkpoint"),
        pytest.param('extract["commits"]', "delete", "state/rate.json", id="and shares the source's limit"),
        pytest.param('extract["commits"]', "list", "", id="and sees that something is not there"),
        pytest.param('extract["commits"]', "delete", f"{RUN}/failures/commits.json", id="it replaces its last failure"),
        pytest.param('extract["pull_requests"]', "get", "raw/repos/part.parquet", id="a child reads its parent"),
        pytest.param("start_run", "create", f"{RUN}/plan.json", id="a start writes the plan"),
        pytest.param("start_run", "get", f"{RUN}/plan.json", id="and reads it when it was there"),
        pytest.param("load", "get", PART, id="the loader reads parts"),
        pytest.param("load", "get", "drop/commits/a.csv", id="and dropped files"),
        pytest.param("load", "create", f"{RUN}/final.json", id="it ends runs"),
        pytest.param("load", "delete", "state/commits.json", id="it moves cursors"),
        pytest.param("load", "delete", "build/requested.json", id="it requests builds"),
        pytest.param("api", "get", f"{RUN}/final.json", id="the API reads how runs ended"),
        pytest.param("api", "get", "build/requested.json", id="and whether a build is wanted"),
        pytest.param("api", "get", "build/lease.json", id="and under way"),
        pytest.param("api", "list", "", id="and sees which objects there are"),
        pytest.param("sweep", "create", "drop/commits/retry-a.parquet", id="a sweep retries from quarantine"),
        pytest.param("dbt_runner", "delete", "build/lease.json", id="a build takes the lease"),
        pytest.param("dbt_runner", "get", "build/requested.json", id="and reads what is wanted"),
        pytest.param("dbt_runner", "create", "build/artifacts/1-1/manifest.json", id="and keeps what dbt says of it"),
    ],
)
def test_a_deployable_may_do_what_the_code_does(plan: Plan, who: str, verb: str, name: str) -> None:
    assert may(plan, who, verb, name)


@pytest.mark.parametrize(
    ("who", "verb", "name"),
    [
        pytest.param('extract["commits"]', "get", PART, id="an extractor does not read its parts"),
        pytest.param('extract["commits"]', "delete", PART, id="nor delete or replace them"),
        pytest.param('extract["commits"]', "create", "raw/repos/a.parquet", id="nor write those of others"),
        pytest.param('extract["commits"]', "create", f"{RUN}/tasks/repos.json", id="nor speak for others"),
        pytest.param('extract["commits"]', "delete", f"{RUN}/tasks/commits.json", id="nor take back its record"),
        pytest.param('extract["commits"]', "create", "state/commits.json", id="nor move its cursor"),
        pytest.param('extract["commits"]', "create", f"{RUN}/final.json", id="nor end a run"),
        pytest.param('extract["commits"]', "create", f"{RUN}/progress/repos.json", id="nor move others' checkpoints"),
        pytest.param('extract["commits"]', "get", "drop/commits/a.csv", id="nor read what people dropped"),
        pytest.param("start_run", "create", PART, id="a start writes no part"),
        pytest.param("sweep", "create", PART, id="a sweep neither"),
        pytest.param("sweep", "create", f"{RUN}/plan.json", id="nor starts a run"),
        pytest.param("sweep", "delete", "drop/commits/a.csv", id="nor deletes or replaces a dropped file"),
        pytest.param("start_run", "delete", f"{RUN}/plan.json", id="nor replaces a plan"),
        pytest.param("load", "create", PART, id="the loader writes no part"),
        pytest.param("load", "delete", PART, id="nor deletes one"),
        pytest.param("load", "delete", f"{RUN}/final.json", id="nor takes back an end"),
        pytest.param("load", "create", "drop/commits/a.csv", id="nor drops files"),
        pytest.param("load", "delete", "build/lease.json", id="nor touches the lease"),
        pytest.param("api", "get", PART, id="the API reads no part"),
        pytest.param("api", "get", "drop/commits/a.csv", id="nor dropped files"),
        pytest.param("api", "create", f"{RUN}/final.json", id="nor ends a run"),
        pytest.param("api", "create", "build/requested.json", id="nor requests a build"),
        pytest.param("api", "delete", "build/lease.json", id="nor touches the lease"),
        pytest.param("dbt_runner", "get", PART, id="a build reads no part"),
        pytest.param("dbt_runner", "delete", "build/artifacts/1-1/manifest.json", id="nor changes what it has kept"),
        pytest.param("dbt_runner", "create", "build/requested.json", id="nor requests another"),
    ],
)
def test_a_deployable_may_do_nothing_else(plan: Plan, who: str, verb: str, name: str) -> None:
    assert not may(plan, who, verb, name)


def test_the_loader_only_adds_to_the_quarantine(plan: Plan) -> None:
    allowed = {
        verb for verb in ("create", "get", "list", "delete") if may(plan, "load", verb, "quarantine/a", "quarantine")
    }
    assert allowed == {"create", "list"}
    assert {right.who for right in storage_rights(plan) if right.bucket == "quarantine"} == {"api", "load", "sweep"}


@pytest.mark.parametrize(
    ("verb", "is_allowed"),
    [
        pytest.param("get", True, id="the sweep reads what was stamped ahead when its time has come"),
        pytest.param("create", False, id="it adds nothing"),
        pytest.param("delete", False, id="nothing in quarantine is deleted or replaced by it"),
    ],
)
def test_the_sweep_only_reads_the_quarantine(plan: Plan, verb: str, is_allowed: bool) -> None:
    assert may(plan, "sweep", verb, "quarantine/a", "quarantine") is is_allowed


@pytest.mark.parametrize(
    ("verb", "name", "is_allowed"),
    [
        pytest.param("list", "", True, id="the API counts what lies in quarantine"),
        pytest.param("get", "quarantine/0123456789abcdef-1.json", True, id="and reads where it came from"),
        pytest.param("get", "quarantine/0123456789abcdef-1", False, id="it does not read what came"),
        pytest.param("create", "quarantine/a", False, id="nor add to it"),
        pytest.param("delete", "quarantine/a", False, id="nor delete or replace any of it"),
    ],
)
def test_the_api_only_counts_what_is_in_quarantine(plan: Plan, verb: str, name: str, is_allowed: bool) -> None:
    assert may(plan, "api", verb, name, "quarantine") is is_allowed


@pytest.mark.parametrize(
    ("verb", "name", "is_allowed"),
    [
        pytest.param("create", USAGE, True, id="a collector adds its files"),
        pytest.param("get", USAGE, False, id="it does not read one"),
        pytest.param("list", "", False, id="nor see which there are"),
        pytest.param("delete", USAGE, False, id="nor delete or replace one"),
        pytest.param("create", "drop/usage_events.csv", False, id="nor write beside them"),
        pytest.param("create", "drop/commits/a.csv", False, id="nor drop rows of another table"),
        pytest.param("create", PART, False, id="nor write a part"),
    ],
)
def test_a_collector_only_adds_usage(plan: Plan, verb: str, name: str, is_allowed: bool) -> None:
    assert may(plan, COLLECTOR, verb, name) is is_allowed


def test_a_collector_has_no_other_right(plan: Plan) -> None:
    member = COLLECTOR.split('"')[1]
    roles = [planned["role"] for _, planned in resources(plan) if planned.get("member") == member]
    assert roles == ["roles/storage.objectCreator"]
    assert [right.prefix for right in storage_rights(plan) if right.who == COLLECTOR] == ["drop/usage_events/"]


def test_only_readers_call_the_api_and_they_may_nothing_else(plan: Plan) -> None:
    callers = {planned["member"] for _, planned in resources(plan, INVOKERS) if planned.get("name") == "api"}
    assert callers == {READER}
    assert [planned["role"] for _, planned in resources(plan) if planned.get("member") == READER] == [
        "roles/run.invoker"
    ]


def test_every_account_of_a_deployable_gets_only_its_own_rights(plan: Plan) -> None:
    calls = plan["configuration"]["root_module"]["module_calls"]
    for name in ("api", "start_run", "extract", "load", "sweep", "dbt_runner"):
        member = calls[name]["module"]["module_calls"]["storage"]["expressions"]["member"]
        assert member["references"][0] == "google_service_account.this.member"


def test_only_the_extractors_read_the_source_key(plan: Plan) -> None:
    readers = {address.split(".google")[0] for address, _ in resources(plan, "google_secret_manager_secret_iam_member")}
    assert readers == {f'module.extract["{table}"]' for table in CURSOR_SIM}


def test_each_deployable_signs_in_to_snowflake_as_its_own_user(plan: Plan) -> None:
    assert dict(warehouses(plan)) == {
        name: f"snowflake://acme-millrace/MILLRACE?user=MILLRACE_{user}&role=MILLRACE_{role}&warehouse=MILLRACE"
        for name, user, role in (
            ("api", "API", "READER"),
            ("dbt-runner", "BUILDER", "BUILDER"),
            ("load", "LOADER", "LOADER"),
            ("sweep", "SWEEPER", "LOADER"),
        )
    }


def test_an_address_of_snowflake_waits_until_its_user_may_sign_in_and_work(plan: Plan) -> None:
    module = plan["configuration"]["root_module"]["module_calls"]["snowflake"]["module"]
    waits_for = set(module["outputs"]["addresses"]["depends_on"])
    rights = {each["address"] for each in module["resources"] if each["type"].startswith("snowflake_grant_")}
    assert rights - waits_for == {"snowflake_grant_account_role.administrators"}
    assert waits_for >= {"module.storage", "snowflake_execute.identity", "snowflake_execute.short_sessions"}


def test_granted_meta_objects_are_created_by_the_plan(plan: Plan) -> None:
    changes = {address for address, _ in resources(plan)}
    made = {f"TABLE {name}" for name in META if f'module.snowflake.snowflake_execute.meta["{name}"]' in changes}
    made |= {f"STAGE {planned['name']}" for _, planned in resources(plan, "snowflake_stage")}
    made |= {"SEQUENCE LOAD_SEQ"}
    granted = {
        f"{on['object_type']} {on['object_name'].split('.')[-1].strip(chr(34))}"
        for _, planned in resources(plan, "snowflake_grant_privileges_to_account_role")
        for on in planned["on_schema_object"]
        if on["object_type"]
    }
    assert granted <= made


def test_a_destroy_is_refused_the_database(plan: Plan) -> None:
    reverts = {
        address.split(".")[-1]: each["revert"]
        for address, each in resources(plan, "snowflake_execute")
        if "revert" in each
    }
    guards = {address: planned["input"] for address, planned in resources(plan, "terraform_data")}
    assert guards["module.snowflake.terraform_data.keeps_data"] is False
    assert [name for name, revert in reverts.items() if re.search(r"\bDROP (TABLE|SCHEMA|DATABASE)\b", revert)] == []


def test_it_is_logged_who_reads_objects_and_the_source_key(plan: Plan) -> None:
    logged = {planned["service"].split(".")[0] for _, planned in resources(plan, "google_project_iam_audit_config")}
    assert logged == {"secretmanager", "storage"}


def test_only_writes_of_objects_are_logged_and_reads_of_the_key_as_well(plan: Plan) -> None:
    logged = {
        planned["service"].split(".")[0]: {each["log_type"] for each in planned["audit_log_config"]}
        for _, planned in resources(plan, "google_project_iam_audit_config")
    }
    assert logged == {"secretmanager": {"DATA_READ", "DATA_WRITE"}, "storage": {"DATA_WRITE"}}


def test_every_deployable_names_its_traces_by_the_project(plan: Plan) -> None:
    projects = [settings(container)["MILLRACE_PROJECT"] for _, container in containers(plan)]
    assert projects == ["acme-millrace"] * 9


def test_a_function_is_served_by_its_file_and_name_with_its_signature(plan: Plan) -> None:
    served = {
        address.split(".google")[0]: (container["command"], container["args"])
        for address, container in containers(plan)
        if "_service." in address
    }
    folder = "--source=/app/functions/{}/main.py".format
    pushed = {
        f'module.extract["{table}"]': [folder("extract"), f"--target=extract_{table}", "--signature-type=cloudevent"]
        for table in CURSOR_SIM
    }
    pushed["module.load"] = [folder("load"), "--target=load", "--signature-type=cloudevent"]
    called = {
        "module.start_run[0]": [folder("extract"), "--target=start_run", "--signature-type=http"],
        "module.sweep": [folder("load"), "--target=sweep", "--signature-type=http"],
    }
    expected = {name: (None, args) for name, args in (pushed | called).items()}
    assert served == {**expected, "module.api": (["python", "/app/functions/api/main.py"], None)}


def test_an_extraction_knows_how_long_a_delivery_may_take(plan: Plan) -> None:
    services = dict(resources(plan, "google_cloud_run_v2_service"))
    for table in CURSOR_SIM:
        service = services[f'module.extract["{table}"].google_cloud_run_v2_service.this']["template"][0]
        assert f"{settings(service['containers'][0])['MILLRACE_DELIVERY_S']}s" == service["timeout"]


def test_pushes_and_calls_name_the_audience_that_the_service_accepts(plan: Plan) -> None:
    accepted = {
        planned["name"]: planned["custom_audiences"] for _, planned in resources(plan, "google_cloud_run_v2_service")
    }
    pushed = {
        planned["name"].rpartition("-")[0]: planned["push_config"][0]["oidc_token"][0]["audience"]
        for _, planned in resources(plan, "google_pubsub_subscription")
        if planned["push_config"]
    }
    called = {
        planned["name"]: planned["http_target"][0]["oidc_token"][0]["audience"]
        for _, planned in resources(plan, "google_cloud_scheduler_job")
    }
    expected = {name: f"https://{name}.acme-millrace.internal" for name in accepted if name != "api"}
    assert {**pushed, **called} == expected
    assert {name: audiences[0] for name, audiences in accepted.items() if name != "api"} == expected
    configured = {
        address.split(".google")[0]: found
        for address, container in containers(plan)
        if (found := settings(container).get("MILLRACE_PUSH_AUDIENCE"))
    }
    assert set(configured.values()) == set(expected.values())


def test_the_source_key_is_nowhere_in_the_plan(plan: Plan) -> None:
    assert "key-of-the-source" not in str(plan)


def test_each_extract_function_subscribes_to_its_table_and_parent(plan: Plan) -> None:
    filters: dict[str, set[str]] = {}
    for address, planned in resources(plan, "google_pubsub_subscription"):
        if address.startswith("module.extract["):
            filters.setdefault(address.split('"')[1], set()).add(planned["filter"])
    expected = {
        each.name: {f'attributes.table = "{heard}"' for heard in (each.name, each.parent) if heard}
        for each in endpoints_of("cursor-sim")
    }
    assert filters == expected


def test_the_topics_are_those_that_the_code_publishes_to(plan: Plan) -> None:
    names = {planned["name"] for _, planned in resources(plan, "google_pubsub_topic")}
    assert {name for name in names if not name.endswith("-dead")} == {EXTRACT_REQUESTS, EXTRACT_EVENTS, OBJECT_EVENTS}


def test_the_bucket_announces_what_the_code_expects(plan: Plan) -> None:
    notified = [planned for _, planned in resources(plan, "google_storage_notification")]
    assert {planned["object_name_prefix"] for planned in notified} == set(ANNOUNCED)
    assert {tuple(planned["event_types"]) for planned in notified} == {("OBJECT_FINALIZE",)}


def test_the_page_about_access_has_exactly_the_rights_of_the_plans(plan: Plan, sourced: Plan) -> None:
    written = set(re.findall(r"^\| .* \|$", ACCESS, re.M)) - {"| who | may | what |"}
    assert written == rows(plan) | rows(sourced)


def test_sources_change_nothing_of_a_deployment_but_what_watches_it_and_the_sweep(plan: Plan, sourced: Plan) -> None:
    without, beside = dict(resources(plan)), dict(resources(sourced))
    assert without.keys() - beside.keys() == set()
    added = {address for address in beside.keys() - without.keys() if not address.startswith("module.source_")}
    assert {re.sub(r'".*"', "", address) for address in added} == {
        "module.monitoring.google_monitoring_alert_policy.threshold[]",
        "module.sweep.module.storage.google_storage_bucket_iam_member.this[]",
    }
    changed = {address for address, planned in without.items() if planned != beside[address]}
    assert {address for address in changed if not address.startswith("module.monitoring.")} == {
        "module.api.google_cloud_run_v2_service.this",  # how old a table may be
        "module.source_key[0].terraform_data.stored",  # the time of the plan
    }
    assert not any(address.startswith("module.source_") for address in without if "source_key[0]" not in address)


def test_the_costs_are_those_of_the_plan(plan: Plan) -> None:
    written = {
        f"{developers.replace(',', '')}/{hours}": int(usd)
        for developers, *prices in re.findall(r"^\| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \|$", OPERATIONS, re.M)
        for hours, usd in zip((1, 4, 24), prices, strict=True)
    }
    assert written == plan["planned_values"]["outputs"]["cost_table_usd_per_month"]["value"]


@pytest.mark.parametrize("kind", ["google_pubsub_subscription", "google_pubsub_topic", "google_cloud_scheduler_job"])
def test_every_name_that_is_typed_in_a_command_is_planned(plan: Plan, sourced: Plan, kind: str) -> None:
    command = {
        "google_pubsub_subscription": r"gcloud pubsub subscriptions \w+ ([a-z][a-z-]+)",
        "google_pubsub_topic": r"gcloud pubsub topics publish ([a-z-]+)",
        "google_cloud_scheduler_job": r"gcloud scheduler jobs (?:run|describe|update http) ([a-z-]+)",
    }[kind]
    typed = set(re.findall(command, OPERATIONS))
    assert typed
    assert typed <= {planned["name"] for each in (plan, sourced) for _, planned in resources(each, kind)}
