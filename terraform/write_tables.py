"""Write tables.json and snowflake.json: what Terraform has to know of the code. Run it after a change."""

import json
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "src"))

from millrace.tables import ENDPOINTS  # noqa: E402 the package is not installed, only checked out
from millrace.warehouse.snowflake.objects import ADDED, META  # noqa: E402

FOLDER = PROJECT / "terraform"


def exported() -> dict[str, str]:
    """Return the text of each file: the endpoints of the registry by their names, and what makes META."""
    endpoints = {
        name: {
            "source": each.source,
            "feeds": each.feeds,
            "objects": each.objects,
            "parent": each.parent,
            "per_repository": each.per_repository,
        }
        for name, each in sorted(ENDPOINTS.items())
    }
    return {
        "tables.json": _to_json(endpoints),
        "snowflake.json": _to_json({"made": META, "added": ADDED}),
    }


def _to_json(values: object) -> str:
    return json.dumps(values, indent=2) + "\n"


if __name__ == "__main__":
    for name, text in exported().items():
        (FOLDER / name).write_text(text)
