"""Print what a plan says: `python -m tests.deploy.terraform access|alerts [PLAN.json]` (terraform show -json).

Without a plan: that of production, made with emulated providers, where their rig is installed.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.deploy.terraform.access import alerts, rows
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig


def _plan(arguments: list[str]) -> dict[str, Any]:
    if arguments:
        plan: dict[str, Any] = json.loads(Path(arguments[0]).read_text())
        return plan
    if not has_rig():
        sys.exit(PLAIN_WORD)
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy.into(Path(folder) / "prod", hollow=True)
        found, plan = copy.plan("--no-test", "--var-file", "terraform/envs/prod.tfvars")
    if found.returncode:
        sys.exit(found.stdout)
    return plan


def main(what: str, *arguments: str) -> None:
    """Print the table of rights, or the alerts with their texts."""
    plan = _plan(list(arguments))
    if what == "access":
        sys.stdout.write("\n".join(["| who | may | what |", "|---|---|---|", *sorted(rows(plan)), ""]))
    for severity, title, text in alerts(plan) if what == "alerts" else ():
        sys.stdout.write(f"## {title} ({severity})\n\n{text}\n")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in ("access", "alerts"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
