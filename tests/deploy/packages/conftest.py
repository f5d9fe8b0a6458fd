"""Each package, installed once for all tests from its lock; and the distribution, built once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.deploy.packages.packaging import PROJECT, Package, build, install

import simulator

KEY = "key_of-the-simulator"


@pytest.fixture(scope="session")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return install("functions", tmp_path_factory.mktemp("functions"))


@pytest.fixture(scope="session")
def dbt_runner(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return install("dbt-runner", tmp_path_factory.mktemp("dbt-runner"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that holds one sdist and one wheel."""
    folder = tmp_path_factory.mktemp("built")
    build(PROJECT, folder)
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def source_url() -> Iterator[str]:
    world = simulator.generate(developers=2, days=8, seed=7, end=datetime(2026, 11, 20, tzinfo=UTC))
    with simulator.serve(world, key=KEY) as running:
        yield running.url
