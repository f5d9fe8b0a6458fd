"""Fixtures for tests of the report."""

from pathlib import Path

import pytest
from tests.collect.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was read before."""
    return Machine(tmp_path)
