"""Print what a preflight prints: `python -m tests.deploy.preflight everything-missing` or `everything-there`."""

import os
import sys
import warnings
from unittest.mock import patch

from terraform.checks.findings import lines
from tests.deploy.preflight import projects
from tests.deploy.preflight.surroundings import alone

from emulators import snowflake

warnings.simplefilter("ignore")  # of the emulator of Snowflake, about itself


def main(scenario: str) -> int:
    """Print the findings of a scenario; return 2 for an unknown one."""
    known = {"everything-missing": projects.everything_missing, "everything-there": projects.everything_there}
    if scenario not in known:
        print(f"expected one of {', '.join(known)}, got {scenario!r}")  # noqa: T201 the answer
        return 2
    with alone(known[scenario]) as there, patch.dict(snowflake.FACTS):
        there.variables["PATH"] = os.environ["PATH"]
        if scenario == "everything-missing":
            there.variables["TF_VAR_source_key"] = "a wrong one"
            snowflake.FACTS |= {"CURRENT_REGION()": "GCP_US_EAST4", "CURRENT_ROLE()": "PUBLIC"}
        for line in lines(there.findings()):
            print(line)  # noqa: T201 the answer
    return 0


if __name__ == "__main__":
    sys.exit(main((sys.argv[1:] or [""])[0]))
