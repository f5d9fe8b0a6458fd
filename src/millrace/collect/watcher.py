"""Which logs change, as they change; and from time to time all, in case one was missed."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import watchfiles

from millrace import log
from millrace.collect.discovery import Root
from millrace.errors import first_line

EVERYTHING: None = None
"""All logs may have changed."""

_EVERY_S = 60.0
_LOOK_S = 3.0
_DEBOUNCE_MS = 200
_STEP_MS = 10
_WAL = "-wal"
_Folders = dict[Path, tuple[int, int]]


def watch(
    roots: Callable[[], Sequence[Root]], stop: Event, every_s: float = _EVERY_S, look_s: float = _LOOK_S
) -> Iterator[set[Path] | None]:
    """Give the logs and new folders that changed, or EVERYTHING: at first, every `every_s`, and when one may be missed.

    Folders that do not exist yet are looked for every `look_s`, and watched from then on. It ends with `stop`, and
    with nothing else: when watching fails, it is tried again, later each time, and everything is given meanwhile.
    """
    wait_s = 1.0
    while not stop.is_set():
        yield EVERYTHING
        try:
            for changed in _until_folders_change(roots, stop, every_s, look_s):
                wait_s = 1.0
                yield changed
        except Exception as error:  # noqa: BLE001 its thread would end, and nobody notice that no change is told
            log.warning("watching failed", error=first_line(error), again_in_s=wait_s)
            stop.wait(wait_s)
            wait_s = min(wait_s * 2, every_s)


def _until_folders_change(
    roots: Callable[[], Sequence[Root]], stop: Event, every_s: float, look_s: float
) -> Iterator[set[Path] | None]:
    """Watch the folders that there are until others are; without any, wait for one."""
    current = roots()
    folders = _existing(current)
    last_all: float | None = None  # what changed before the watcher began, it does not tell
    last_look = time.monotonic()
    for paths in _wakes(folders, stop, look_s):
        now = time.monotonic()
        if now - last_look >= look_s:
            current, last_look = roots(), now
            if _existing(current) != folders:
                return
        if last_all is None or now - last_all >= every_s:
            last_all = now
            yield EVERYTHING
        elif changed := {log for path in paths if (log := _changed(path, current)) is not None}:
            yield changed


def _wakes(folders: _Folders, stop: Event, look_s: float) -> Iterator[set[Path]]:
    """Give what changed in the folders when something does, and nothing at least every `look_s`."""
    if not folders:
        while not stop.wait(look_s):
            yield set()
        return
    for changes in watchfiles.watch(
        *folders,
        watch_filter=None,
        debounce=_DEBOUNCE_MS,
        step=_STEP_MS,
        stop_event=stop,
        rust_timeout=int(look_s * 1000),
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        yield {Path(path) for _, path in changes}


def _existing(roots: Sequence[Root]) -> _Folders:
    """Give the folders that exist, each with which folder it is: one that was made anew has to be watched anew."""
    found: _Folders = {}
    for folder in {root.folder for root in roots}:
        try:
            status = os.stat(folder)
        except OSError:
            continue
        found[folder] = (status.st_dev, status.st_ino)
    return found


def _changed(path: Path, roots: Sequence[Root]) -> Path | None:
    """Give the log that a change is of, or the new folder, in which there may be logs already; else None."""
    log = path.with_name(path.name.removesuffix(_WAL))
    if any(root.has(log) for root in roots):
        return log
    return path if any(root.path in path.parents for root in roots) and path.is_dir() else None
