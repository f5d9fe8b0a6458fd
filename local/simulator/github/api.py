"""GitHub's API over one company: the order of checks, the limits, and the faults."""

import gzip
import threading
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate

from simulator.answers import SimulatedRequest, SimulatedResponse
from simulator.github import oddities
from simulator.github.clock import Clock
from simulator.github.credentials import DEFAULT_TOKEN, App, Credentials
from simulator.github.graphql.endpoint import Endpoint
from simulator.github.happening import Listed, Others
from simulator.github.knobs import Knobs
from simulator.github.limiting import Limiter
from simulator.github.model import Account, Company
from simulator.github.rest.routes import Rest
from simulator.github.wire import Exchange, LogEntry, Refusal, RequestLog, digest_of

API_VERSION = "2022-11-28"
VIEWER = Account("reader", 555, "User", "Reader", "reader@acme.test")
_ENDS = "Fri, 10 Mar 2028 00:00:00 GMT"
_PACKED_FROM_BYTES = 1024
_NO_AGENT = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"


class SimulatedGitHub:
    """Answers the requests of clients of one company."""

    def __init__(
        self, company: Company, knobs: Knobs, clock: Clock, *, token: str = DEFAULT_TOKEN, app: App | None = None
    ) -> None:
        oddities.apply(company, knobs)
        self.clock = clock
        self.log = RequestLog()
        self._knobs = knobs
        self._credentials = Credentials(clock, token, app, "selected" if knobs.is_installation_selected else "all")
        self._limiter = Limiter(knobs, clock, self.log, VIEWER.number)
        self._windows = self._limiter.windows
        self._graphql = Endpoint(company, VIEWER, self._windows["graphql"], knobs)
        self._rest = Rest(company, VIEWER, self._credentials, self._windows, knobs)
        self._others = Others(company, knobs, clock)
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._open = {"core": 0, "graphql": 0}

    @property
    def requests(self) -> int:
        """The requests answered so far."""
        return len(self.log.requests)

    @property
    def rate_limited(self) -> int:
        """The requests refused so far because of a limit."""
        return self.log.limited

    def answer_request(self, request: SimulatedRequest) -> tuple[SimulatedResponse, bool]:
        """Return the answer to a request; its connection never breaks."""
        path, _, query = request.target.partition("?")
        resource = "graphql" if path == ("/api/graphql" if self._knobs.is_own_server else "/graphql") else "core"
        with self._counting:
            exchange = Exchange(path, query, resource, others=self._open[resource])
            self._open[resource] += 1
        try:
            with self._lock:
                return self._answered(request, exchange), False
        finally:
            with self._counting:
                self._open[resource] -= 1

    def _answered(self, request: SimulatedRequest, exchange: Exchange) -> SimulatedResponse:
        exchange.number = len(self.log.requests) + 1
        window = self._windows[exchange.resource]
        used = window.used
        listed: list[Listed] = []
        try:
            answer, listed = self._checked(request, exchange)
        except Refusal as refusal:
            answer = refusal.answer()
        points = window.used - used
        answer = _packed(replace(answer, headers=self._headers(exchange) | dict(answer.headers)), request)
        self.clock.advance(self._knobs.response_s + exchange.nodes * self._knobs.node_s)
        self._note(request, exchange, points, answer.status)
        self._others.act(listed)
        return answer

    def _note(self, request: SimulatedRequest, exchange: Exchange, points: int, status: int) -> None:
        self.log.limited += exchange.is_limited
        self.log.requests.append(
            LogEntry(
                number=exchange.number,
                method=request.method,
                path=exchange.path,
                operation=exchange.operation,
                digest=exchange.digest or digest_of(request.method, request.target),
                points=points,
                nodes=exchange.nodes,
                status=status,
                others=exchange.others,
                at=self.clock.instant(),
            )
        )

    def _headers(self, exchange: Exchange) -> dict[str, str]:
        headers = {
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Api-Version-Selected": API_VERSION,
            "Date": formatdate(self.clock.now_s(), usegmt=True),
            "X-GitHub-Request-Id": f"{exchange.number:04X}:SIMULATED",
        }
        if self._knobs.has_limits:
            headers |= self._windows[exchange.resource].headers()
        elif self._knobs.shows_limits_of_zero:
            headers |= {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"}
        return headers | ({"Deprecation": _ENDS, "Sunset": _ENDS} if self._knobs.is_version_ending else {})

    def _checked(self, request: SimulatedRequest, exchange: Exchange) -> tuple[SimulatedResponse, list[Listed]]:
        knobs = self._knobs
        if not request.headers.get("user-agent"):
            raise Refusal(403, _NO_AGENT)
        self._check_version(request.headers)
        if knobs.token_expires_at == exchange.number:
            self._credentials.expire()
        caller = self._credentials.caller(request.headers.get("authorization"))
        window = self._windows[exchange.resource]
        if exchange.number in knobs.bad_gateways:
            window.spend(1)
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return SimulatedResponse(502, page, "text/html; charset=utf-8"), []
        prefix = "/api/v3" if knobs.is_own_server else ""
        if exchange.path == f"{prefix}/rate_limit":
            return self._rest.answer(request, "/rate_limit", exchange.query, caller)  # costs nothing
        self._limiter.check(exchange)
        if exchange.resource == "graphql" and request.method == "POST" and knobs.has_graphql:
            if caller == "app":
                raise Refusal(403, "Resource not accessible by integration")
            return self._graphql.answer(request, exchange)
        path = exchange.path.removeprefix(prefix)
        if exchange.resource == "graphql" or not exchange.path.startswith(f"{prefix}/"):
            raise Refusal(404, "Not Found")
        window.spend(1)
        answer, listed = self._rest.answer(request, path, exchange.query, caller)
        if answer.status == 304:
            window.spend(-1)  # a conditional request that finds nothing new costs nothing
        return answer, listed

    def _check_version(self, headers: Mapping[str, str]) -> None:
        version = headers.get("x-github-api-version", API_VERSION)
        if self._knobs.is_version_gone:
            raise Refusal(410, f"API version {version} is no longer supported")
        if version != API_VERSION:
            raise Refusal(400, f"{version} is not a supported version of the API")


def _packed(answer: SimulatedResponse, request: SimulatedRequest) -> SimulatedResponse:
    """Return the answer, compressed if it is long and the client accepts that."""
    headers = {**answer.headers, "Vary": "Accept-Encoding"}
    if len(answer.body) < _PACKED_FROM_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return replace(answer, headers=headers)
    packed = gzip.compress(answer.body, compresslevel=1, mtime=0)
    return replace(answer, body=packed, headers=headers | {"Content-Encoding": "gzip"})
