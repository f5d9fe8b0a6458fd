"""Terraform accepts what is there, applies it, finds nothing left to do, and passes its own tests."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig


def test_everything_is_formatted_valid_applied_and_tested_and_then_nothing_is_left_to_do(copy: Copy) -> None:
    checked = copy.check("--apply", "--var-file", "terraform/envs/dev.tfvars")
    steps = dict(line.split()[:2] for line in checked.stdout.splitlines() if line[:1].isalpha())
    expected = ["fmt", "init", "validate", "plan", "apply", "replan", "destroy", "test"]
    assert steps == {**dict.fromkeys(expected, "ok"), "verdict": "PASS"}, checked.stdout
    assert [call.split()[0] for call in copy.gcloud_calls()] == ["artifacts", "builds"]


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
