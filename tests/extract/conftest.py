"""Simulated worlds that several tests read; no test changes one."""

from datetime import UTC, datetime

import pytest

import simulator

END = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def small_world() -> simulator.World:
    """Two developers, ten days."""
    return simulator.generate(developers=2, days=10, seed=5, end=END)


@pytest.fixture(scope="session")
def usual_world() -> simulator.World:
    """Five developers, ninety days."""
    return simulator.generate(developers=5, days=90, seed=7, end=END)
