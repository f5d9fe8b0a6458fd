"""Where the user's folders are, in a checkout or installed: the dbt project, the functions, the simulator."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "project"

PROJECT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parents[1]
"""The root of a checkout. A wheel holds the same folders, at the same relative paths, in `millrace/project`."""

SIMULATOR = PROJECT / "local"
"""Where `python -m simulator` is found."""
