"""What reading pull requests costs, by GitHub's documented rules.

A GraphQL page costs one point for each hundred requests that its lists would need by REST (the documented formula); a
request takes some seconds, and there is one at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from millrace.extract.sources.github.listing import LARGEST_PAGE
from millrace.extract.sources.github.queries import LISTS

_PAGE_POINTS = max(1, round((1 + len(LISTS) * LARGEST_PAGE) / 100))
_FOLLOW_UPS = 0.05  # more requests, for long lists
_REQUEST_S = 3.0
_BY_REST = 3  # requests a pull request
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Requests, points of the hourly budget, and seconds. It leaves out the commits of default branches."""

    requests: int
    points: int
    seconds: float


def of_pull_requests(counts: Iterable[int], per_hour: int | None, is_rest: bool = False) -> Estimate:
    """Return what it costs to read repositories with these numbers of pull requests (`per_hour` None: no limit)."""
    counts = list(counts)
    pages = sum(max(1, ceil(count / LARGEST_PAGE)) for count in counts)
    requests = pages + _BY_REST * sum(counts) if is_rest else pages + ceil(pages * _FOLLOW_UPS)
    points = requests if is_rest else pages * _PAGE_POINTS + ceil(pages * _FOLLOW_UPS)
    limited_s = points / per_hour * _HOUR_S if per_hour else 0.0
    return Estimate(requests, points, max(requests * _REQUEST_S, limited_s))
