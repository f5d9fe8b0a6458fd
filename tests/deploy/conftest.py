"""The plan of production, for tests that ask it what is deployed, and not whether it is right."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.deploy import services, sourced
from tests.deploy.services import Service
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    copy = Copy.into(tmp_path_factory.mktemp("planned"), hollow=True)
    found, plan = copy.plan("--no-test", "--var-file", "terraform/envs/prod.tfvars")
    assert plan, found.stdout
    return plan


@pytest.fixture(scope="session")
def found(request: pytest.FixtureRequest) -> dict[str, Service]:
    """The services of the plan, by name; where no plan can be made, those of the last recorded one.

    Production has no source with an account, so those of one source are from the record of a plan that has some.
    """
    of_plan = services.services(request.getfixturevalue("planned")) if has_rig() else services.recorded()
    with_sources = sourced.recorded().services
    return of_plan | {name: each for name, each in with_sources.items() if name.startswith("gh-acme-")}


@pytest.fixture(scope="session")
def emulators(found: dict[str, Service]) -> Iterator[dict[str, str]]:
    """The settings by which the services find emulators of what the plan names."""
    with services.emulated(found) as where:
        yield where
