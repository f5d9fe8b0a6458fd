"""Logs that change, as they change; and from time to time all logs, in case a change was missed."""

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
    """Yield changed logs and new folders, or EVERYTHING: at first, every `every_s`, and when one may be missed.

    Folders that do not exist yet are checked every `look_s`, and watched once they exist. Only `stop` ends it: when
    watching fails, it is retried after increasing waits, and EVERYTHING is yielded before each retry.
    """
    wait_s = 1.0
    while not stop.is_set():
        yield EVERYTHING
        try:
            for changed in _until_folders_change(roots, stop, every_s, look_s):
                wait_s = 1.0
                yield changed
        except Exception as error:  # noqa: BLE001 its thread would end, and changes would be missed silently
            log.warning("watching failed", error=first_line(error), again_in_s=wait_s)
            stop.wait(wait_s)
            wait_s = min(wait_s * 2, every_s)


def _until_folders_change(
    roots: Callable[[], Sequence[Root]], stop: Event, every_s: float, look_s: float
) -> Iterator[set[Path] | None]:
    """Watch the existing folders until the set of them changes; without any, wait for one."""
    current = roots()
    folders = _existing(current)
    last_all: float | None = None  # changes before the watcher starts are not reported
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
    """Yield the changed paths in the folders, and an empty set at least every `look_s`."""
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
    """Return the existing folders with their identities: a folder that was created again must be watched again."""
    found: _Folders = {}
    for folder in {path for root in roots for path in root.watched}:
        try:
            status = os.stat(folder)
        except OSError:
            continue
        found[folder] = (status.st_dev, status.st_ino)
    return found


def _changed(path: Path, roots: Sequence[Root]) -> Path | None:
    """Return the log that changed, or the new folder, which may contain logs already; else None."""
    # A folder that is watched twice, under its own path and within one that links to it, is reported under either.
    log = path.parent.resolve() / path.name.removesuffix(_WAL)
    if any(root.has(log) for root in roots):
        return log
    return path if any(root.covers(path) for root in roots) and path.is_dir() else None
