"""The collector's store, with what is new in the logs read into it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from millrace.collect import lock
from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectResult, ProgressCallback
from millrace.collect.machine import Machine
from millrace.collect.state_file import FILE


@dataclass(frozen=True, slots=True)
class Opened:
    """A store. `read` is what was read into it now; None where it is a copy, for the reason `why`."""

    store: CheckpointStore
    read: CollectResult | None
    why: str = ""


def has_state(folder: Path) -> bool:
    """Return whether a folder holds the state of a collector."""
    return (folder / FILE).exists()


@contextmanager
def opened(machine: Machine, on_progress: ProgressCallback, on_read: Callable[[], None]) -> Iterator[Opened]:
    """Yield the store of a machine with what is new; a copy of it while another process reads the logs.

    `on_read` is called when everything is read.
    """
    if machine.config.is_off:
        with _copy(machine, "MILLRACE_COLLECT is off: nothing new is read") as copied:
            yield copied
        return
    try:
        with machine.collector() as collector:
            result = collector.read(on_progress)
            on_read()
            yield Opened(collector.store, result)
    except lock.Held:
        with _copy(machine, "another process collects: this is what it has saved so far") as copied:
            yield copied


@contextmanager
def _copy(machine: Machine, why: str) -> Iterator[Opened]:
    with closing(CheckpointStore.copy(machine.state, machine.identity())) as store:
        yield Opened(store, None, why)
