"""The alerts of production: their texts are the entries of docs/operations.md, with the names of the deployment."""

import re
from typing import Any

import pytest
from tests.deploy.terraform.access import alerts
from tests.deploy.terraform.rig import PROJECT
from tests.deploy.terraform.rules import resources

from millrace.tables import ENDPOINTS

Plan = dict[str, Any]
OPERATIONS = (PROJECT / "docs" / "operations.md").read_text()
SECTION = OPERATIONS.split("\n## Alerts\n")[1].split("\n## ")[0]
ENTRIES = {
    entry.partition("\n\n")[0]: entry.partition("\n\n")[2].strip()
    for entry in re.split(r"^### ", SECTION, flags=re.M)[1:]
}


def entry_of(title: str) -> str:
    """Return the title of an alert's entry: those of tables share one."""
    return re.sub(rf" ({'|'.join(ENDPOINTS)})( of [a-z0-9-]+)?$", "", title)


def generic(text: str) -> str:
    """Return a text with the page's letters in place of the names of this deployment."""
    return text.replace("acme-millrace", "P").replace("europe-west4", "R").strip()


def test_every_alert_has_an_entry_under_its_title_and_every_entry_an_alert(plan: Plan) -> None:
    assert {entry_of(title) for _, title, _ in alerts(plan)} == set(ENTRIES)


def test_the_text_of_an_alert_is_that_of_its_entry(plan: Plan) -> None:
    written = {title: generic(text) for _, title, text in alerts(plan)}
    assert written == {title: ENTRIES[entry_of(title)] for title in written}


def test_the_table_of_severities_is_that_of_the_plan(plan: Plan) -> None:
    rows = dict(re.findall(r"^\| (critical|error|warning) \| (.*) \|$", SECTION, re.M))
    written = {severity.upper(): set(titles.replace(" (a table)", "").split("; ")) for severity, titles in rows.items()}
    planned: dict[str, set[str]] = {}
    for severity, title, _ in alerts(plan):
        planned.setdefault(severity, set()).add(entry_of(title))
    assert written == planned


def test_every_text_has_a_command_and_fits_into_an_alert(plan: Plan) -> None:
    for _, title, text in alerts(plan):
        assert re.search(r"^gcloud ", text, re.M), title
        assert len(text) < 8192, title


def test_every_alert_closes_by_itself_and_links_to_the_console(plan: Plan) -> None:
    for address, planned in resources(plan, "google_monitoring_alert_policy"):
        assert planned["alert_strategy"][0]["auto_close"] == "86400s", address
        assert len(planned["documentation"][0]["links"]) in (2, 3), address


def test_a_sweep_that_never_found_a_complete_run_opens_an_alert(plan: Plan) -> None:
    policies = dict(resources(plan, "google_monitoring_alert_policy"))
    late = policies['module.monitoring.google_monitoring_alert_policy.log_line["run-not-final"]']
    assert late["conditions"][0]["condition_matched_log"][0]["filter"].endswith(
        'AND jsonPayload.message = "heartbeat" AND jsonPayload.is_late = true'
    )
    assert late["severity"] == "CRITICAL"


@pytest.mark.parametrize("kind", ["google_cloud_scheduler_job", "google_cloud_run_v2_service"])
def test_every_schedule_and_service_is_watched(plan: Plan, kind: str) -> None:
    conditions = str([planned["conditions"] for _, planned in resources(plan, "google_monitoring_alert_policy")])
    names = {planned["name"] for _, planned in resources(plan, kind)}
    assert [name for name in names if f'"{name}"' not in conditions] == []
