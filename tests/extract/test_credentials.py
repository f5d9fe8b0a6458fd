"""GitHub's addresses, and an App: whom it asks for a token, for which rights, and when it asks for the next one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.auth import jwt
from tests.extract.answering import Said
from tests.extract.logged import Logged
from tests.extract.talking import Heard, says, talking

from millrace.errors import ConfigError, RequestRejected, RouteNotFound, UnexpectedResponse
from millrace.extract.auth import Bearer
from millrace.extract.sources.github.credentials import PERMISSIONS, App, Edition, auth_of, edition_of

HOUR_S = 3600


@dataclass(frozen=True)
class Pair:
    """The two halves of an App's key."""

    private: str = field(repr=False)
    public: bytes


@pytest.fixture(scope="module")
def pair() -> Pair:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Pair(private.decode(), key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def installation(login: str, number: int, **more: object) -> dict[str, object]:
    return {"id": number, "account": {"login": login}, "suspended_at": None} | more


@dataclass
class Org:
    """A GitHub that knows one App: it checks each signature, and refuses tokens after their hour."""

    pair: Pair
    installations: list[dict[str, object]] = field(default_factory=lambda: [installation("Acme", 7)])
    selection: str | None = "all"
    refuses: bool = False
    now_s: float = 1793448000.0
    minted: int = 0
    asked_for: list[Any] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    below: str = ""

    def app(self, account: str = "acme") -> App:
        return App("1234", self.pair.private, account, self.below, lambda: self.now_s)

    def __call__(self, heard: Heard) -> Said:
        kind, _, credential = heard.headers["Authorization"].partition(" ")
        assert kind == "Bearer"
        path = heard.path.removeprefix(self.below)
        if path.startswith("/app/"):
            return self._as_app(heard, path, credential)
        ends_at = float(credential.rpartition("_")[2])
        if self.refuses or credential in self.revoked or self.now_s >= ends_at:
            return says({"message": "Bad credentials"}, 401)
        return says([{"id": 1}])

    def _as_app(self, heard: Heard, path: str, credential: str) -> Said:
        claims = jwt.decode(credential, self.pair.public, verify=False)
        jwt.decode(credential, self.pair.public, clock_skew_in_seconds=10**10)  # raises for a wrong signature
        assert jwt.decode_header(credential) == {"alg": "RS256", "typ": "JWT"}
        assert claims["iss"] == "1234"
        if not claims["iat"] <= self.now_s <= claims["exp"] <= self.now_s + 600:
            return says({"message": "'Expiration time' claim is too far in the future"}, 401)
        if path.partition("?")[0] == "/app/installations":
            page = int(path.rpartition("page=")[2]) if "&page=" in path else 1
            more = f'<{self.below}/app/installations?per_page=100&page={page + 1}>; rel="next"'
            link = {"Link": more} if page < len(self.installations) else {}
            return says(self.installations[page - 1 : page], 200, **link)
        if path != f"/app/installations/{self.installations[-1]['id']}/access_tokens":
            return says({"message": "Not Found"}, 404)
        if self.minted >= 9:  # so that a client that asks without end fails
            return says({"message": "no more tokens"}, 410)
        self.minted += 1
        self.asked_for.append(heard.body)
        ends = datetime.fromtimestamp(self.now_s + HOUR_S, UTC)
        token = f"ghs_1234_{self.minted}_{ends.timestamp():.0f}"
        body = {"token": token, "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "permissions": PERMISSIONS}
        return says(body | ({} if self.selection is None else {"repository_selection": self.selection}), 201)


def test_an_app_asks_for_a_token_with_the_least_rights_and_signs_with_it(pair: Pair) -> None:
    org = Org(pair, [installation("other", 6), installation("Acme", 7)])
    with talking(org) as talk:
        client = talk.client(org.app())
        assert client.get("/repos").body == [{"id": 1}]
        client.get("/repos")
    assert talk.paths == [
        "GET /app/installations?per_page=100",
        "GET /app/installations?per_page=100&page=2",
        "POST /app/installations/7/access_tokens",
        "GET /repos",
        "GET /repos",
    ]
    assert org.asked_for == [{"permissions": {"contents": "read", "metadata": "read", "pull_requests": "read"}}]
    assert client.stats.requests == 5  # also those for the token are the task's


@pytest.mark.parametrize("selection", ["all", "selected", None])
def test_which_repositories_the_app_may_see_is_known_with_the_token(pair: Pair, selection: str | None) -> None:
    org = Org(pair, selection=selection)
    app = org.app()
    before = app.repository_selection
    with talking(org) as talk:
        talk.client(app).get("/repos")
    assert (before, app.repository_selection) == (None, selection)


@pytest.mark.parametrize(
    ("later_s", "tokens"),
    [pytest.param(HOUR_S - 121, 1, id="before"), pytest.param(HOUR_S - 119, 2, id="two minutes before its end")],
)
def test_a_token_is_renewed_two_minutes_before_its_end(pair: Pair, later_s: float, tokens: int) -> None:
    org = Org(pair)
    with talking(org) as talk:
        client = talk.client(org.app())
        client.get("/repos")
        org.now_s += later_s
        client.get("/repos")
    assert org.minted == tokens
    assert len([path for path in talk.paths if path.startswith("GET /app/installations")]) == 1


def test_a_token_that_ends_early_is_renewed_once_and_the_request_repeated(pair: Pair) -> None:
    org = Org(pair)
    with talking(org) as talk:
        client = talk.client(org.app())
        client.get("/repos")
        org.revoked.add(talk.heard[-1].headers["Authorization"].removeprefix("Bearer "))
        assert client.get("/repos").body == [{"id": 1}]
    assert org.minted == 2
    assert talk.paths[2:] == ["GET /repos", "GET /repos", "POST /app/installations/7/access_tokens", "GET /repos"]


def test_an_app_whose_new_token_is_refused_too_ends_the_reading(pair: Pair) -> None:
    org = Org(pair, refuses=True)
    with (
        talking(org) as talk,
        pytest.raises(RequestRejected, match="401, the key was refused; check that the App is still installed"),
    ):
        talk.client(org.app()).get("/repos")
    assert org.minted == 2


def test_threads_ask_for_one_token_together(pair: Pair) -> None:
    org = Org(pair)
    with talking(org) as talk, ThreadPoolExecutor(4) as threads:
        client = talk.client(org.app())
        list(threads.map(lambda _: client.for_task().get("/repos"), range(8)))
        org.revoked.add(talk.heard[-1].headers["Authorization"].removeprefix("Bearer "))
        list(threads.map(lambda _: client.for_task().get("/repos"), range(8)))
    assert org.minted == 2


def test_below_an_own_server_the_app_asks_at_the_path_of_its_rest_api(pair: Pair) -> None:
    org = Org(pair, below="/v3")
    with talking(org) as talk:
        assert talk.client(org.app()).get("/v3/repos").body == [{"id": 1}]
    assert talk.paths[1] == "POST /v3/app/installations/7/access_tokens"


@pytest.mark.parametrize(
    ("installations", "message"),
    [
        pytest.param([installation("other", 6)], "not installed for 'acme' but for 'other'", id="elsewhere"),
        pytest.param([], "not installed for 'acme' but for none", id="nowhere"),
        pytest.param(
            [installation("Acme", 7, suspended_at="2026-10-01T00:00:00Z")], "'Acme' is suspended", id="suspended"
        ),
        pytest.param([{"id": 7, "account": None}], "not installed for 'acme'", id="without an account"),
    ],
)
def test_an_app_that_is_not_installed_says_where_it_is(
    pair: Pair, installations: list[dict[str, object]], message: str
) -> None:
    org = Org(pair, installations)
    with talking(org) as talk, pytest.raises(RequestRejected, match=message):
        talk.client(org.app()).get("/repos")
    assert org.minted == 0


def test_an_app_that_was_installed_again_is_found_again(pair: Pair) -> None:
    org = Org(pair)
    with talking(org) as talk:
        client = talk.client(org.app())
        client.get("/repos")
        org.installations, org.now_s = [installation("Acme", 8)], org.now_s + HOUR_S
        with pytest.raises(RouteNotFound):
            client.get("/repos")
        assert client.get("/repos").body == [{"id": 1}]


def test_a_clock_that_is_wrong_is_told_in_githubs_words(pair: Pair) -> None:
    org = Org(pair)
    app = App("1234", pair.private, "acme", clock=lambda: org.now_s + 900)
    with (
        talking(org) as talk,
        pytest.raises(RequestRejected, match=r"and this machine's clock; it says .*too far in the future") as caught,
    ):
        talk.client(app).get("/repos")
    assert caught.value.status == 401


@pytest.mark.parametrize("skew_s", [-55, 55])
def test_a_clock_that_differs_by_less_than_a_minute_is_no_matter(pair: Pair, skew_s: float) -> None:
    org = Org(pair)
    app = App("1234", pair.private, "acme", clock=lambda: org.now_s + skew_s)
    with talking(org) as talk:
        assert talk.client(app).get("/repos").body == [{"id": 1}]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param([], id="a list"),
        pytest.param(None, id="null"),
        pytest.param({"expires_at": "2026-10-31T13:00:00Z"}, id="no token"),
        pytest.param({"token": "a b", "expires_at": "2026-10-31T13:00:00Z"}, id="a token with a blank"),
        pytest.param({"token": 7, "expires_at": "2026-10-31T13:00:00Z"}, id="a number"),
        pytest.param({"token": "ghs_secret", "expires_at": "soon"}, id="no time"),
        pytest.param({"token": "ghs_secret", "expires_at": None}, id="no end"),
        pytest.param(
            {"token": "ghs_secret", "expires_at": "2026-10-31T13:00:00Z", "repository_selection": "some"}, id="some"
        ),
    ],
)
def test_a_token_beside_the_contract_is_refused_without_showing_it(pair: Pair, body: object) -> None:
    def answer(heard: Heard) -> Said:
        return says(body, 201) if heard.method == "POST" else says([installation("acme", 7)])

    with talking(answer) as talk, pytest.raises(UnexpectedResponse, match="expected token, expires_at") as caught:
        talk.client(App("1234", pair.private, "acme")).get("/repos")
    assert "ghs_secret" not in str(caught.value)


def test_no_log_line_no_message_and_no_repr_has_a_secret_of_the_app(pair: Pair) -> None:
    org = Org(pair)

    def answer(heard: Heard) -> Said:
        said = org(heard)
        return says({"message": f"no: {heard.headers['Authorization']}"}, 403) if heard.path == "/refused" else said

    with talking(answer) as talk, Logged() as logged:
        client = talk.client(org.app())
        client.get("/repos")
        with pytest.raises(RequestRejected) as caught:
            client.get("/refused")
    secrets = {heard.headers["Authorization"].partition(" ")[2] for heard in talk.heard}
    told = logged.text + str(caught.value) + repr(client) + repr(client.signed(client.auth))
    assert len(secrets) == 2  # the App's and the installation's
    assert [secret for secret in secrets if secret in told] == []
    assert "PRIVATE KEY" not in told
    assert "the App has a new token" in logged.text


@pytest.mark.parametrize(
    "key", ["", "secret", "-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----"]
)
def test_a_text_that_is_no_private_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="MILLRACE_GITHUB_APP_KEY: expected the App's private key") as caught:
        App("1234", key, "acme")
    assert "secret" not in str(caught.value)


def test_a_key_whose_lines_an_environment_has_joined_is_read(pair: Pair) -> None:
    org = Org(pair)
    app = App("1234", pair.private.replace("\n", "\\n"), "acme", clock=lambda: org.now_s)
    with talking(org) as talk:
        assert talk.client(app).get("/repos").body == [{"id": 1}]


@pytest.mark.parametrize(
    ("url", "edition"),
    [
        ("https://github.com", Edition("https://api.github.com")),
        ("https://api.github.com", Edition("https://api.github.com")),
        ("https://acme.ghe.com", Edition("https://api.acme.ghe.com")),
        ("https://api.acme.ghe.com/", Edition("https://api.acme.ghe.com")),
        ("https://git.acme.example", Edition("https://git.acme.example/api", "/v3")),
        ("https://git.acme.example:8443/api/v3", Edition("https://git.acme.example:8443/api", "/v3")),
        ("https://github.com.acme.example", Edition("https://github.com.acme.example/api", "/v3")),
        ("http://127.0.0.1:4711", Edition("http://127.0.0.1:4711")),
        ("http://127.0.0.1:4711/api/v3", Edition("http://127.0.0.1:4711/api", "/v3")),
    ],
)
def test_where_the_api_of_each_edition_is(url: str, edition: Edition) -> None:
    assert edition_of(url) == edition
    assert edition.graphql == "/graphql"


@pytest.mark.parametrize(
    "url", ["https://github.com/acme", "https://api.github.com/graphql", "https://git.acme.example/x"]
)
def test_an_address_with_another_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="MILLRACE_SOURCE_URL: expected the address of a GitHub"):
        edition_of(url)


def test_a_token_or_an_app_is_set_and_not_both(pair: Pair) -> None:
    here = Edition("https://api.github.com")
    assert isinstance(auth_of("ghp_1", "", "", "acme", here), Bearer)
    assert isinstance(auth_of("", "1234", pair.private, "acme", here), App)
    for given in (("", "", ""), ("ghp_1", "1234", pair.private), ("", "1234", ""), ("", "", pair.private)):
        with pytest.raises(ConfigError, match="either MILLRACE_SOURCE_KEY, or MILLRACE_GITHUB_APP_ID"):
            auth_of(*given, "acme", here)
