"""The lane of every test, and fixtures that several folders need.

`make check` runs the fast tests, `make test` the slow ones as well, `make prove` the proofs.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import in_memory, warm  # noqa: F401 the first one decides where temporary files are
from tests.contract import on_snowflake
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from emulators import snowflake

TESTS = Path(__file__).parent
LANES = ("proof", "slow", "fast")
# A folder's lane; the marker of a module or a test overrides it. The slowest folders are listed first: with several
# processes they start first.
FOLDERS = {
    "types": "fast",
    "api": "slow",
    "bi": "slow",
    "page": "slow",
    "deploy/terraform": "slow",
    "deploy/packages": "slow",
    "laptop": "slow",
    "dbt": "slow",
    "proofs": "proof",
    "emulators": "slow",
    "contract": "slow",
    "warehouse": "slow",
    "status": "slow",
    "build": "slow",
    "deploy": "slow",
    "": "fast",
}
# Folders whose tests share slow fixtures: one process runs them all. Elsewhere one process runs the tests of a file.
SHARED = ("api", "bi", "deploy/packages", "deploy/terraform", "page", "proofs/parity", "status")


# A shell's background commands, or those under nohup, ignore these signals, and so would the processes of the tests.
for _ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_ignored) is signal.SIG_IGN:
        signal.signal(_ignored, lambda signum, frame: None)


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Runs the tests of a file, or of a folder of SHARED, in one process."""

    # The marker xdist_group of xdist 3.8 does nothing with pytest 9.2, and does not warn.

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].removeprefix("tests/")
        return next((folder for folder in SHARED if file.startswith(f"{folder}/")), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    """Return the scheduler of `pytest -n 3`."""
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by FOLDERS, and mark each with its lane."""
    order = list(FOLDERS)
    items.sort(key=lambda item: order.index(folder_of(item)))
    for item in items:
        lanes = {marker.name for marker in item.iter_markers()} & set(LANES)
        if len(lanes) > 1:
            raise pytest.UsageError(f"{item.nodeid}: expected one lane, got {', '.join(sorted(lanes))}")
        if not lanes:
            item.add_marker(FOLDERS[folder_of(item)])


def folder_of(item: pytest.Item) -> str:
    """Return the first of FOLDERS that holds a test."""
    folder = f"{item.path.parent.relative_to(TESTS).as_posix()}/"
    return next(name for name in FOLDERS if not name or folder.startswith(f"{name}/"))


@pytest.fixture(scope="module", autouse=True)
def _own_settings() -> Iterator[None]:
    """Take back the settings that a command in this process has left in the environment (`config.use`)."""
    before = {name: value for name, value in os.environ.items() if name.startswith("MILLRACE_")}
    yield
    for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo `log.start`, which sets up the process of a deployment; the next test starts without it."""
    logger, hook = logging.getLogger("millrace"), sys.excepthook
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before
    sys.excepthook = hook


@pytest.fixture(scope="session")
def snowflake_at() -> Iterator[str]:
    """Yield the address of the Snowflake emulator; nothing where the tests run on an account."""
    if on_snowflake.is_given():
        yield ""
        return
    with snowflake.serving() as where:
        yield where


@pytest.fixture(scope="session", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """Set the folder of the parsed dbt project, which warm commands of all workers share."""
    own = tmp_path_factory.getbasetemp()
    warm.parsed_folder = own if worker_id == "master" else own.parent
