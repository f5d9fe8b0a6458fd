"""What a destroy by version 0.3 keeps is neither moved nor replaced by this version.

`kept_by_0_3.json` is the state that `terraform/destroy.sh prod keep` of version 0.3 left, with a key of the company and
emulated providers. HOST is where Terraform finds them.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.terraform.rig import Copy

pytestmark = pytest.mark.proof
KEPT = Path(__file__).with_name("kept_by_0_3.json")
KEY = "projects/k/locations/europe-west1/keyRings/r/cryptoKeys/c"
VARIABLES = ("-input=false", "-no-color", "-var-file=envs/prod.tfvars", f"-var=kms_key={KEY}")

# The agent of Cloud Functions is no longer used; a service stays switched on when it leaves the state.
LEAVES = {
    f'module.project.{kind}["cloudfunctions.googleapis.com"]'
    for kind in (
        "google_kms_crypto_key_iam_member.agent",
        "google_project_service.this",
        "google_project_service_identity.this",
    )
}


@pytest.fixture
def kept(copy: Copy) -> Copy:
    started = copy.terraform("init", "-input=false", "-no-color")
    assert started.returncode == 0, started.stderr
    providers = json.loads(copy.terraform("version", "-json").stdout)["provider_selections"]
    (host,) = {name.partition("/")[0] for name in providers}
    state = KEPT.read_text().replace("HOST/", f"{host}/")
    (copy.folder / "terraform" / "terraform.tfstate").write_text(state)
    return copy


def test_what_was_kept_is_neither_replaced_nor_removed(kept: Copy) -> None:
    planned = kept.terraform("plan", *VARIABLES, "-var=region=europe-west1", "-out=plan.bin")
    assert planned.returncode == 0, planned.stderr
    changes = kept.changes("plan.bin")
    assert {address for address, each in changes.items() if "delete" in each["change"]["actions"]} == LEAVES
    stays = {address: each for address, each in changes.items() if each["change"]["before"] is not None}
    assert len(stays) > 40
    assert [address for address, each in stays.items() if renamed(each["change"])] == []


def test_another_region_than_that_of_the_data_is_refused(kept: Copy) -> None:
    planned = kept.terraform("plan", *VARIABLES)
    assert planned.returncode == 1
    words = " ".join(planned.stderr.replace("│", " ").split())
    assert (
        'the bucket acme-millrace-lake lies in europe-west1, and a bucket cannot move; set region = "europe-west1"'
        in (words)
    )


def renamed(change: dict[str, Any]) -> bool:
    """Return whether the change is to another name or place."""
    before, after = change["before"], change["after"] or change["before"]
    return any(
        before.get(key) != after.get(key) for key in ("name", "location", "secret_id", "project", "service", "database")
    )
