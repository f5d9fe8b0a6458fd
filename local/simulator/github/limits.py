"""GitHub's limits on a clock: points an hour (primary), and points a minute (secondary)."""

from collections import deque

from simulator.github.clock import Clock
from simulator.github.times import instant

HOUR_S = 3600
MINUTE_S = 60
REST_POINTS_PER_MINUTE = 900
GRAPHQL_POINTS_PER_MINUTE = 2000


class Window:
    """A budget that is full again an hour after its first use."""

    def __init__(self, resource: str, limit: int, clock: Clock) -> None:
        self.resource = resource
        self.limit = limit
        self._clock = clock
        self._used = 0
        self._reset_s = 0

    @property
    def used(self) -> int:
        """Return the points used in this hour."""
        self._turn()
        return self._used

    @property
    def remaining(self) -> int:
        """Return the points left in this hour."""
        return max(0, self.limit - self.used)

    @property
    def reset_s(self) -> int:
        """Return when the budget is full again, in seconds since 1970."""
        self._turn()
        return self._reset_s or int(self._clock.now_s()) + HOUR_S

    def spend(self, points: int) -> bool:
        """Use points and return True; False when nothing is left."""
        self._turn()
        if self._used >= self.limit:
            return False
        self._reset_s = self._reset_s or int(self._clock.now_s()) + HOUR_S
        self._used += points
        return True

    def exhaust(self) -> None:
        """Use all points that are left in this hour."""
        self.spend(self.remaining)

    def facts(self) -> dict[str, int | str]:
        """Return the fields of RateLimit in GraphQL, but for those of the query."""
        return {
            "limit": self.limit,
            "used": min(self.used, self.limit),
            "remaining": self.remaining,
            "resetAt": instant(self.reset_s),
        }

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Used": str(min(self.used, self.limit)),
            "X-RateLimit-Reset": str(self.reset_s),
            "X-RateLimit-Resource": self.resource,
        }

    def _turn(self) -> None:
        if self._reset_s and self._clock.now_s() >= self._reset_s:
            self._used = self._reset_s = 0


class Minute:
    """At most so many points in any minute."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._spent: deque[tuple[float, int]] = deque()

    def spend(self, points: int) -> int | None:
        """Use points and return None; without any left return the seconds for Retry-After."""
        now_s = self._clock.now_s()
        while self._spent and self._spent[0][0] <= now_s - MINUTE_S:
            self._spent.popleft()
        if sum(each for _, each in self._spent) + points > self._limit:
            return int(self._spent[0][0] + MINUTE_S - now_s) + 1
        self._spent.append((now_s, points))
        return None
