"""The HTTP client of the extraction: JSON by GET, paced, retried within limits, and from one host only.

Retried are: 429 (and GitHub's equivalent 403), 5xx, a dropped connection, a time-out, a body that ends too early.
`Retry-After` is obeyed up to a total per task. No other response is retried, because a retry would return the same; nor
is a response that was not complete at its deadline. The limits of a response are in bodies.py. The key is sent in the
Authorization header alone; it is in no message and no log line, also when the server repeats it.
"""

import base64
import email.utils
import json
import random
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from millrace import log
from millrace.addresses import is_loopback
from millrace.errors import RequestRejected, RouteNotFound, SourceUnavailable, UnexpectedResponse
from millrace.extract import bodies, transport
from millrace.extract.budget import Budget, Clock, RateBudget, Sleep
from millrace.extract.deadline import Deadline

_ATTEMPTS = 5  # of one request; the waits between them add up to some ten seconds
_WAIT_CAP_S = 20.0
_RETRY_AFTER_CAP_S = 300.0
_MAX_429 = 50  # in a row: many minutes of refusals with the default budget
_MAX_IMPOSED_S = 3600.0  # sum of all Retry-After of one task: an hourly limit has reset by then
_ANSWER_S = 120.0  # from the first byte to the last one of at most 32 MiB
_READ_BYTES = 64 << 10

_DROPPED = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
    zlib.error,
)


@dataclass(slots=True)
class RequestStats:
    """The cost of an extraction: requests sent, retries, requests over the rate limit, seconds waited.

    `imposed_s` are the seconds of waiting that the source demanded.
    """

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    waited_s: float = 0.0
    imposed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SourceResponse:
    """A JSON body, and the link to the next page when the server sent one."""

    body: object
    next_path: str | None = None


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An attempt without a usable response, and the wait that the server demands (None: not given)."""

    problem: str
    wait_s: float | None = None
    is_limit: bool = False


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
    """The client of one source API. `session` holds the connections; tests mount their own adapter on it."""

    base_url: str
    key: str = field(repr=False)
    budget: Budget = field(default_factory=lambda: RateBudget(None, 1))
    timeout_s: float = 30.0
    session: requests.Session = field(default_factory=connections, repr=False)
    sleep: Sleep = time.sleep
    stats: RequestStats = field(default_factory=RequestStats)
    deadline: Deadline = field(default_factory=Deadline)

    def __post_init__(self) -> None:
        """Set the key, the user agent, and the environment's proxies and CAs for every request."""
        # `requests` would read the environment again for each request, which costs as much as a short response.
        if self.session.trust_env:
            surroundings = self.session.merge_environment_settings(self.base_url, {}, None, None, None)
            if not is_loopback(self.base_url):  # else a proxy, another machine, would read the key
                self.session.proxies.update(surroundings["proxies"])
            self.session.verify = surroundings["verify"]
            self.session.trust_env = False
        self.session.auth = HTTPBasicAuth(self.key.encode(), b"")  # requests encodes a text as Latin-1, or fails
        self.session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "millrace"})
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none is kept, none is sent

    def for_task(self, stats: RequestStats | None = None, deadline: Deadline | None = None) -> "SourceClient":
        """Return a client with the same connections and budget, and its own `stats` and deadline."""
        return replace(self, stats=stats or RequestStats(), deadline=deadline or Deadline())

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> SourceResponse:
        """Return the JSON of the source's response.

        Raises SourceUnavailable (no usable response within the retries), RouteNotFound (404), RequestRejected (any
        other 4xx), UnexpectedResponse (a redirect, HTML, unusable JSON, or a response beyond the limits), OutOfTime
        before a request or a wait that could last beyond the deadline.
        """
        failed = refused = 0
        while True:
            self.deadline.require()
            self.stats.waited_s += self.budget.take(self.deadline)
            self.stats.requests += 1
            log.debug("asking", path=_without_query(path), requests=self.stats.requests)
            outcome = self._attempt(path, parameters or {})
            if isinstance(outcome, SourceResponse):
                return outcome
            if outcome.is_limit:
                refused += 1
                self._wait_out_limit(path, outcome.wait_s, refused)
                continue
            failed += 1
            if failed >= _ATTEMPTS:
                raise SourceUnavailable(
                    f"{self._place(path)}: {outcome.problem}, {failed} times; is the source up, is this its address?"
                )
            self._back_off(path, outcome, failed)

    def _attempt(self, path: str, parameters: Mapping[str, str | int]) -> "SourceResponse | FailedAttempt":
        try:
            response, body = self._send(path, parameters)
        except transport.TooSlow:
            raise SourceUnavailable(f"{self._place(path)}: the answer was not complete at its deadline") from None
        except _DROPPED as error:
            if "got more than" in str(error):  # from the message of http.client
                raise UnexpectedResponse(
                    f"{self._place(path)}: more than 100 headers, or one of more than 64 KiB; expected fewer"
                ) from None
            return FailedAttempt(_transport_problem(error))
        except bodies.TooCostly as error:
            raise UnexpectedResponse(f"{self._place(path)}: {error}") from None
        except ValueError as error:  # raised by requests for an invalid URL or Location header
            raise UnexpectedResponse(
                f"{self._place(path)}: an address that cannot be read ({type(error).__name__})"
            ) from None
        if _is_over_limit(response):
            return FailedAttempt("over its rate limit", _retry_after(response), is_limit=True)
        if response.status_code >= 500:
            return FailedAttempt(f"status {response.status_code}", _retry_after(response))
        self._check(path, response, body)
        try:
            value = bodies.parsed(body)
        except bodies.TooCostly as error:
            raise UnexpectedResponse(f"{self._place(path)}: {error}") from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            self._refuse_html(path, response, body)
            return FailedAttempt(f"{len(body)} bytes that are no complete JSON")
        except (ValueError, RecursionError) as error:  # complete: a retry would return the same
            raise UnexpectedResponse(f"{self._place(path)}: JSON that cannot be read: {error}") from None
        return SourceResponse(value, self._next_path(path, response))

    def _send(self, path: str, parameters: Mapping[str, str | int]) -> tuple[requests.Response, bytes]:
        with self.session.get(
            self.base_url + path,
            params=parameters,
            timeout=self.timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            chunks = response.raw.stream(_READ_BYTES, decode_content=False)
            return response, bodies.unpacked(chunks, response.headers.get("Content-Encoding", ""))

    def _check(self, path: str, response: requests.Response, body: bytes) -> None:
        status = response.status_code
        if status in (401, 403):
            raise RequestRejected(
                f"{self._place(path)}: {status}, the key was refused; set MILLRACE_SOURCE_KEY to a valid one"
            )
        if status == 404:
            raise RouteNotFound(f"{self._place(path)}: 404, {self._said(body)}")
        if status >= 400:
            raise RequestRejected(f"{self._place(path)}: {status}, {self._said(body)}")
        if status != 200:
            raise UnexpectedResponse(
                f"{self._place(path)}: expected status 200, got {status}; redirects are not followed"
            )

    def _refuse_html(self, path: str, response: requests.Response, body: bytes) -> None:
        if "html" in response.headers.get("Content-Type", "") or body.lstrip()[:1] == b"<":
            raise UnexpectedResponse(f"{self._place(path)}: expected JSON, got HTML; is this the address of the API?")

    def _said(self, body: bytes) -> str:
        """Return the server's error message, in any of its formats, shortened and safe for one log line."""
        try:
            words: Any = bodies.parsed(body)
            words = next((words[name] for name in ("message", "error") if name in words), words)
        except (ValueError, TypeError, RecursionError, bodies.TooCostly):
            words = body.decode("utf-8", "replace")
        text = str(words).strip()
        for secret in _forms_of(self.key):
            text = text.replace(secret, "***")
        return repr(text[:200])

    def _wait_out_limit(self, path: str, wait_s: float | None, times: int) -> None:
        self.stats.rate_limited += 1
        if times > _MAX_429:
            raise SourceUnavailable(
                f"{self._place(path)}: over its rate limit {times} times in a row; lower MILLRACE_REQUESTS_PER_MINUTE"
            )
        self._impose(path, wait_s)
        wait_s = min(_WAIT_CAP_S, 2.0**times) if wait_s is None else wait_s
        log.debug("over the rate limit", path=_without_query(path), wait_s=wait_s)
        self.budget.refused(wait_s, self.deadline)
        self.stats.waited_s += wait_s

    def _back_off(self, path: str, attempt: FailedAttempt, failed: int) -> None:
        self.stats.retries += 1
        wait_s = attempt.wait_s
        self._impose(path, wait_s)
        if wait_s is None:
            wait_s = min(_WAIT_CAP_S, 0.5 * 2**failed) * random.uniform(0.5, 1.0)  # noqa: S311 jitter is no secret
        self.deadline.require(wait_s)
        self.stats.waited_s += wait_s
        log.debug("asked again", path=_without_query(path), problem=attempt.problem, wait_s=round(wait_s, 2))
        self.sleep(wait_s)

    def _impose(self, path: str, wait_s: float | None) -> None:
        """Add a wait that the source demands; SourceUnavailable when all waits together are too long."""
        self.stats.imposed_s += wait_s or 0.0
        if self.stats.imposed_s > _MAX_IMPOSED_S:
            raise SourceUnavailable(
                f"{self._place(path)}: Retry-After adds up to more than {_MAX_IMPOSED_S:,.0f} s; try again later"
            )

    def _next_path(self, path: str, response: requests.Response) -> str | None:
        try:
            link = response.links.get("next", {}).get("url")
            if link is None:
                return None
            base, target = urlsplit(self.base_url), urlsplit(urljoin(self.base_url + path, link))
        except ValueError:
            raise UnexpectedResponse(f"{self._place(path)}: the link to the next page is no address") from None
        if (target.scheme, target.netloc) != (base.scheme, base.netloc) or not target.path.startswith(base.path + "/"):
            raise UnexpectedResponse(
                f"{self._place(path)}: the next page is not below {self.base_url} but at "
                f"{target.scheme}://{target.hostname}; not followed"
            )
        return target.path.removeprefix(base.path) + (f"?{target.query}" if target.query else "")

    def _place(self, path: str) -> str:
        return self.base_url + _without_query(path)


def _without_query(path: str) -> str:
    return path.partition("?")[0]


def _forms_of(key: str) -> list[str]:
    """Return the forms in which the server may repeat the key: plain, and as in the Authorization header."""
    encoded = [base64.b64encode(text.encode()).decode().rstrip("=") for text in (f"{key}:", key)]
    return [*encoded, key] if key else []


def _is_over_limit(response: requests.Response) -> bool:
    """Return whether a response is a 429, or GitHub's equivalent 403."""
    # Unlike a 403 for missing rights, that one contains the time for a retry.
    return response.status_code == 429 or (
        response.status_code == 403
        and ("Retry-After" in response.headers or response.headers.get("X-RateLimit-Remaining") == "0")
    )


def _retry_after(response: requests.Response) -> float | None:
    """Return the wait in seconds that the server demands; None for an invalid value or a past time."""
    wait_s = _seconds(response.headers.get("Retry-After", ""))
    return min(wait_s, _RETRY_AFTER_CAP_S) if wait_s > 0 else None  # false for NaN


def _seconds(text: str) -> float:
    """Return the seconds from now for either form of Retry-After; 0 for any other text."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


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
