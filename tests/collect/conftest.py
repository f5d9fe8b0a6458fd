"""What tests of the collector need."""

from pathlib import Path

import pytest
from tests.collect.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was ever collected."""
    return Machine(tmp_path)
