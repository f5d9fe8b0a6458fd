"""Where GitHub's API is, and how a request to it is signed: by a token, or by an App that asks for one."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from millrace import log
from millrace.addresses import is_loopback
from millrace.arrow import parse_instant
from millrace.errors import ConfigError, RequestRejected, RouteNotFound, UnexpectedResponse
from millrace.extract.auth import Asking, Auth, Bearer
from millrace.extract.budget import Budget
from millrace.extract.http_client import SourceClient, connections

if TYPE_CHECKING:
    from google.auth.crypt import Signer

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
PERMISSIONS = {"contents": "read", "metadata": "read", "pull_requests": "read"}
_MOST_IMPOSED_S = 12 * 3600.0  # a large repository takes hours, and meets the secondary limit now and then
_EARLY_S = 120.0  # before the end of a token
_MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Edition:
    """Where the API of a GitHub is: one base address, and below it the paths of REST ("" or "/v3") and of GraphQL."""

    base_url: str
    rest: str = ""
    graphql: str = "/graphql"


def edition_of(url: str) -> Edition:
    """Return where the API is, from the address of github.com, of SUB.ghe.com, or of an own server.

    A server on this machine without a path is laid out as github.com's API. Raises ConfigError for another path.
    """
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path.rstrip("/")
    is_hosted = host in ("github.com", "api.github.com") or host.endswith(".ghe.com")
    if path not in (("",) if is_hosted else ("", "/api", "/api/v3")):
        raise ConfigError(
            f"MILLRACE_SOURCE_URL: expected the address of a GitHub, such as https://github.com, without {path!r}; "
            "the organisation is MILLRACE_ACCOUNT"
        )
    if is_hosted:
        return Edition(f"https://api.{host.removeprefix('api.')}")
    origin = f"{parts.scheme}://{parts.netloc}"
    return Edition(origin) if is_loopback(url) and not path else Edition(f"{origin}/api", rest="/v3")


def auth_of(token: str, app_id: str, app_key: str, account: str, edition: Edition) -> Auth:
    """Return the credentials that are set: a token, or an App with its key; else raise ConfigError."""
    if bool(token) == bool(app_id or app_key) or bool(app_id) != bool(app_key):
        raise ConfigError(
            "expected either MILLRACE_SOURCE_KEY, or MILLRACE_GITHUB_APP_ID and MILLRACE_GITHUB_APP_KEY together"
        )
    return App(app_id, app_key, account, edition.rest) if app_id else Bearer(token)


def client_of(edition: Edition, auth: Auth, budget: Budget, timeout_s: float, answer_s: float) -> SourceClient:
    """Return the client of a GitHub; the times are those of SourceClient and `connections`."""
    session = connections(answer_s)
    return SourceClient(
        edition.base_url, auth, budget, timeout_s, session, headers=HEADERS, most_imposed_s=_MOST_IMPOSED_S
    )


@dataclass(frozen=True, slots=True)
class _AppKey:
    """The key of an App, which signs a text for each request (a JWT); it may only ask for tokens."""

    app_id: str
    signer: "Signer" = field(repr=False)
    clock: Callable[[], float]
    advice: str = "check MILLRACE_GITHUB_APP_ID, MILLRACE_GITHUB_APP_KEY and this machine's clock"

    def header(self, client: Asking) -> str:
        """Return a text that is valid from a minute ago, for clocks that differ, until nine minutes from now."""
        from google.auth import jwt

        now = int(self.clock())
        signed: bytes = jwt.encode(self.signer, {"iat": now - 60, "exp": now + 540, "iss": self.app_id})
        return f"Bearer {signed.decode()}"

    def renew(self, client: Asking, refused: str) -> bool:
        """Return False: the key stays as it is."""
        return False


class App:
    """Credentials of a GitHub App: tokens of its installation for one account, which live an hour.

    `repository_selection` is "all" or "selected" as soon as there is a token: with "selected" the account may have
    repositories that cannot be seen here. `clock` is the time of day in seconds.
    """

    advice = "check that the App is still installed for the account"

    def __init__(
        self, app_id: str, key: str, account: str, rest: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self.repository_selection: str | None = None
        self._key = _AppKey(app_id, _signer(key), clock)
        self._account = account
        self._rest = rest
        self._clock = clock
        self._installation: int | None = None
        self._header: str | None = None
        self._ends_at = 0.0
        self._lock = threading.Lock()

    def header(self, client: Asking) -> str:
        """Return the header of the current token, or of a new one two minutes before its end."""
        with self._lock:
            if self._header is None or self._ends_at - self._clock() < _EARLY_S:
                self._header = self._mint(client.signed(self._key))
            return self._header

    def renew(self, client: Asking, refused: str) -> bool:
        """Ask for a new token, unless another thread has one already."""
        with self._lock:
            if self._header == refused:
                self._header = self._mint(client.signed(self._key))
            return True

    def _mint(self, client: Asking) -> str:
        """Return the header of a new token with the least rights."""
        if self._installation is None:
            self._installation = self._find(client)
        path = f"{self._rest}/app/installations/{self._installation}/access_tokens"
        try:
            body = client.post(path, {"permissions": PERMISSIONS}).body
        except RouteNotFound:
            self._installation = None  # it may have another id, after it was installed again
            raise
        try:
            token, ends_at, selection = _checked(body)
        except (AttributeError, ConfigError, KeyError, TypeError, ValueError):
            raise UnexpectedResponse(f"{path}: expected token, expires_at and repository_selection") from None
        self._ends_at, self.repository_selection = ends_at, selection
        log.info("the App has a new token", account=self._account, repositories=selection)
        return token.header(client)

    def _find(self, client: Asking) -> int:
        """Return the id of the installation for the account."""
        logins = []
        for row in self._installations(client):
            account = row.get("account")
            login = str(account.get("login")) if isinstance(account, dict) else ""
            if login.lower() != self._account.lower():
                logins.append(login)
            elif row.get("suspended_at") is not None:
                raise RequestRejected(f"the App's installation for {login!r} is suspended; let an owner unsuspend it")
            elif type(found := row.get("id")) is int:
                return found
        others = ", ".join(map(repr, logins[:5])) or "none"
        raise RequestRejected(
            f"the App is not installed for {self._account!r} but for {others}; let an owner install it there"
        )

    def _installations(self, client: Asking) -> Iterator[dict[str, Any]]:
        path = f"{self._rest}/app/installations?per_page=100"
        for _ in range(_MOST_PAGES):
            response = client.get(path)
            if not isinstance(response.body, list) or not all(isinstance(row, dict) for row in response.body):
                raise UnexpectedResponse(f"{self._rest}/app/installations: expected a list of objects")
            yield from response.body
            if response.next_path is None:
                return
            path = response.next_path
        raise UnexpectedResponse(f"{self._rest}/app/installations: more than {_MOST_PAGES} pages")


def _signer(key: str) -> "Signer":
    try:
        from google.auth.crypt import RSASigner
    except ImportError:
        raise ConfigError("a GitHub App needs google-auth, which is not installed; a token needs none") from None
    try:
        signer: Signer = RSASigner.from_string(key.replace("\\n", "\n"))  # as some environments pass it
    except (ValueError, TypeError):
        raise ConfigError(
            "MILLRACE_GITHUB_APP_KEY: expected the App's private key (-----BEGIN RSA PRIVATE KEY-----…)"
        ) from None
    return signer


def _checked(body: Any) -> tuple[Bearer, float, str | None]:
    """Return a new token, its end and its selection; the errors of a dict's use and ConfigError for a bad one."""
    token, selection, ends_at = body["token"], body.get("repository_selection"), body["expires_at"]
    if not isinstance(token, str) or not isinstance(ends_at, str) or selection not in (None, "all", "selected"):
        raise TypeError
    return Bearer(token), parse_instant(ends_at).timestamp(), selection
