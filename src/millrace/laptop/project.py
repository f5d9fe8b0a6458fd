"""The folders of the dbt project, the functions and the simulator, in a checkout or installed."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "project"

IS_CHECKOUT = not _INSTALLED.is_dir()
"""Whether this program runs from a checkout, perhaps by an editable installation."""

PROJECT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parents[1]
"""The root of a checkout. A wheel holds the same folders, at the same relative paths, in `millrace/project`."""

SIMULATOR = PROJECT / "local"
"""The folder in which `python -m simulator` runs."""
