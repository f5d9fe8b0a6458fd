"""The data directories that commands use where none is named: one of real rows, and one of a demo inside it."""

from pathlib import Path

from millrace import config
from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import IS_CHECKOUT, PROJECT


def real() -> Path:
    """Return the directory of real rows.

    MILLRACE_DATA_DIR; else `data` in the current folder where it is one already; else `data` of the checkout that this
    program is, so that it has one meaning in every folder; else `data` in the current folder.
    """
    if named := config.data_dir():
        return Path(named).resolve()
    here = Path("data").resolve()
    return PROJECT / "data" if IS_CHECKOUT and not DataDir(here).is_there else here


def demo() -> Path:
    """Return the directory of the demo."""
    return real() / "demo"


def shown() -> Path:
    """Return the directory that a command reads: the one of real rows, or the demo's while only that one has rows."""
    own = real()
    return demo() if not DataDir(own).has_rows() and DataDir(demo()).has_rows() else own


def named(root: Path) -> str:
    """Return a directory as a person names it: relative to the current folder where it is inside."""
    here = Path.cwd()
    return str(root.relative_to(here)) if root != here and root.is_relative_to(here) else str(root)
