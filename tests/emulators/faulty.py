"""A run whose broker answers pushes with 500 and delivers twice: `python -m tests.emulators.faulty DIR DAYS END`."""

import json
import sys
from pathlib import Path

from emulators.broker import Broker
from emulators.pipeline import Emulators
from millrace.laptop.run import RunOptions, run
from millrace.laptop.source import SourceOptions

FAULT_SHARE = 0.2


def main(folder: str, days: str, end: str) -> int:
    """Run, print the outcome as JSON, and return 0 if all of it is good."""
    source = SourceOptions(developers=3, days=int(days), seed=11, clone_share=0.2, end=end, usage=False, limiter=False)
    report = run(RunOptions(Path(folder).resolve(), source), Emulators(Broker(FAULT_SHARE, deliver_twice=True)))
    print(json.dumps(report.to_json(), default=str))  # noqa: T201 read by the test
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
