"""`local/run_all.py` that kills itself with SIGKILL at its n-th step: `python -m tests.killing.killable N OPTIONS…`.

A step is a call of an adapter (lake, bus, warehouse, publisher) or of dbt; it is met once before it is taken and once
after. With N 0 nothing is killed, and the number of steps is printed at the end.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "local")]

import run_all  # noqa: E402
from millrace import building  # noqa: E402
from millrace.bus.local import LocalBus  # noqa: E402
from millrace.lake.local import LocalLake  # noqa: E402
from millrace.warehouse.duckdb import DuckDBWarehouse  # noqa: E402

STEPS: list[tuple[type | object, str]] = [
    (LocalLake, "write"),
    (LocalLake, "read"),
    (LocalLake, "download"),
    (LocalBus, "publish"),
    (DuckDBWarehouse, "load"),
    (DuckDBWarehouse, "loads_of"),
    (DuckDBWarehouse, "start_build"),
    (DuckDBWarehouse, "end_build"),
    (DuckDBWarehouse, "publish"),
    (building, "build"),
]


class Countdown:
    """Kills the process when as many steps were met."""

    def __init__(self, kill_at: int) -> None:
        self.met = 0
        self._kill_at = kill_at
        self._lock = threading.Lock()

    def meet(self) -> None:
        """Meet one more step."""
        with self._lock:
            self.met += 1
            if self.met == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: object, name: str) -> None:
        """Meet a step before and after every call of a method."""
        method: Callable[..., Any] = getattr(owner, name)

        def watched(*arguments: Any, **named: Any) -> Any:
            self.meet()
            result = method(*arguments, **named)
            self.meet()
            return result

        setattr(owner, name, watched)


def main() -> int:
    """Run, or die on the way."""
    countdown = Countdown(int(sys.argv[1]))
    for owner, name in STEPS:
        countdown.watch(owner, name)
    code = run_all.main(sys.argv[2:])
    print(f"steps {countdown.met}", file=sys.stderr)  # noqa: T201 read by the test
    return code


if __name__ == "__main__":
    sys.exit(main())
