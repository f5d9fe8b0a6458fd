"""`local/run_all.py` that kills itself with SIGKILL at a place: `python -m tests.killing.killable PLACE OPTIONS…`.

A step is a call of an adapter (lake, bus, warehouse, publisher) or of dbt, met once before it is taken and once after,
or a model that dbt has finished. Each of the run's threads counts its own, so that `load-12` is a place in the load
lane whatever the others do meanwhile: `main`, `extract`, `load`, `beat` (the lease's heart), `model`.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "local")]

import run_all  # noqa: E402
from laptop.progress import Watcher  # noqa: E402
from millrace import building  # noqa: E402
from millrace.building import Node  # noqa: E402
from millrace.bus.local import LocalBus  # noqa: E402
from millrace.lake.local import LocalLake  # noqa: E402
from millrace.warehouse.duckdb import DuckDBWarehouse  # noqa: E402

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
    (building, "build"),
]


@dataclass(frozen=True, slots=True)
class Place:
    """The n-th step of one of a run's threads."""

    thread: str
    number: int

    def __str__(self) -> str:
        return f"{self.thread}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes."""
        thread, _, number = text.partition("-")
        return cls(thread, int(number))


NOWHERE = Place("main", 0)
_THREADS = {"MainThread": "main", "lane-extract": "extract", "lane-load": "load", "lease": "beat"}


class Countdown:
    """Kills the process at a place, and says on standard error what the place was."""

    def __init__(self, place: Place) -> None:
        self.met: Counter[str] = Counter()
        self._place = place
        self._lock = threading.Lock()

    def meet(self, what: str) -> None:
        """Meet one more step."""
        thread = _THREADS.get(threading.current_thread().name, "model")
        with self._lock:
            self.met[thread] += 1
            if Place(thread, self.met[thread]) == self._place:
                print(f"killed at {self._place}: {what}", file=sys.stderr, flush=True)  # noqa: T201 read by who killed
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: object, name: str) -> None:
        """Meet a step before and after every call of a method."""
        method: Callable[..., Any] = getattr(owner, name)
        called = f"{getattr(owner, '__name__', owner)}.{name}"

        def watched(*arguments: Any, **named: Any) -> Any:
            of = next((f" {argument}" for argument in arguments if isinstance(argument, str)), "")
            self.meet(f"before {called}{of}")
            result = method(*arguments, **named)
            self.meet(f"after {called}{of}")
            return result

        setattr(owner, name, watched)

    def watch_models(self) -> None:
        """Meet a step when dbt has finished a model."""
        hear = Watcher.hear

        def heard(watcher: Watcher, node: Node, total: int) -> None:
            if node.kind == "model":
                self.meet(f"after model {node.name}")
            hear(watcher, node, total)

        Watcher.hear = heard  # type: ignore[method-assign, assignment]


def run(place: Place, options: Sequence[str]) -> int:
    """Run, or die on the way; gives the exit code, and says on standard error how many steps it met."""
    countdown = Countdown(place)
    for owner, name in STEPS:
        countdown.watch(owner, name)
    countdown.watch_models()
    code = run_all.main(list(options))
    print("met", *(Place(thread, met) for thread, met in countdown.met.items()), file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.exit(run(Place.parse(sys.argv[1]), sys.argv[2:]))
