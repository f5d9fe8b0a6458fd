"""Both images, built once for all tests, by the steps of the build that Terraform asks for.

The base is the rig's substitute for the one that the script names.
"""

import pytest
from tests.deploy.image import rig


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> None:
    print(rig.build(tmp_path_factory.mktemp("build")))  # noqa: T201 sizes, layers and times
