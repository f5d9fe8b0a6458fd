"""One check, shared by all tests of its findings and its plan."""

import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig


@pytest.fixture
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    return Copy.into(tmp_path_factory.mktemp("copy"), hollow=True)


DIGEST = "@sha256:" + 64 * "0"
VARIANT = f"""
alert_channels       = ["projects/acme-millrace/notificationChannels/7"]
alert_emails         = ["oncall@example.com"]
api_iap              = true
api_ingress          = "ALLOW_ALL"
api_readers          = ["group:analysts@example.com"]
billing_account      = "01AB23-CD45EF-678901"
budget_usd_per_month = 100
collectors           = ["group:developers@example.com"]
images               = {{ functions = "registry.example/functions{DIGEST}", job = "registry.example/job{DIGEST}" }}
kms_key              = "projects/k/locations/europe-west4/keyRings/r/cryptoKeys/c"
log_object_reads     = true
people               = "pseudonyms"
people_key           = {{ secret = "key-of-people", version = "3" }}
prefix               = "dev"
snowflake_prefix     = "dev"
vpc_subnetwork       = "projects/p/regions/europe-west4/subnetworks/s"
"""
# A token for github.com, and an App on a server of the company; the second key is too long for the name of a service.
SOURCES = """
source_keys = { acme = "token-of-acme", mega-widgets-inc = "-----BEGIN RSA PRIVATE KEY-----\\nkey-of-mega\\n" }
sources = {
  acme = { kind = "github", repositories = ["shop", "api"] }
  mega-widgets-inc = {
    app_id         = "12345"
    bodies         = true
    first_days     = 30
    interval_hours = 6
    kind           = "github"
    owner          = "Mega-Widgets"
    titles         = false
    url            = "https://github.mega.example/"
  }
}
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """The rig's findings in a copy, its plan, and all that each of its resources waits for."""

    found: subprocess.CompletedProcess[str]
    plan: dict[str, Any]
    waits_for: dict[str, set[str]]


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """The production environment, planned, and the tests of the modules."""
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    copy = Copy.into(tmp_path_factory.mktemp("prod"), hollow=True)
    found, plan = copy.plan("--var-file", "terraform/envs/prod.tfvars")
    return Checked(found, plan, copy.waits_for() if plan else {})


@pytest.fixture(scope="session")
def sourced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the plan of production with two sources of GitHub beside the source of source_url."""
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    copy = Copy.into(tmp_path_factory.mktemp("sourced"), hollow=True)
    values = copy.folder / "sources.tfvars"
    values.write_text(SOURCES)
    options = ("--no-fmt", "--no-test", "--var-file", "terraform/envs/prod.tfvars", "--var-file", str(values))
    found, plan = copy.plan(*options)
    assert found.returncode == 0, found.stdout
    return plan


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """A second deployment in the same project, with what production does not set."""
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    copy = Copy.into(tmp_path_factory.mktemp("variant"), hollow=True)
    values = copy.folder / "variant.tfvars"
    values.write_text(VARIANT)
    found, plan = copy.plan("--no-fmt", "--no-test", "--var-file", str(values))
    assert found.returncode == 0, found.stdout
    return Checked(found, plan, copy.waits_for())


@pytest.fixture(scope="session")
def plan(checked: Checked) -> dict[str, Any]:
    assert checked.found.returncode == 0, checked.found.stdout
    return checked.plan
