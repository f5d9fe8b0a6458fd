"""Write tables.json: what Terraform has to know of each table. Run it after a change of the registry."""

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from millrace.tables import TABLES  # noqa: E402 the package is not installed, only checked out

EXPORT = PROJECT / "terraform" / "tables.json"


def exported() -> str:
    """Give the text of tables.json: the tables in order of their names, each with its parent (null: none)."""
    return json.dumps({name: {"parent": TABLES[name].parent} for name in sorted(TABLES)}, indent=2) + "\n"


if __name__ == "__main__":
    EXPORT.write_text(exported())
