"""Measure the job's image: the time until dbt starts and ends, after its build. `python -m tests.deploy.image`."""

import re
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.deploy.image import rig
from tests.deploy.image.built import build, inside, owned_by_the_image
from tests.deploy.image.rig import FOLDER, MISSING


def seconds_until_dbt(started: datetime, log: str) -> float:
    """Return the seconds from the start of the container to dbt's first line."""
    first = re.search(r"(\d\d:\d\d:\d\d\.\d+) \[info \] .*Running with dbt", log)
    if first is None:
        raise SystemExit("dbt did not start")
    at = datetime.combine(started.date(), datetime.strptime(first[1], "%H:%M:%S.%f").time(), UTC)  # noqa: DTZ007
    return (at - started).total_seconds()


def main() -> None:
    """Build the images, run the job once over a few rows, and print the results."""
    with tempfile.TemporaryDirectory() as folder:
        print(rig.build(Path(folder)))  # noqa: T201 size and layers of each
        data = owned_by_the_image(Path(folder))
        started, clock = datetime.now(UTC), time.monotonic()
        code, lines = build(data)
        wall_s = time.monotonic() - clock
        log = (data / "target" / "dbt.log").read_text()
    parsed = "yes" if "Starting full parse" in log else "no"
    print(f"job          user {inside('id', '-u').strip()}")  # noqa: T201
    print(f"dbt starts   {seconds_until_dbt(started, log):.1f} s after the container; parses anew: {parsed}")  # noqa: T201
    print(f"whole build  {wall_s:.1f} s, exit code {code}, {lines[-2] if len(lines) > 1 else lines}")  # noqa: T201


if __name__ == "__main__":
    if not FOLDER.exists():
        sys.exit(MISSING)
    main()
