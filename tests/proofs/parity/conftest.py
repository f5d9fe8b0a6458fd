"""The shared fixture of the parity tests: the project compiled for each engine."""

import pytest
from tests.proofs.parity.compiling import Compiled, compile_project
from tests.proofs.parity.traps import TRAPS


@pytest.fixture(scope="session")
def for_snowflake(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compile_project(tmp_path_factory.mktemp("compiled"), "prod", TRAPS)


@pytest.fixture(scope="session")
def for_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compile_project(tmp_path_factory.mktemp("compiled"), "local", TRAPS)
