"""Terraform accepts the files, applies them, then plans no change, and passes its own tests."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.terraform.conftest import Checked
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig
from tests.deploy.terraform.rules import resources


def steps(found: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split()[:2] for line in found.stdout.splitlines() if line[:1].isalpha())


def test_everything_is_formatted_valid_planned_and_tested(checked: Checked) -> None:
    expected = ["fmt", "init", "validate", "plan", "test"]
    assert steps(checked.found) == {**dict.fromkeys(expected, "ok"), "verdict": "PASS"}, checked.found.stdout


@pytest.mark.proof
@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_environment_applies_replans_clean_and_destroys(copy: Copy, environment: str) -> None:
    (copy.folder / "unprotected.tfvars").write_text("delete_data = true\n")  # production sets it to false
    values = (f"terraform/envs/{environment}.tfvars", "unprotected.tfvars")
    found = copy.check("--no-test", "--apply", *(part for each in values for part in ("--var-file", each)))
    expected = ["fmt", "init", "validate", "plan", "apply", "replan", "destroy"]
    assert steps(found) == {**dict.fromkeys(expected, "ok"), "verdict": "PASS"}, found.stdout
    *asked, built = [call.split()[:2] for call in copy.gcloud_calls()]
    assert built == ["builds", "submit"]
    assert {call[0] for call in asked} == {"artifacts"}


@pytest.mark.proof
def test_destroy_without_permission_stops_at_the_data(copy: Copy) -> None:
    found = copy.check("--no-test", "--apply", "--var-file", "terraform/envs/dev.tfvars")
    assert steps(found)["destroy"] == "FAIL"
    assert "The database is protected" in found.stdout


def test_bucket_of_the_state_applies_and_keeps_versions(copy: Copy) -> None:
    made = copy.folder / "state.json"
    options = ("--apply", "--plan-json", str(made), "--var", "project_id=acme-millrace")
    found = copy.check(*options, folder="terraform/bootstrap")
    expected = ["fmt", "init", "validate", "plan", "apply", "replan", "destroy"]
    assert steps(found) == {**dict.fromkeys(expected, "ok"), "test": "skip", "verdict": "PASS"}, found.stdout
    ((_, bucket),) = resources(json.loads(made.read_text()), "google_storage_bucket")
    assert bucket["versioning"][0]["enabled"]
    assert not bucket["force_destroy"]
    assert bucket["public_access_prevention"] == "enforced"


def test_the_tests_of_the_modules_pass_with_the_real_providers(tmp_path: Path) -> None:
    if has_rig():
        pytest.skip("the rig runs them")
    if shutil.which("terraform") is None:
        pytest.skip(PLAIN_WORD)
    real = Copy.into(tmp_path)
    try:
        started = real.terraform("init", "-backend=false", "-input=false")
    except subprocess.TimeoutExpired:
        pytest.skip(PLAIN_WORD)
    if started.returncode:
        pytest.skip(PLAIN_WORD)
    tested = real.terraform("test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
