"""Terraform accepts the files, applies them, then plans no change, and passes its own tests."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.terraform.conftest import Checked
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig


def steps(found: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split()[:2] for line in found.stdout.splitlines() if line[:1].isalpha())


def test_everything_is_formatted_valid_applied_and_tested_and_then_nothing_is_left_to_do(checked: Checked) -> None:
    expected = ["fmt", "init", "validate", "plan", "apply", "replan", "destroy", "test"]
    assert steps(checked.found) == {**dict.fromkeys(expected, "ok"), "verdict": "PASS"}, checked.found.stdout
    assert [call.split()[0] for call in checked.gcloud_calls] == ["artifacts", "builds"]


@pytest.mark.proof
def test_the_development_environment_is_applied_as_well(copy: Copy) -> None:
    found = copy.check("--no-test", "--apply", "--var-file", "terraform/envs/dev.tfvars")
    assert {**steps(found), "verdict": "PASS"} == dict.fromkeys(steps(found), "ok") | {"verdict": "PASS"}, found.stdout


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
