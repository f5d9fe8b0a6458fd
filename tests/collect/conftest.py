"""Fixtures for tests of the collector."""

from pathlib import Path

import pytest
from tests.collect.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which nothing was collected before."""
    return Machine(tmp_path)
