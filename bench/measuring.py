"""A figure, its floor, and the printing of both."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """Seconds of a block."""

    s: float = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Measure the wall time of a block."""
    watch, started = Stopwatch(), time.perf_counter()
    try:
        yield watch
    finally:
        watch.s = time.perf_counter() - started


def best_of(times: int, action: Callable[[], float]) -> float:
    """Return the shortest of several measurements: the one that the rest of the machine disturbed least."""
    return min(action() for _ in range(times))


@dataclass(frozen=True)
class Figure:
    """One measured value beside its floor; `aim` is the ratio the project wants to stay under."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    floor_is: str = ""
    aim: float | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def show(self) -> None:
        """Print it as one line."""
        line = f"{self.what:<58} {self.value:9.2f} {self.unit}"
        if self.floor:
            ratio = self.value / self.floor
            line += f"   {ratio:5.2f} x {self.floor_is} ({self.floor:.2f} {self.unit})"
            if self.aim is not None:
                line += f"   aim <= {self.aim} x: {'ok' if ratio <= self.aim else 'NOT MET'}"
        for name, text in self.notes.items():
            line += f"   {name} {text}"
        print(line, flush=True)  # noqa: T201 the command's answer
