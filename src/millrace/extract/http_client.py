"""The HTTP client of the extraction: JSON by GET and POST, paced, retried within limits, and from one host only.

Retried are: 5xx, 408, 425, a dropped connection, a time-out, a body that ends too early. A refusal for a limit is
waited out by the rules of limits.py, a 401 is answered with a new token where there is one, a redirect is followed on
the same host. No other response is retried, because a retry would return the same; nor is a response that was not
complete at its deadline. The limits of a response are in bodies.py. The key is sent in the Authorization header alone;
it is in no message and no log line, also when the server repeats it.
"""

import json
import random
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from millrace import interrupts, log
from millrace.addresses import is_loopback
from millrace.errors import RequestRejected, SourceUnavailable, UnexpectedResponse
from millrace.extract import answers, bodies, transport
from millrace.extract.answers import SourceResponse
from millrace.extract.auth import Auth
from millrace.extract.budget import Budget, Clock, RateBudget, Sleep
from millrace.extract.deadline import Deadline
from millrace.extract.limits import Kind, Limit, Refusals, limit_in, limit_of, retry_after_s

USER_AGENT = "millrace/0.2.0"  # the version of pyproject.toml
_ATTEMPTS = 5  # of one request; the waits between them add up to some ten seconds
_WAIT_CAP_S = 20.0
_LONG_WAIT_S = 30.0
_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_MOVES = 3
_TOO_EARLY = frozenset({408, 425})
_ANSWER_S = 120.0  # from the first byte to the last one of at most 32 MiB
_READ_BYTES = 64 << 10

_DROPPED = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    zlib.error,
)


class TooLarge(UnexpectedResponse):
    """A response is beyond the limits of bodies.py: one with fewer rows may not be."""


@dataclass(slots=True)
class RequestStats:
    """The cost of an extraction: requests sent, retries, requests over the rate limit, seconds waited.

    `imposed_s` are the seconds of waiting that the source demanded. GitHub's GraphQL counts points: those that the
    requests cost, those that the key has left, and when it has all again.
    """

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    waited_s: float = 0.0
    imposed_s: float = 0.0
    points: int = 0
    points_left: int | None = None
    points_reset_at: str | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    """A request, and which answers to it the caller judges itself."""

    method: str
    path: str
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    content: bytes | None = None
    etag: str | None = None
    returned: frozenset[int] = frozenset()
    is_limit: Callable[[object], bool] = lambda body: False


@dataclass(frozen=True, slots=True)
class _Failed:
    """An attempt without a usable response, and the wait that the server demands (None: not given)."""

    problem: str
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Moved:
    """A redirect to another path."""

    path: str


class _Adapter(HTTPAdapter):
    """Connects through the given classes of pools."""

    def __init__(self, pools: Mapping[str, type[urllib3.HTTPConnectionPool]]) -> None:
        self._pools = dict(pools)
        super().__init__()

    def init_poolmanager(self, *given: Any, **named: Any) -> None:
        super().init_poolmanager(*given, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *given: Any, **named: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*given, **named)
        manager.pool_classes_by_scheme = self._pools
        return manager


def connections(answer_s: float = _ANSWER_S, clock: Clock = time.monotonic) -> requests.Session:
    """Return connections to a source; a response raises transport.TooSlow `answer_s` seconds after its request."""
    session = requests.Session()
    adapter = _Adapter(transport.pools(answer_s, clock))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


@dataclass
class SourceClient:
    """The client of one source API. `session` holds the connections; tests mount their own adapter on it.

    `headers` are sent with each request. `most_imposed_s` bounds the sum of all `Retry-After` of one task.
    """

    base_url: str
    auth: Auth
    budget: Budget = field(default_factory=lambda: RateBudget(None, 1))
    timeout_s: float = 30.0
    session: requests.Session = field(default_factory=connections, repr=False)
    sleep: Sleep = interrupts.wait
    stats: RequestStats = field(default_factory=RequestStats)
    deadline: Deadline = field(default_factory=Deadline)
    headers: Mapping[str, str] = field(default_factory=lambda: {"Accept": "application/json"})
    most_imposed_s: float = 3600.0  # an hourly limit has been reset by then
    _noticed: set[str] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        """Set the headers, and the environment's proxies and CAs for every request."""
        # `requests` would read the environment again for each request, which costs as much as a short response.
        if self.session.trust_env:
            surroundings = self.session.merge_environment_settings(self.base_url, {}, None, None, None)
            if not is_loopback(self.base_url):  # else a proxy, another machine, would read the key
                self.session.proxies.update(surroundings["proxies"])
            self.session.verify = surroundings["verify"]
            self.session.trust_env = False
        self.session.headers.update({"Accept-Encoding": "gzip", "User-Agent": USER_AGENT} | dict(self.headers))
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none is kept, none is sent

    def for_task(self, stats: RequestStats | None = None, deadline: Deadline | None = None) -> "SourceClient":
        """Return a client with the same connections and budget, and its own `stats` and deadline."""
        return replace(self, stats=stats or RequestStats(), deadline=deadline or Deadline())

    def signed(self, auth: Auth) -> "SourceClient":
        """Return a client of the same task that signs with other credentials."""
        return replace(self, auth=auth)

    def get(
        self, path: str, parameters: Mapping[str, str | int] | None = None, etag: str | None = None
    ) -> SourceResponse:
        """Return the JSON of the source's response; with the `etag` of an earlier one, status 304 if it is unchanged.

        Raises SourceUnavailable (no usable response within the retries), RouteNotFound (404), RequestRejected (any
        other 4xx, or an error with status 200), UnexpectedResponse (a redirect to elsewhere, HTML, unusable JSON, or a
        response beyond the limits), OutOfTime before a request or a wait that could last beyond the deadline.
        """
        return self._answer(_Request("GET", path, parameters or {}, etag=etag))

    def post(
        self,
        path: str,
        body: object,
        returned: frozenset[int] = frozenset(),
        is_limit: Callable[[object], bool] = lambda body: False,
    ) -> SourceResponse:
        """Return the answer to a JSON body, with the errors of `get`; the request must be safe to repeat.

        A response whose status is in `returned` is returned as it is, its body None if it is no JSON. `is_limit` says
        of the body of a 200 whether it is a refusal for a limit, which is waited out.
        """
        content = json.dumps(body).encode()
        return self._answer(_Request("POST", path, content=content, returned=returned, is_limit=is_limit))

    def _answer(self, request: _Request) -> SourceResponse:
        failed = moves = 0
        is_renewed, refusals = False, Refusals()
        while True:
            header = self.auth.header(self)
            self.deadline.require()
            self.stats.waited_s += self.budget.take(self.deadline)
            self.stats.requests += 1
            log.debug("asking", path=_without_query(request.path), requests=self.stats.requests)
            outcome = self._attempt(request, header)
            if isinstance(outcome, SourceResponse):
                return replace(outcome, moved_to=request.path if moves else None)
            if isinstance(outcome, Limit):
                self._wait_out(request.path, outcome, refusals)
            elif isinstance(outcome, _Moved):
                moves += 1
                if moves > _MAX_MOVES:
                    raise UnexpectedResponse(f"{self._place(request.path)}: redirected more than {_MAX_MOVES} times")
                request = replace(request, path=outcome.path, parameters={})
            elif isinstance(outcome, RequestRejected):
                if is_renewed or not self.auth.renew(self, header):
                    raise outcome
                is_renewed = True
            else:
                failed += 1
                if failed >= _ATTEMPTS:
                    problem = f"{outcome.problem}, {failed} times; is the source up, is this its address?"
                    raise SourceUnavailable(f"{self._place(request.path)}: {problem}")
                self.back_off(request.path, outcome.problem, failed, outcome.wait_s)

    def _attempt(self, request: _Request, header: str) -> SourceResponse | Limit | _Moved | RequestRejected | _Failed:
        """Send a request once; return a RequestRejected for a refusal of the header."""
        place = self._place(request.path)
        try:
            response, body = self._send(request, header)
        except transport.TooSlow:
            raise SourceUnavailable(f"{place}: the answer was not complete at its deadline") from None
        except _DROPPED as error:
            if "got more than" in str(error):  # from the message of http.client
                raise UnexpectedResponse(
                    f"{place}: more than 100 headers, or one of more than 64 KiB; expected fewer"
                ) from None
            return _Failed(_transport_problem(error))
        except bodies.TooCostly as error:
            raise TooLarge(f"{place}: {error}") from None
        except ValueError as error:  # raised by requests for an invalid URL or Location header
            raise UnexpectedResponse(f"{place}: an address that cannot be read ({type(error).__name__})") from None
        self._notice_end(request.path, response, header)
        status = response.status_code
        if (limit := limit_of(status, response.headers, body)) is not None:
            return limit
        if status in request.returned:
            return SourceResponse(answers.value_of(body), status=status, sent=header)
        if status in _REDIRECTS and "Location" in response.headers:
            location = response.headers["Location"]
            return _Moved(self._path_of(request.path, location, "place that it redirects to", header))
        if status >= 500 or status in _TOO_EARLY:
            return _Failed(f"status {status}", retry_after_s(response.headers))
        if status == 204 or (status == 304 and request.etag is not None):
            return SourceResponse(None, status=status, etag=response.headers.get("ETag", request.etag))
        if status >= 400:
            refusal = answers.refusal(place, status, response.headers, body, header, self.auth.advice)
            if status == 401:
                return refusal
            raise refusal
        if status not in (200, 201):
            raise UnexpectedResponse(f"{place}: expected status 200, got {status}")
        return self._read(request, response, body, header)

    def _send(self, request: _Request, header: str) -> tuple[requests.Response, bytes]:
        headers = {"Authorization": header}
        if request.content is not None:
            headers["Content-Type"] = "application/json"
        if request.etag is not None:
            headers["If-None-Match"] = request.etag
        with self.session.request(
            request.method,
            self.base_url + request.path,
            params=request.parameters,
            data=request.content,
            headers=headers,
            timeout=self.timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            chunks = response.raw.stream(_READ_BYTES, decode_content=False)
            return response, bodies.unpacked(chunks, response.headers.get("Content-Encoding", ""))

    def _read(
        self, request: _Request, response: requests.Response, body: bytes, header: str
    ) -> SourceResponse | Limit | _Failed:
        """Return the JSON of a complete answer."""
        place = self._place(request.path)
        try:
            value = bodies.parsed(body)
        except bodies.TooCostly as error:
            raise TooLarge(f"{place}: {error}") from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            if "html" in response.headers.get("Content-Type", "") or body.lstrip()[:1] == b"<":
                raise UnexpectedResponse(f"{place}: expected JSON, got HTML; is this the address of the API?") from None
            return _Failed(f"{len(body)} bytes that are no complete JSON")
        except (ValueError, RecursionError) as error:  # complete: a retry would return the same
            raise UnexpectedResponse(f"{place}: JSON that cannot be read: {error}") from None
        if request.is_limit(value):
            return limit_in(response.headers, Kind.SECONDARY)
        if answers.is_error(value):
            raise RequestRejected(f"{place}: an error with status 200, {answers.said(body, header)}", status=200)
        link = response.links.get("next", {}).get("url")
        return SourceResponse(
            value,
            None if link is None else self._path_of(request.path, link, "next page", header),
            answers.page_in(response.links.get("last", {}).get("url", "")),
            response.status_code,
            response.headers.get("ETag"),
            is_partial=response.headers.get("X-GitHub-SSO", "").startswith("partial-results"),
            sent=header,
        )

    def _wait_out(self, path: str, limit: Limit, refusals: Refusals) -> None:
        self.stats.rate_limited += 1
        wait_s = refusals.wait_s(limit)
        if wait_s is None:
            problem = f"{limit.kind.problem} {refusals.times(limit.kind)} times in a row; {limit.kind.advice}"
            raise SourceUnavailable(f"{self._place(path)}: {problem}")
        if limit.kind is not Kind.PRIMARY:  # its reset is known: an hour at most
            self._impose(path, limit.wait_s)
        self._announce(path, limit.kind.problem, wait_s)
        log.debug("over the rate limit", path=_without_query(path), wait_s=wait_s)
        self.budget.refused(wait_s, self.deadline)
        self.stats.waited_s += wait_s

    def back_off(self, path: str, problem: str, failed: int, wait_s: float | None = None) -> None:
        """Wait after so many failed attempts in a row, as long as the server demands or a little longer each time."""
        self.stats.retries += 1
        self._impose(path, wait_s)
        if wait_s is None:
            wait_s = min(_WAIT_CAP_S, 0.5 * 2**failed) * random.uniform(0.5, 1.0)  # noqa: S311 jitter is no secret
        self.deadline.require(wait_s)
        self.stats.waited_s += wait_s
        self._announce(path, problem, wait_s)
        log.debug("asked again", path=_without_query(path), problem=problem, wait_s=round(wait_s, 2))
        self.sleep(wait_s)

    def _announce(self, path: str, problem: str, wait_s: float) -> None:
        """Say that a wait begins which a person would notice."""
        if wait_s >= _LONG_WAIT_S:
            log.info("waiting for the source", path=_without_query(path), problem=problem, wait_s=round(wait_s))

    def _impose(self, path: str, wait_s: float | None) -> None:
        """Add a wait that the source demands; SourceUnavailable when all waits together are too long."""
        self.stats.imposed_s += wait_s or 0.0
        if self.stats.imposed_s > self.most_imposed_s:
            raise SourceUnavailable(
                f"{self._place(path)}: Retry-After adds up to more than {self.most_imposed_s:,.0f} s; try again later"
            )

    def _notice_end(self, path: str, response: requests.Response, header: str) -> None:
        """Warn once of the end that a source announces for what is asked of it (RFC 9745, RFC 8594)."""
        found = {name.lower(): response.headers[name] for name in ("Deprecation", "Sunset") if name in response.headers}
        if found and not self._noticed & found.keys():
            self._noticed.update(found)
            told = {name: answers.shown(value, header) for name, value in found.items()}
            log.warning("the source announces the end of what is asked of it", path=_without_query(path), **told)

    def _path_of(self, path: str, link: str, what: str, header: str) -> str:
        """Return an address that the server gave as a path of this source; UnexpectedResponse for any other place."""
        if answers.has_secret(link, header):  # it would be logged, and sent to whom the server likes
            raise UnexpectedResponse(f"{self._place(path)}: the link to the {what} contains the key; not followed")
        try:
            base, target = urlsplit(self.base_url), urlsplit(urljoin(self.base_url + path, link))
        except ValueError:
            raise UnexpectedResponse(f"{self._place(path)}: the link to the {what} is no address") from None
        if (target.scheme, target.netloc) != (base.scheme, base.netloc) or not target.path.startswith(base.path + "/"):
            raise UnexpectedResponse(
                f"{self._place(path)}: the {what} is not below {self.base_url} but at "
                f"{target.scheme}://{target.hostname}; not followed"
            )
        return target.path.removeprefix(base.path) + (f"?{target.query}" if target.query else "")

    def _place(self, path: str) -> str:
        return self.base_url + _without_query(path)


def _without_query(path: str) -> str:
    return path.partition("?")[0]


def _transport_problem(error: Exception) -> str:
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if "refused" in str(error):
        return "connection refused"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.ProtocolError):
        return "the body ended too early"
    if isinstance(error, zlib.error):
        return "a body that cannot be decompressed"
    return "the connection failed"
