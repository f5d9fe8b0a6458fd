"""The progress of reading an account: how far each repository is, the points that are left, and the time left."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_OBJECTS = {"github_pull_requests": "pull requests", "github_commits": "commits"}
_FEWEST = 100  # pull requests that were read before a time is estimated from them
_HOUR_S = 3600.0


@dataclass
class Repositories:
    """What is known of the repositories that a run reads, and how much of them was read."""

    clock: Callable[[], float] = time.monotonic
    _totals: dict[str, int] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _per_hour: int | None = None
    _points: int = 0
    _points_of: dict[str, int] = field(default_factory=dict)
    _began_at: float | None = None
    _first: int = 0

    def expect(self, pull_requests: Mapping[str, int | None], per_hour: int | None) -> None:
        """Note the number of pull requests of each repository (None: unknown), and the points of an hour."""
        self._totals = {name: count for name, count in pull_requests.items() if count is not None}
        self._per_hour = per_hour

    @property
    def count(self) -> int | None:
        """The number of repositories to read; None when it is not known."""
        return len(self._totals) or None

    def page(self, fields: Mapping[str, object]) -> str:
        """Return a line about a repository after a page of it was read, from the fields of the log's record."""
        table, name, done, total, left = (
            fields[key] for key in ("table", "repository", "done", "total", "points_left")
        )
        self._names[str(fields["task_id"])] = f"{name} {_OBJECTS.get(str(table), 'rows')}"
        of = f" of {total:,}" if total is not None else ""
        parts = [f"{name}: {done:,}{of} {_OBJECTS.get(str(table), 'rows')}"]
        if left is not None:
            parts.append(f"{left:,} points left")
        if table == "github_pull_requests" and isinstance(total, int) and isinstance(done, int):
            self._points_of[str(name)] = int(str(fields["points"]))
            left_s = self._left_s(str(name), done, None if left is None else int(str(left)))
            parts += [] if left_s is None else [f"about {duration(left_s)} left"]
        return " · ".join(parts)

    def name_of(self, task_id: str) -> str | None:
        """Return the repository of a task and what it reads of it; None before its first page."""
        return self._names.get(task_id)

    def _left_s(self, name: str, done: int, points_left: int | None) -> float | None:
        """Return the seconds until all pull requests are read, by those that were: they take time, and points."""
        now = self.clock()
        self._done[name] = done
        read = sum(self._done.values())
        if self._began_at is None:
            self._began_at, self._first = now, read
        to_read = max(0, sum(self._totals.values()) - read)
        if read - self._first < _FEWEST or not to_read:
            return None
        by_time_s = to_read * (now - self._began_at) / (read - self._first)
        needed = to_read * sum(self._points_of.values()) / read
        if points_left is None or not self._per_hour or needed <= points_left:
            return by_time_s
        return max(by_time_s, (needed - points_left) / self._per_hour * _HOUR_S)


def duration(seconds: float) -> str:
    """Return a time in words, as exact as an estimate can be: `2 h 10 min`, `4 min`, `20 s`."""
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{minutes} min" if minutes >= 2 else f"{max(1, round(seconds)):,} s"
