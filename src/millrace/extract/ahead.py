"""Reading ahead, so that network and CPU work in parallel."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items while another thread fetches the next one, so that network and CPU work in parallel."""
    fetched: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=2)
    is_abandoned = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not is_abandoned.is_set():
            with contextlib.suppress(queue.Full):
                fetched.put((item, error), timeout=0.1)
                break

    def fetch() -> None:
        try:
            for item in items:
                put(item, None)
                if is_abandoned.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:  # noqa: BLE001 raised again in the reading thread
            put(None, error)

    thread = threading.Thread(target=fetch, name="read-ahead")
    thread.start()
    try:
        while True:
            item, error = fetched.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        is_abandoned.set()
        thread.join()
