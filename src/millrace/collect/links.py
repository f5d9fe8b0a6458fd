"""The symlinks below a folder of logs, searched for again and again without listing what did not change."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from millrace.collect.layouts import Layout, Parts

_SETTLED_NS = 2 * 10**9  # a change within the same tick of the file system's clock leaves the time as it is
_MOST_KNOWN = 200_000


@dataclass(frozen=True, slots=True)
class _Listing:
    """What matters of a folder: its links and folders, as of one of its states."""

    state: tuple[int, int, int]
    links: tuple[str, ...]
    folders: tuple[str, ...]


_known: dict[str, _Listing] = {}


def links_below(folder: Path, parts: Parts, layout: Layout) -> Iterator[tuple[Path, Parts]]:
    """Yield the symlinks below a folder that may be logs of a store or contain some, with their places in it.

    The result follows from names alone; folders that cannot be listed have none.
    """
    for path, place in _links_below(str(folder), parts, layout):
        yield Path(path), place


def _links_below(folder: str, parts: Parts, layout: Layout) -> Iterator[tuple[str, Parts]]:
    listing = _listing(folder)
    if listing is None:
        return
    for name in listing.links:
        place = (*parts, name)
        if layout.is_log(place) or layout.may_hold(place):
            yield os.path.join(folder, name), place
    for name in listing.folders:
        place = (*parts, name)
        if layout.may_hold(place):
            yield from _links_below(os.path.join(folder, name), place, layout)


def _listing(folder: str) -> _Listing | None:
    try:
        status = os.stat(folder)
        state = (status.st_dev, status.st_ino, status.st_mtime_ns)
        known = _known.get(folder)
        if known is not None and known.state == state:
            return known
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return None
    listing = _Listing(
        state,
        tuple(entry.name for entry in found if is_link(entry)),
        tuple(entry.name for entry in found if entry.is_dir(follow_symlinks=False) and not is_link(entry)),
    )
    if time.time_ns() - status.st_mtime_ns > _SETTLED_NS:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[folder] = listing
    return listing


def is_link(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a symlink, or what Windows has instead."""
    return entry.is_symlink() or (hasattr(entry, "is_junction") and bool(entry.is_junction()))
