"""`local/run_all.py` whose bus delivers every message five times, in random order: `python -m … SEED OPTIONS…`."""

import random
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PROJECT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "local")]

import run_all  # noqa: E402
from millrace.bus import in_process  # noqa: E402

TIMES = 5


class Urn:
    """A queue that returns its items in random order; None, which ends a lane, is the last one."""

    random = random.Random()  # noqa: S311 a seeded order is the point

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._changed = threading.Condition()

    def put(self, item: Any) -> None:
        """Put an item in."""
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def get(self) -> Any:
        """Take one item out, waiting for it."""
        with self._changed:
            while not self._items:
                self._changed.wait()
            waiting = [item for item in self._items if item is not None] or [None]
            item = self.random.choice(waiting)
            self._items.remove(item)
            return item


def main() -> int:
    """Run with the order of the seed."""
    Urn.random.seed(int(sys.argv[1]))
    publish = in_process.LocalBus.publish

    def often(bus: in_process.LocalBus, topic: str, data: Mapping[str, object], attributes: Mapping[str, str]) -> None:
        for _ in range(TIMES):
            publish(bus, topic, data, attributes)

    in_process.LocalBus.publish = often  # type: ignore[method-assign, assignment]
    setattr(in_process, "queue", SimpleNamespace(SimpleQueue=Urn))  # noqa: B010 only the bus's own
    return run_all.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
