"""The warehouse on which all schedules of one process begin."""

import pytest
from tests.proofs.usage_faults.template import Template, make_template


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))
