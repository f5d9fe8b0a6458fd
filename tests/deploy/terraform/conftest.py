"""One plan for all tests that look at it."""

from typing import Any

import pytest
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig


@pytest.fixture
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    return Copy.into(tmp_path_factory.mktemp("copy"), hollow=True)


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    production = "terraform/envs/prod.tfvars"
    checked, made = Copy.into(tmp_path_factory.mktemp("prod")).plan("--no-test", "--var-file", production)
    assert checked.returncode == 0, checked.stdout
    return made
