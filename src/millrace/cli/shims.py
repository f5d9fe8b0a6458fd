"""Stands in for functions of the collector and the report that this version may not have yet."""

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace.collect.checkpoints import CheckpointStore
    from millrace.collect.collector import CollectResult
    from millrace.collect.discovery import Root
    from millrace.collect.machine import Machine


@dataclass(frozen=True, slots=True)
class Place:
    """A place where an agent keeps logs, and how many are there."""

    agent: str
    path: Path
    exists: bool
    logs: int


def places(roots: Sequence["Root"]) -> list[Any]:
    """Return every place that was looked at."""
    from millrace.collect import discovery

    if hasattr(discovery, "places"):
        return list(discovery.places(roots))
    return [
        Place(root.agent, root.path, root.path.exists(), sum(1 for _ in root.logs(lambda error: None)))
        for root in roots
    ]


def unread(machine: "Machine") -> list[Any]:
    """Return the known stores that exist and are not read: agent, path, why."""
    from millrace.collect import discovery
    from millrace.collect.machine import platform

    if hasattr(discovery, "unread"):
        return list(discovery.unread(machine.home, machine.config.environment, platform()))
    return []


def withdrawn(result: "CollectResult") -> int:
    """Return how many events the logs do not make any more, by newer rules."""
    return int(getattr(result, "withdrawn", 0))


def gone_rules(result: "CollectResult") -> Mapping[Path, int]:
    """Return the logs that are gone and were counted by older rules, with the version of those."""
    return dict(getattr(result, "gone_rules", {}))


def tables() -> ModuleType | None:
    """Return the module of the report's tables."""
    try:
        return importlib.import_module("millrace.report.tables")
    except ModuleNotFoundError:
        return None


def daily(store: "CheckpointStore", zone: str, last: int) -> str:
    """Return the table of the last days."""
    found = tables()
    return "" if found is None else str(found.daily(store, zone, last))


def daily_rows(store: "CheckpointStore", zone: str, last: int) -> list[dict[str, Any]]:
    """Return the rows of that table."""
    found = tables()
    return [] if found is None or not hasattr(found, "daily_rows") else list(found.daily_rows(store, zone, last))


def local_zone() -> str:
    """Return the name of this machine's time zone."""
    found = tables()
    if found is not None and hasattr(found, "local_zone"):
        return str(found.local_zone())
    link = os.path.realpath("/etc/localtime")
    return link.partition("/zoneinfo/")[2] or "UTC"


def has_events(store: "CheckpointStore") -> bool:
    """Return whether anything was counted before."""
    if hasattr(store, "current"):
        return next(iter(store.current()), None) is not None
    return bool(store._file.query("select 1 from events limit 1"))
