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


@dataclass(frozen=True, slots=True)
class Checked:
    """The rig's findings in a copy, and its plan."""

    found: subprocess.CompletedProcess[str]
    plan: dict[str, Any]


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """The production environment, planned, and the tests of the modules."""
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    copy = Copy.into(tmp_path_factory.mktemp("prod"), hollow=True)
    found, plan = copy.plan("--var-file", "terraform/envs/prod.tfvars")
    return Checked(found, plan)


@pytest.fixture(scope="session")
def plan(checked: Checked) -> dict[str, Any]:
    assert checked.found.returncode == 0, checked.found.stdout
    return checked.plan
