"""What the tools of a company read: a small data directory, built once for all tests of this folder."""

import pytest
from tests.laptop.conftest import run_all

from millrace.laptop.data_dir import DataDir

WORLD = ("--developers", "4", "--days", "20", "--seed", "5", "--end", "2026-10-20T00:00:00Z", "--no-limiter")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> DataDir:
    """A data directory that is built and published. No test changes it."""
    place = DataDir(tmp_path_factory.mktemp("built") / "data")
    done = run_all(place.root, *WORLD, "--usage")
    assert done.code == 0, done.out + done.err
    return place
