"""The result of one run of the collector."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class CollectResult:
    """What one run of the collector did.

    `new`, `changed` and `unchanged` count events; unchanged ones were read again. `before_since` counts known events
    that `since` excludes; they are sent once it no longer does. `skipped` counts lines, by agent and reason.
    `withdrawn` counts events that were sent before, and do not exist by the present rules; they are in `rows`, too.
    `gone_rules` are logs that cannot be read by the present rules, with the version of the rules that their events
    follow: they are gone, or were rewritten since. Each is named once.
    """

    looked_at: int = 0
    read: int = 0
    size_bytes: int = 0
    lines: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    before_since: int = 0
    rows: int = 0
    withdrawn: int = 0
    batches: list[str] = field(default_factory=list)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_files: dict[Path, str] = field(default_factory=dict)
    gone: dict[Path, int] = field(default_factory=dict)
    torn: dict[Path, int] = field(default_factory=dict)
    gone_rules: dict[Path, int] = field(default_factory=dict)
