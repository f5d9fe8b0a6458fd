"""What the tests of parity share: the stand-in, and the project compiled for both engines."""

from collections.abc import Iterator

import pytest
from tests.parity.compiling import Compiled, compile_project
from tests.parity.traps import TRAPS

from emulators import snowflake


@pytest.fixture(scope="session")
def snowflake_at() -> Iterator[str]:
    """Where the stand-in for Snowflake is."""
    with snowflake.serving() as where:
        yield where


@pytest.fixture(scope="session")
def for_snowflake(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compile_project(tmp_path_factory.mktemp("compiled"), "prod", TRAPS)


@pytest.fixture(scope="session")
def for_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compile_project(tmp_path_factory.mktemp("compiled"), "local", TRAPS)
