"""`local/run_all.py` that kills itself with SIGKILL: `python -m tests.proofs.killing.killable PLACE OPTIONS…`.

A step is a call of an adapter (lake, bus, warehouse, publisher) or of dbt, counted once before it and once after it,
or a model that dbt has finished. A place is the n-th time that a thread reaches a step, such as
`load: after DuckDBWarehouse.load raw/repos/dt=*/run=*/repos-00000.parquet #1`, whatever other threads do meanwhile.
"""

import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "local")]

import run_all  # noqa: E402
from millrace.build import dbt  # noqa: E402
from millrace.build.dbt import Node  # noqa: E402
from millrace.bus.in_process import LocalBus  # noqa: E402
from millrace.lake import ObjectVersion  # noqa: E402
from millrace.lake.local import LocalLake  # noqa: E402
from millrace.laptop.progress import ProgressLog  # noqa: E402
from millrace.warehouse import Batch  # noqa: E402
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse  # noqa: E402

STEPS: list[tuple[type | object, str]] = [
    (LocalLake, "write"),
    (LocalLake, "read"),
    (LocalLake, "download"),
    (LocalBus, "publish"),
    (DuckDBWarehouse, "ensure_tables"),
    (DuckDBWarehouse, "load"),
    (DuckDBWarehouse, "loads_of"),
    (DuckDBWarehouse, "start_build"),
    (DuckDBWarehouse, "end_build"),
    (DuckDBWarehouse, "publish"),
    (dbt, "build"),
]


@dataclass(frozen=True, slots=True)
class KillPoint:
    """The n-th time of a step."""

    step: str
    number: int

    def __str__(self) -> str:
        return f"{self.step} #{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text that `str` returns."""
        step, _, number = text.rpartition(" #")
        return cls(step, int(number))

    @property
    def is_beat(self) -> bool:
        """Return whether the step is one of the heartbeat, whose number depends on the clock."""
        return self.step.startswith("beat:")


NOWHERE = KillPoint("nowhere", 0)
_THREADS = {"MainThread": "main", "lane-extract": "extract", "lane-load": "load", "lease": "beat"}
_WHEN = re.compile(r"\d{8}T\d{6}Z|\d{4}-\d\d-\d\d")  # a run's name, and its day


class Countdown:
    """Kills the process at a place."""

    def __init__(self, place: KillPoint) -> None:
        self.met: Counter[str] = Counter()
        self._place = place
        self._lock = threading.Lock()

    def meet(self, what: str) -> None:
        """Count a step once more."""
        step = f"{_THREADS.get(threading.current_thread().name, 'dbt')}: {what}"
        with self._lock:
            self.met[step] += 1
            if KillPoint(step, self.met[step]) == self._place:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: object, name: str) -> None:
        """Count a step before and after every call of a method."""
        method: Callable[..., Any] = getattr(owner, name)
        called = f"{getattr(owner, '__name__', owner)}.{name}"

        def watched(*arguments: Any, **named: Any) -> Any:
            self.meet(f"before {called}{_object(*arguments[1:2])}")
            result = method(*arguments, **named)
            self.meet(f"after {called}{_object(*arguments[1:2])}")
            return result

        setattr(owner, name, watched)

    def watch_models(self) -> None:
        """Count a step when dbt has finished a model."""
        on_node = ProgressLog.on_node

        def heard(watcher: ProgressLog, node: Node, total: int) -> None:
            if node.kind == "model":
                self.meet(f"after model {node.name}")
            on_node(watcher, node, total)

        ProgressLog.on_node = heard  # type: ignore[method-assign, assignment]


def _object(argument: object = None) -> str:
    """Return the object or topic of a call, without its time."""
    version = argument.version if isinstance(argument, Batch) else argument
    name = version.name if isinstance(version, ObjectVersion) else version
    return f" {_WHEN.sub('*', name)}" if isinstance(name, str) else ""


def run(place: KillPoint, options: Sequence[str]) -> int:
    """Run, or die on the way; return the exit code, and print on standard error how often each step was reached."""
    countdown = Countdown(place)
    for owner, name in STEPS:
        countdown.watch(owner, name)
    countdown.watch_models()
    code = run_all.main(list(options))
    for step, times in countdown.met.items():
        print("met", KillPoint(step, times), file=sys.stderr)  # noqa: T201 read by the parent process
    return code


if __name__ == "__main__":
    sys.exit(run(KillPoint.parse(sys.argv[1]), sys.argv[2:]))
