"""The lane of every test, and what tests of several folders need.

`make check` runs the fast tests, `make test` the slow ones as well, `make prove` the proofs.
"""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators import snowflake

TESTS = Path(__file__).parent
LANES = ("proof", "slow", "fast")
# A folder's lane; the marker of a module or a test wins over it. The folders that take longest come first: with
# several processes they start first.
FOLDERS = {
    "laptop": "slow",
    "dbt": "slow",
    "api": "slow",
    "deploy/packages": "slow",
    "proofs": "proof",
    "page": "slow",
    "emulators": "slow",
    "contract": "slow",
    "warehouse": "slow",
    "status": "slow",
    "build": "slow",
    "deploy": "slow",
    "": "fast",
}
# Folders whose tests share what takes long to make: one process runs them all. Elsewhere one runs those of a file.
SHARED = ("api", "deploy/packages", "page")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its lane, and with the group that has to run in one process."""
    order = list(FOLDERS)
    items.sort(key=lambda item: order.index(folder_of(item)))
    for item in items:
        folder = folder_of(item)
        lanes = {marker.name for marker in item.iter_markers()} & set(LANES)
        if len(lanes) > 1:
            raise pytest.UsageError(f"{item.nodeid}: expected one lane, got {', '.join(sorted(lanes))}")
        if not lanes:
            item.add_marker(FOLDERS[folder])
        group = folder if folder in SHARED else item.path.relative_to(TESTS).as_posix()
        item.add_marker(pytest.mark.xdist_group(group))


def folder_of(item: pytest.Item) -> str:
    """Return the first of FOLDERS that holds a test."""
    folder = f"{item.path.parent.relative_to(TESTS).as_posix()}/"
    return next(name for name in FOLDERS if not name or folder.startswith(f"{name}/"))


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo `log.start`, which sets up the process of a deployment: the next test is another one."""
    logger, hook = logging.getLogger("millrace"), sys.excepthook
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before
    sys.excepthook = hook


@pytest.fixture(scope="session")
def snowflake_at() -> Iterator[str]:
    """Return the address of the emulator of Snowflake."""
    with snowflake.serving() as where:
        yield where
