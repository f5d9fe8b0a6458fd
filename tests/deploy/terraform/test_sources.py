"""The plan with sources of GitHub: what each function may, hears and is set to, and what one source has of another."""

import os
import re
from collections import Counter
from typing import Any

import pytest
from tests.deploy import sourced as deployments
from tests.deploy.terraform.conftest import SOURCES
from tests.deploy.terraform.rig import Copy
from tests.deploy.terraform.rules import containers, findings, resources, storage_rights

from millrace.config import ExtractConfig
from millrace.tables import ENDPOINTS

Plan = dict[str, Any]
GITHUB = [name for name, each in ENDPOINTS.items() if each.source == "github"]
PULLS = 'source_extract["acme/github_pull_requests"]'
REPOS = 'source_extract["acme/github_repos"]'
START = 'source_start["acme"]'
RUN = "20261101T000000Z-acme"
OTHER = "20261101T000000Z-not-acme"  # ends like the other one
PART = f"raw/github_reviews/dt=2026-11-01/run={RUN}/github_pull_requests__1296269-00000.parquet"
LIST = f"raw/github_repos/dt=2026-11-01/run={RUN}/github_repos-00000.parquet"
TASK = "github_pull_requests__7.json"
TERM = re.compile(r'attributes\.(\w+) = "([^"]*)"')


def may(plan: Plan, who: str, verb: str, name: str) -> bool:
    return any(right.allows(verb, "lake", name) for right in storage_rights(plan) if right.who == who)


def settings(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if each.get("value") is not None}


@pytest.mark.parametrize(
    ("who", "verb", "name"),
    [
        pytest.param(PULLS, "create", PART, id="a function creates parts of each table that it feeds"),
        pytest.param(PULLS, "create", PART.replace("reviews", "commits"), id="also of one that another feeds as well"),
        pytest.param(PULLS, "create", f"runs/{RUN}/tasks/{TASK}", id="and the record of a task"),
        pytest.param(PULLS, "delete", f"runs/{RUN}/progress/{TASK}", id="replaces its progress"),
        pytest.param(PULLS, "delete", f"runs/{RUN}/failures/{TASK}", id="and its failure"),
        pytest.param(PULLS, "get", f"runs/{RUN}/plan.json", id="reads the plan"),
        pytest.param(PULLS, "get", "state/acme/github_pull_requests.json", id="and its cursor"),
        pytest.param(PULLS, "get", LIST, id="and the rows of its parent"),
        pytest.param(PULLS, "delete", "state/acme/rate.json", id="shares the limit of its account"),
        pytest.param(PULLS, "create", "runs/20261101T000001Z-acme/plan.json", id="starts the run that follows"),
        pytest.param(PULLS, "list", "", id="sees that something is not there"),
        pytest.param(REPOS, "create", f"runs/{RUN}/tasks/github_repos.json", id="a task of no repository is recorded"),
        pytest.param(REPOS, "create", LIST, id="and its parts are created"),
        pytest.param(START, "create", f"runs/{RUN}/plan.json", id="a start writes the plan"),
        pytest.param(START, "get", f"runs/{RUN}/plan.json", id="and reads it when it was there"),
        pytest.param(START, "get", "state/acme/github_repos.json", id="and knows what was read before"),
        pytest.param("sweep", "create", f"runs/{RUN}/plan.json", id="the sweep starts a run that follows"),
    ],
)
def test_a_function_of_a_source_may_do_what_the_code_does(sourced: Plan, who: str, verb: str, name: str) -> None:
    assert may(sourced, who, verb, name)


@pytest.mark.parametrize(
    ("who", "verb", "name"),
    [
        pytest.param(PULLS, "create", PART.replace(RUN, OTHER), id="parts of another account"),
        pytest.param(PULLS, "create", PART.replace("pull_requests__1", "commits__1"), id="parts of another function"),
        pytest.param(PULLS, "create", PART.replace("github_reviews", "reviews"), id="a table that it does not feed"),
        pytest.param(PULLS, "get", PART, id="its parts"),
        pytest.param(PULLS, "delete", PART, id="its parts, to replace"),
        pytest.param(PULLS, "create", f"runs/{OTHER}/tasks/{TASK}", id="another account's record"),
        pytest.param(PULLS, "create", f"runs/20261101T000000Z/tasks/{TASK}", id="one of no account"),
        pytest.param(PULLS, "create", f"runs/{RUN}/tasks/github_commits__7.json", id="another function's record"),
        pytest.param(PULLS, "delete", f"runs/{RUN}/tasks/{TASK}", id="its record, to take back"),
        pytest.param(PULLS, "delete", f"runs/{OTHER}/progress/{TASK}", id="another's progress"),
        pytest.param(PULLS, "get", f"runs/{OTHER}/plan.json", id="another account's plan"),
        pytest.param(PULLS, "create", f"runs/{OTHER}/plan.json", id="another account's plan, to write"),
        pytest.param(PULLS, "create", f"runs/{RUN}/final.json", id="the end of a run"),
        pytest.param(PULLS, "create", "state/acme/github_pull_requests.json", id="its cursor, to move"),
        pytest.param(PULLS, "get", "state/not-acme/github_pull_requests.json", id="another account's cursor"),
        pytest.param(PULLS, "delete", "state/rate.json", id="the limit of the source of source_url"),
        pytest.param(REPOS, "create", f"runs/{RUN}/tasks/{TASK}", id="record of a child"),
        pytest.param(START, "create", f"runs/{OTHER}/plan.json", id="a start of another account"),
        pytest.param(START, "create", "runs/20261101T000000Z/plan.json", id="a start of no account"),
        pytest.param(START, "create", PART, id="a part by the start"),
        pytest.param("sweep", "create", "runs/20261101T000000Z/plan.json", id="a run of no account by the sweep"),
        pytest.param("sweep", "create", f"runs/{OTHER}/plan.json", id="a run of no source by the sweep"),
        pytest.param('extract["repos"]', "create", PART, id="a part by a function of source_url"),
    ],
)
def test_a_function_of_a_source_may_touch_nothing_else(sourced: Plan, who: str, verb: str, name: str) -> None:
    assert not may(sourced, who, verb, name)


def test_the_plan_breaks_no_rule(sourced: Plan) -> None:
    assert findings(sourced) == []


def test_no_function_has_more_conditions_for_a_role_than_iam_allows(sourced: Plan) -> None:
    # https://cloud.google.com/iam/quotas: 20 bindings of the same role and principal with other conditions.
    numbers = Counter((right.who, right.role) for right in storage_rights(sourced) if right.prefix is not None)
    assert numbers[PULLS, "roles/storage.objectCreator"] == 9
    assert max(numbers.values()) <= 20


def test_no_secret_is_in_the_plan(sourced: Plan) -> None:
    assert [word for word in ("token-of-acme", "key-of-mega") if word in str(sourced)] == []
    assert "token-of-acme" in SOURCES


def heard(message: dict[str, str], expression: str) -> bool:
    """Return whether a filter, of terms joined by AND, passes a message with these attributes."""
    terms = TERM.findall(expression)
    assert " AND ".join(f'attributes.{name} = "{value}"' for name, value in terms) == expression
    return all(message.get(name) == value for name, value in terms)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"table": name, "account": account}, {f"{key}/{name}"}, id=f"{name} of {key}")
        for name in GITHUB
        for key, account in (("acme", "acme"), ("mega-widgets-inc", "mega-widgets"))
    ]
    + [
        pytest.param({"table": name}, {name}, id=f"{name} of no account")
        for name, each in ENDPOINTS.items()
        if each.source == "cursor-sim"
    ]
    + [pytest.param({"table": "github_repos"}, set(), id="a message that lost its account")],
)
def test_a_request_is_heard_by_one_function(sourced: Plan, message: dict[str, str], expected: set[str]) -> None:
    requests = {
        address.split('"')[1]: planned["filter"]
        for address, planned in resources(sourced, "google_pubsub_subscription")
        if "extract[" in address and address.endswith('["requests"]')
    }
    assert {name for name, expression in requests.items() if heard(message, expression)} == expected


def test_the_tasks_of_repositories_are_requested_and_follow_no_event(sourced: Plan) -> None:
    subscriptions = {
        address: planned["dead_letter_policy"][0]["max_delivery_attempts"]
        for address, planned in resources(sourced, "google_pubsub_subscription")
        if 'source_extract["acme/' in address
    }
    expected = {
        f'module.source_extract["acme/{name}"].google_pubsub_subscription.this["requests"]': (
            100 if ENDPOINTS[name].per_repository else 20
        )
        for name in GITHUB
    }
    assert subscriptions == expected


def test_one_request_at_a_time(sourced: Plan) -> None:
    found = {
        (template["scaling"][0]["max_instance_count"], template["max_instance_request_concurrency"])
        for address, planned in resources(sourced, "google_cloud_run_v2_service")
        if "source_extract" in address
        for template in planned["template"]
    }
    assert found == {(1, 1)}


def test_the_settings_are_those_of_the_source(sourced: Plan) -> None:
    found = {address.split(".google")[0]: settings(container) for address, container in containers(sourced)}
    usual = {"MILLRACE_BUS", "MILLRACE_LAKE", "MILLRACE_PROJECT", "MILLRACE_PUSH_ACCOUNT", "MILLRACE_PUSH_AUDIENCE"}
    own = {key: found[f'module.source_extract["{key}/github_repos"]'] for key in ("acme", "mega-widgets-inc")}
    assert {key: {name: value for name, value in each.items() if name not in usual} for key, each in own.items()} == {
        "acme": {
            "MILLRACE_ACCOUNT": "acme",
            "MILLRACE_BODIES": "off",
            "MILLRACE_DELIVERY_S": "540",
            "MILLRACE_FIRST_DAYS": "90",
            "MILLRACE_REPOSITORIES": "api,shop",
            "MILLRACE_SOURCE": "github",
            "MILLRACE_TITLES": "on",
        },
        "mega-widgets-inc": {
            "MILLRACE_ACCOUNT": "mega-widgets",
            "MILLRACE_BODIES": "on",
            "MILLRACE_DELIVERY_S": "540",
            "MILLRACE_FIRST_DAYS": "30",
            "MILLRACE_GITHUB_APP_ID": "12345",
            "MILLRACE_REPOSITORIES": "",
            "MILLRACE_SOURCE": "github",
            "MILLRACE_SOURCE_URL": "https://github.mega.example",
            "MILLRACE_TITLES": "off",
        },
    }


def test_the_code_accepts_the_settings_of_every_function(sourced: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = {}
    for address, container in containers(sourced):
        if "source_" not in address:
            continue
        with monkeypatch.context() as patched:
            for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
                patched.delenv(name)
            for each in container["env"]:
                patched.setenv(each["name"], each.get("value") or ("a-secret" if each.get("value_source") else ""))
            patched.delenv("MILLRACE_PUSH_AUDIENCE")  # with the account, which the plan does not know
            patched.delenv("MILLRACE_PUSH_ACCOUNT")
            config = ExtractConfig.from_env()
        accepted[address.split('"')[1]] = (config.source, config.account, config.app_id, config.repositories)
    app = {f"mega-widgets-inc/{name}": ("github", "mega-widgets", "12345", ()) for name in GITHUB}
    token = dict.fromkeys(("acme", *(f"acme/{each}" for each in GITHUB)), ("github", "acme", "", ("api", "shop")))
    assert accepted == token | app | {"mega-widgets-inc": ("github", "mega-widgets", "", ())}


def test_each_function_reads_the_secret_of_its_source_alone(sourced: Plan) -> None:
    readers = {
        address.split(".google")[0]: (re.findall(r'"([A-Z_]+)"', address), planned["secret_id"])
        for address, planned in resources(sourced, "google_secret_manager_secret_iam_member")
        if "source_" in address
    }
    kinds = {"acme": "MILLRACE_SOURCE_KEY", "mega-widgets-inc": "MILLRACE_GITHUB_APP_KEY"}
    assert readers == {
        f'module.source_extract["{key}/{name}"]': ([kind], f"source-key-{key}")
        for key, kind in kinds.items()
        for name in GITHUB
    }


def test_each_function_is_served_by_its_name(sourced: Plan) -> None:
    targets = {
        address.split('"')[1]: container["args"][1]
        for address, container in containers(sourced)
        if "source_" in address
    }
    expected = {f"{key}/{name}": f"--target=extract_{name}" for key in ("acme", "mega-widgets-inc") for name in GITHUB}
    assert targets == expected | {"acme": "--target=start_run", "mega-widgets-inc": "--target=start_run"}


def test_each_source_has_a_schedule_that_calls_its_own_start(sourced: Plan) -> None:
    schedules = {
        planned["name"]: (planned["schedule"], planned["http_target"][0]["oidc_token"][0]["audience"])
        for _, planned in resources(sourced, "google_cloud_scheduler_job")
        if planned["name"].startswith("gh-")
    }
    assert schedules == {
        "gh-acme-start": ("0 3 * * *", "https://gh-acme-start.acme-millrace.internal"),
        "gh-mega-cb1fb-start": ("0 */6 * * *", "https://gh-mega-cb1fb-start.acme-millrace.internal"),
    }
    assert sourced["planned_values"]["outputs"]["sources"]["value"] == {
        "acme": {"account": "acme", "schedule": "gh-acme-start"},
        "mega-widgets-inc": {"account": "mega-widgets", "schedule": "gh-mega-cb1fb-start"},
    }


def test_everything_of_a_source_is_watched(sourced: Plan) -> None:
    planned = [each for _, each in resources(sourced, "google_monitoring_alert_policy")]
    policies = {each["display_name"]: each for each in planned}
    conditions = str([each["conditions"] for each in planned])
    kinds = ("google_cloud_run_v2_service", "google_cloud_scheduler_job", "google_pubsub_subscription")
    names = {each["name"] for _, each in resources(sourced, *kinds) if each["name"].startswith("gh-")}
    assert len(names) == 14
    assert [name for name in sorted(names) if f'"{name}"' not in conditions] == []
    condition = policies["Nothing was extracted of github_repos of mega-widgets"]["conditions"][0]
    (silent,) = condition["condition_threshold"]
    assert silent["filter"].endswith('resource.labels.service_name = "gh-mega-cb1fb-repos"')
    assert silent["aggregations"][0]["alignment_period"] == "21600s"


def test_the_estimate_counts_the_runs_of_each_schedule(sourced: Plan) -> None:
    outputs = sourced["planned_values"]["outputs"]
    table = outputs["cost_table_usd_per_month"]["value"]
    chosen = outputs["cost_usd_per_month"]["value"]["total"]
    assert table["1000/1"] + table["1000/24"] < chosen < table["1000/1"] + table["1000/24"] + table["1000/4"]


OF_ACME = {f"gh-acme-{end}" for end in ("commits", "pulls", "repos", "start")}


def with_acme(copy: Copy, *others: str) -> Plan:
    """Return the plan of an environment with a source of GitHub and these settings."""
    values = copy.folder / "sources.tfvars"
    given = ('sources = { acme = { kind = "github" } }', 'source_keys = { acme = "a-token" }', *others)
    values.write_text("\n".join(given) + "\n")
    options = ("--no-fmt", "--no-test", "--var-file", "terraform/envs/dev.tfvars", "--var-file", str(values))
    found, plan = copy.plan(*options)
    assert found.returncode == 0, found.stdout
    return plan


def test_beside_github_only_the_commits_of_cursor_are_read(copy: Copy) -> None:
    plan = with_acme(copy, 'source_url = "https://api.cursor.com"', 'source_objects = ["commits"]')
    services = {planned["name"] for _, planned in resources(plan, "google_cloud_run_v2_service")}
    assert services == {"api", "load", "sweep", "start-run", "extract-commits"} | OF_ACME
    (start,) = [container for address, container in containers(plan) if "module.start_run" in address]
    assert settings(start)["MILLRACE_OBJECTS"] == "commits"


def test_without_source_url_only_the_sources_are_deployed(copy: Copy) -> None:
    plan = with_acme(copy, "source_url = null")
    services = {planned["name"] for _, planned in resources(plan, "google_cloud_run_v2_service")}
    assert services == {"api", "load", "sweep"} | OF_ACME
    schedules = {planned["name"] for _, planned in resources(plan, "google_cloud_scheduler_job")}
    assert schedules == {"gh-acme-start", "sweep"}
    secrets = [planned["secret_id"] for _, planned in resources(plan, "google_secret_manager_secret")]
    assert secrets == ["source-key-acme"]
    functions = {address.split(".")[1].partition("[")[0] for address, _ in containers(plan)}
    assert functions == {"api", "dbt_runner", "load", "source_extract", "source_start", "sweep"}


def test_the_recorded_deployment_is_that_of_the_plan(sourced: Plan) -> None:
    """Tests of the emulated platform use the record. To renew it, write `deployments.record(plan)` to it."""
    assert deployments.RECORDED.read_text() == deployments.record(sourced)


def test_a_status_allows_the_slowest_and_a_heartbeat_the_fastest_schedule(sourced: Plan) -> None:
    hours = {
        address.split(".")[1]: found
        for address, container in containers(sourced)
        if (found := settings(container).get("MILLRACE_SILENT_H"))
    }
    assert hours == {"api": "25", "sweep": "2"}
