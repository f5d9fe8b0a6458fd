"""A second deployment in one project: published images, a proxy, a budget, a key and a network of the company."""

import json
import re
from typing import Any

import pytest
from tests.deploy.terraform.access import rows
from tests.deploy.terraform.conftest import DIGEST, Checked
from tests.deploy.terraform.rules import containers, findings, resources

Plan = dict[str, Any]
NAMES = ("account_id", "name", "repository_id", "role_id", "secret_id")
# Services, their agents and the audit log's settings are the project's: two deployments set them alike.
OF_THE_PROJECT = re.compile(r"google_(project_service|project_service_identity|project_iam_audit_config)$")


def names(plan: Plan) -> set[tuple[str, str]]:
    """Return kind and name of all that a plan makes in Google Cloud."""
    found = set()
    for change in plan["resource_changes"]:
        planned = change["change"]["after"]
        kind = change["type"]
        if change["mode"] != "managed" or not kind.startswith("google_") or OF_THE_PROJECT.search(kind):
            continue
        if "_iam_" in kind and kind != "google_project_iam_custom_role":
            continue
        titles = ("display_name",) if kind.startswith(("google_monitoring", "google_billing")) else ()
        found |= {(kind, planned[key]) for key in (*NAMES, *titles) if planned.get(key)}
        if kind == "google_monitoring_dashboard":
            found.add((kind, json.loads(planned["dashboard_json"])["displayName"]))
        found |= {(kind, audience) for audience in planned.get("custom_audiences") or ()}
    return found


def test_two_deployments_in_one_project_share_no_name(plan: Plan, variant: Checked) -> None:
    second = names(variant.plan)
    assert len(second) > 60
    assert second & names(plan) == set()


def test_a_name_of_an_account_is_short_enough(variant: Checked) -> None:
    lengths = [len(planned["account_id"]) for _, planned in resources(variant.plan, "google_service_account")]
    assert max(lengths) == 30


def test_the_bus_publishes_to_topics_with_the_prefix(variant: Checked) -> None:
    buses = {
        each["value"]
        for _, container in containers(variant.plan)
        for each in container["env"]
        if "_BUS" in each["name"]
    }
    assert buses == {"pubsub:///projects/acme-millrace?prefix=dev-"}
    assert all(planned["name"].startswith("dev-") for _, planned in resources(variant.plan, "google_pubsub_topic"))


def test_published_images_need_no_build(variant: Checked) -> None:
    addresses = {address for address, _ in resources(variant.plan)}
    assert not any("module.images" in address for address in addresses)
    services = {planned["service"] for _, planned in resources(variant.plan, "google_project_service")}
    assert not services & {"artifactregistry.googleapis.com", "cloudbuild.googleapis.com"}
    images = {container["image"] for _, container in containers(variant.plan)}
    assert images == {f"registry.example/functions{DIGEST}", f"registry.example/job{DIGEST}"}


def test_a_plan_with_them_breaks_no_rule_but_that_it_is_reached_from_outside(variant: Checked) -> None:
    assert findings(variant.plan) == ["module.api.google_cloud_run_v2_service.this: can be reached from outside"]


def test_with_a_proxy_readers_sign_in_to_it_and_it_alone_calls(variant: Checked) -> None:
    of_the_api = {row for row in rows(variant.plan) if "`api`" in row}
    assert of_the_api == {
        "| Identity-Aware Proxy | call | function `api` |",
        "| api readers | sign in to | proxy of `api` |",
    }


def test_pseudonyms_are_made_with_a_key_that_the_api_alone_reads(variant: Checked, plan: Plan) -> None:
    settings = {
        (container["name"] or "", each["name"]): each
        for _, container in containers(variant.plan)
        for each in container["env"]
        if each["name"].startswith("MILLRACE_PEOPLE")
    }
    found = {name: each for (_, name), each in settings.items()}
    assert len(settings) == len(found) == 2
    assert found["MILLRACE_PEOPLE"]["value"] == "pseudonyms"
    (source,) = found["MILLRACE_PEOPLE_KEY"]["value_source"]
    assert source["secret_key_ref"] == [{"secret": "key-of-people", "version": "3"}]
    readers = [
        address
        for address, planned in resources(variant.plan, "google_secret_manager_secret_iam_member")
        if planned["secret_id"] == "key-of-people"
    ]
    assert [address.partition(".google")[0] for address in readers] == ["module.api"]
    usual = [each for _, container in containers(plan) for each in container["env"] if "_PEOPLE" in each["name"]]
    assert [each["value"] for each in usual] == ["names"]


@pytest.mark.parametrize("kind", ["google_cloud_run_v2_service", "google_cloud_run_v2_job"])
def test_all_traffic_takes_the_subnetwork(variant: Checked, kind: str) -> None:
    templates = [planned["template"][0] for _, planned in resources(variant.plan, kind)]
    templates = [each.get("template", [each])[0] for each in templates]
    ways = [
        (each["vpc_access"][0]["egress"], each["vpc_access"][0]["network_interfaces"][0]["subnetwork"])
        for each in templates
    ]
    assert set(ways) == {("ALL_TRAFFIC", "projects/p/regions/europe-west4/subnetworks/s")}


def test_a_budget_notifies_at_half_nearly_all_and_all_of_it(variant: Checked) -> None:
    ((_, budget),) = resources(variant.plan, "google_billing_budget")
    assert [each["threshold_percent"] for each in budget["threshold_rules"]] == [0.5, 0.9, 1]
    assert [each["specified_amount"][0]["units"] for each in budget["amount"]] == ["100"]


def test_every_alert_reaches_every_channel(variant: Checked) -> None:
    changes = [each for each in variant.plan["resource_changes"] if each["type"] == "google_monitoring_alert_policy"]
    unknown = [each["change"]["after_unknown"].get("notification_channels") for each in changes]
    known = [each["change"]["after"].get("notification_channels") for each in changes]
    assert len(changes) == 17
    assert all(len(each) == 2 for each in unknown if each is not True)
    assert all("projects/acme-millrace/notificationChannels/7" in each for each in known)


def test_every_log_filter_is_of_this_deployment(variant: Checked) -> None:
    filters = [planned["filter"] for _, planned in resources(variant.plan, "google_logging_metric")]
    for _, planned in resources(variant.plan, "google_monitoring_alert_policy"):
        filters += [each["filter"] for each in planned["conditions"][0]["condition_matched_log"]]
    assert len(filters) == 8
    assert [each for each in filters if '"dev-' not in each] == []
    quoted = {name for each in filters for name in re.findall(r'(?:service_name|job_name|job_id) = \(?("[^)]*")', each)}
    assert all(name.strip('" ').startswith("dev-") for group in quoted for name in group.split(" OR "))


def test_reads_of_objects_are_logged_where_they_are_asked_for(variant: Checked) -> None:
    logged = {
        planned["service"]: {each["log_type"] for each in planned["audit_log_config"]}
        for _, planned in resources(variant.plan, "google_project_iam_audit_config")
    }
    assert logged["storage.googleapis.com"] == {"DATA_READ", "DATA_WRITE"}
