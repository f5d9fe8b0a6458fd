"""Every test is run by some lane."""

from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_pytest_leaves_out_no_folder(pytestconfig: pytest.Config) -> None:
    left_out = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in TESTS.rglob("test_*.py")}
    names = {part for folder in folders for part in folder.relative_to(TESTS.parent).parts}
    assert [name for name in sorted(names) if any(fnmatch(name, pattern) for pattern in left_out)] == []
