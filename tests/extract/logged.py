"""All that the process logs, also the steps that a log leaves out."""

import logging
from types import TracebackType
from typing import Self


class Logged(logging.Handler):
    """Collects all log records within a `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._root, self._ours = logging.getLogger(), logging.getLogger("millrace")
        self._before = self._root.level, self._ours.level, self._ours.propagate
        self._ours.setLevel(logging.DEBUG)
        self._ours.propagate = True  # a function that was imported before has set up the log of this process
        self._root.setLevel(logging.DEBUG)
        self._root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{record.getMessage()} {vars(record)!r}\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._root.removeHandler(self)
        root, ours, self._ours.propagate = self._before
        self._root.setLevel(root)
        self._ours.setLevel(ours)
        super().close()
