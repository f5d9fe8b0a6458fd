"""The API of one world: the order of checks, and which path belongs to which route."""

import base64
import binascii
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from urllib.parse import unquote

from simulator import cursor_routes, github_routes
from simulator.answers import BadRequest, Query, SimulatedRequest, SimulatedResponse, Source, error, message, not_found
from simulator.faults import NO_FAULTS, FaultInjector, InjectedFaults
from simulator.limiter import TokenBucket
from simulator.world import World

DEFAULT_KEY = "cursor-sim-dev-key"
_ROUTES: Mapping[str, Callable[[Source, Query], SimulatedResponse]] = {
    "/repos": github_routes.repos,
    "/teams/members": cursor_routes.members,
    "/analytics/ai-code/commits": cursor_routes.commits,
    "/analytics/ai-code/commits.csv": cursor_routes.commits_csv,
    "/analytics/github/prs": github_routes.pull_requests,
    "/analytics/github/reviews": github_routes.reviews,
    "/admin/stats": cursor_routes.statistics,
}


class SimulatedApi:
    """Answers requests about one world, as the source does: rate limit, then key, then route."""

    def __init__(
        self, world: World, *, limiter: bool = False, key: str = DEFAULT_KEY, faults: InjectedFaults = NO_FAULTS
    ) -> None:
        self.world = world
        self.requests = 0
        self.rate_limited = 0
        self._bucket = TokenBucket() if limiter else None
        self._key = key
        self._injector = FaultInjector(faults)
        self._random = Random(world.seed)
        self._lock = threading.Lock()

    def answer_request(self, request: SimulatedRequest) -> tuple[SimulatedResponse, bool]:
        """Return what `answer` returns; the source reads neither method nor body."""
        return self.answer(request.target, request.headers.get("authorization"))

    def answer(self, target: str, authorization: str | None) -> tuple[SimulatedResponse, bool]:
        """Return the answer to a request for `target`, and whether the connection must break in its middle.

        Raises ConnectionDropped where the source's handler panics.
        """
        with self._lock:
            self.requests += 1
            hidden = max(0, self._injector.faults.appearing - self.requests)
        if (wait_s := self._bucket.take() if self._bucket else None) is not None:
            return self._too_many(wait_s), False
        raw_path, _, query = target.partition("?")
        path = unquote(raw_path)
        if path == "/health":
            return SimulatedResponse(200, b'{"status":"ok"}\n'), False
        if not path.startswith("/docs") and (refusal := self._refusal(authorization)):
            return refusal, False
        instead = self._injector.before(target)
        if instead is not None:
            with self._lock:
                self.rate_limited += instead.status == 429
            return instead, False
        source = Source(self.world, self._random, hidden)
        answer = self._injector.after(target, self._route(source, path, raw_path, Query(self._injector.paged(query))))
        return answer, self._injector.truncates(target)

    def _too_many(self, wait_s: int) -> SimulatedResponse:
        with self._lock:
            self.rate_limited += 1
        return replace(error(429, "Rate limit exceeded"), headers={"Retry-After": str(wait_s)})

    def _refusal(self, authorization: str | None) -> SimulatedResponse | None:
        """Return 401 unless the user name of Basic credentials is the key; the password is ignored."""
        scheme, _, credentials = (authorization or "").partition(" ")
        try:
            if scheme.lower() != "basic":
                raise ValueError(scheme)
            user, _, _ = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            return replace(error(401, "Unauthorized"), headers={"Www-Authenticate": "Basic"})
        return None if user == self._key else error(401, "Unauthorized")

    def _route(self, source: Source, path: str, raw_path: str, query: Query) -> SimulatedResponse:
        if self._injector.faults.plain_only and path.startswith("/analytics/github/"):
            return not_found()
        try:
            if path in _ROUTES:
                return _ROUTES[path](source, query)
            if path.startswith("/repos/"):
                return github_routes.below_repos(source, raw_path.removeprefix("/repos/"), query)
        except BadRequest as refused:
            return refused.answer()
        except github_routes.InvalidPullNumber:
            return message(400, "invalid pull request number")
        return not_found()
