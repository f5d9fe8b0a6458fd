"""A run whose broker answers with 500 and delivers twice: `python -m tests.emulators.faulty DIR DAYS END [short]`.

With `short` a delivery has 26 seconds and the source grants 12 requests a minute: a table needs several deliveries.
"""

import json
import os
import sys
from pathlib import Path

from emulators.broker import Broker
from emulators.pipeline import Emulators
from millrace.laptop.run import RunOptions, run
from millrace.laptop.source import SourceOptions

FAULT_SHARE = 0.2
SHORT = {
    "MILLRACE_DELIVERY_S": "26",
    "MILLRACE_TIMEOUT_S": "1",
    "MILLRACE_ANSWER_S": "1",
    "MILLRACE_REQUESTS_PER_MINUTE": "12",
}


def main(folder: str, days: str, end: str, deliveries: str = "") -> int:
    """Run, print the outcome as JSON, and return 0 if all of it is good."""
    is_short = deliveries == "short"
    os.environ.update(SHORT if is_short else {})
    source = SourceOptions(
        developers=3, days=int(days), seed=11, clone_share=0.2, end=end, usage=False, limiter=is_short
    )
    report = run(RunOptions(Path(folder).resolve(), source), Emulators(Broker(FAULT_SHARE, deliver_twice=True)))
    print(json.dumps(report.to_json(), default=str))  # noqa: T201 read by the test
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
