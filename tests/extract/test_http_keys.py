"""The key: where it is sent, and that it is in no message, no log line and no repr."""

import json
import tomllib
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from tests.extract.answering import JSON, KEY, URL, Said, client_of, in_turn
from tests.extract.logged import Logged
from tests.extract.talking import one_by_one, says, talking

from millrace.errors import ConfigError, MillraceError, RequestRejected
from millrace.extract.auth import Asking, Auth, Basic, Bearer
from millrace.extract.graphql import GraphQL
from millrace.extract.http_client import USER_AGENT, SourceClient

ROWS = Said(body=b'[{"full_name": "acme/web"}]')


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_the_setting_and_is_not_tried_again(status: int) -> None:
    asked = client_of(in_turn(Said(status, b'{"error":"Unauthorized"}')))
    with pytest.raises(
        RequestRejected,
        match=f"^{URL}/repos: {status}, the key was refused; set MILLRACE_SOURCE_KEY to a valid one; it says 'Unauth",
    ) as caught:
        asked.client.get("/repos")
    assert caught.value.status == status
    assert len(asked.adapter.asked) == 1


@pytest.mark.parametrize(
    ("header", "value", "advice"),
    [
        pytest.param(
            "X-GitHub-SSO",
            "required; url=https://github.com/orgs/acme/sso?authorization_request=AZ7",
            "not authorised for the single sign-on of the organisation acme; authorise it in the token's settings",
            id="single sign-on",
        ),
        pytest.param(
            "X-GitHub-SSO", f"required; url={KEY}", "single sign-on of the organisation; authorise it", id="no address"
        ),
        pytest.param(
            "X-Accepted-GitHub-Permissions",
            "pull_requests=read",
            r"the key lacks a permission \(pull_requests=read\); grant it",
            id="a permission",
        ),
        pytest.param(
            "X-Accepted-GitHub-Permissions",
            "contents=read,metadata=read; issues=write",
            r"a permission \(contents=read,metadata=read; issues=write\); grant it",
            id="several permissions",
        ),
        pytest.param("X-Accepted-GitHub-Permissions", f"\x1b[31m{KEY}", "set MILLRACE_SOURCE_KEY", id="no permission"),
    ],
)
def test_a_403_says_what_the_key_lacks(header: str, value: str, advice: str) -> None:
    asked = client_of(in_turn(Said(403, b'{"message":"SSO required"}', JSON | {header: value})))
    with pytest.raises(RequestRejected, match=f"^{URL}/repos: 403, .*{advice}.*; it says 'SSO required'") as caught:
        asked.client.get("/repos")
    assert "AZ7" not in str(caught.value)
    assert KEY not in str(caught.value)


def test_each_request_carries_the_key_as_the_user_name() -> None:
    asked = client_of(in_turn(ROWS), key="schlüssel€")
    asked.client.get("/repos")
    assert asked.adapter.sent[0].headers["Authorization"] == "Basic c2NobMO8c3NlbOKCrDo="


@pytest.mark.parametrize(
    "token",
    [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "ghs_1234_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.c2ln-_x",
        "x" * 900,
        "a==",
    ],
)
def test_a_token_of_any_form_is_sent_as_it_is(token: str) -> None:
    with talking(lambda heard: says([])) as talk:
        talk.client(Bearer(token)).get("/repos")
    assert talk.heard[0].headers["Authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("token", ["", "ghp_1\n", "ghp_1 2", "Bearer ghp_1", "ghp_\x00", "ghp_é", "ghp_1\r\nX: y"])
def test_a_token_that_no_header_can_hold_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ConfigError, match="printable ASCII without blanks") as caught:
        Bearer(token)
    assert not token or token not in str(caught.value)


def test_what_githubs_client_sends_with_each_request() -> None:
    with talking(lambda heard: says([])) as talk:
        talk.client().get("/repos")
        talk.client().post("/graphql", {"query": "{viewer{login}}"})
    sent = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": USER_AGENT}
    assert [heard.headers | sent for heard in talk.heard] == [heard.headers for heard in talk.heard]
    assert "Cookie" not in talk.heard[0].headers
    assert (talk.heard[1].headers["Content-Type"], talk.heard[1].body) == (
        "application/json",
        {"query": "{viewer{login}}"},
    )


def test_the_user_agent_has_the_version_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["version"] == USER_AGENT.removeprefix("millrace/")


@dataclass
class Renewing:
    """Credentials with one more token after each refusal."""

    advice: str = "make a token"
    number: int = 0
    refused: list[str] = field(default_factory=list)

    def header(self, client: Asking) -> str:
        return f"Bearer token-{self.number}"

    def renew(self, client: Asking, refused: str) -> bool:
        self.refused.append(refused)
        self.number += 1
        return self.number < 9  # so that a client that asks without end fails


def test_a_401_is_answered_with_another_token_once() -> None:
    auth = Renewing()
    with talking(one_by_one(says({}, 401), says([1]))) as talk:
        assert talk.client(auth).get("/repos").body == [1]
    assert auth.refused == ["Bearer token-0"]
    assert [heard.headers["Authorization"] for heard in talk.heard] == ["Bearer token-0", "Bearer token-1"]


def test_a_second_401_ends_the_reading() -> None:
    with talking(lambda heard: says({"message": "Bad credentials"}, 401)) as talk:
        with pytest.raises(RequestRejected, match="401, the key was refused; make a token; it says 'Bad credentials'"):
            talk.client(Renewing()).get("/repos")
        assert len(talk.heard) == 2


@pytest.mark.parametrize("name", ["Deprecation", "Sunset"])
def test_the_end_that_a_source_announces_is_a_warning_once(name: str) -> None:
    ended = Said(200, b"[]", JSON | {name: f"Sat, 11 Mar 2028 00:00:00 GMT {KEY}"})
    asked = client_of(in_turn(ended))
    with Logged() as logged:
        for task in (asked.client, asked.client.for_task(), asked.client):
            task.get("/repos?author=ann@example.com")
    lines = [line for line in logged.text.splitlines() if line.startswith("the source announces the end")]
    assert len(lines) == 1
    assert f"'{name.lower()}'" in lines[0]
    assert "11 Mar 2028" in lines[0]
    assert KEY not in lines[0]
    assert "example.com" not in lines[0]


FORMS = (KEY, "a2V5LXRoYXQtbm9ib2R5LW1heS1zZWU6", "a2V5LXRoYXQtbm9ib2R5LW1heS1zZWU")
HOSTILE_TEXT = st.sampled_from([*FORMS, f"Authorization: Basic {FORMS[1]}", f"no such key {KEY}\n", "x", "", "<p>"])
HEADERS = (
    "Location Link Retry-After Content-Type Content-Encoding Sunset Deprecation ETag Date X-RateLimit-Reset "
    "X-GitHub-SSO X-Accepted-GitHub-Permissions"
)


@pytest.mark.slow
@given(
    status=st.sampled_from([200, 204, 301, 400, 401, 403, 404, 408, 422, 429, 500, 502, 503]),
    text=HOSTILE_TEXT,
    dialect=st.sampled_from(
        ['{{"error":{}}}', '{{"message":{}}}', "{}", '{{"meta":{{"error":{}}}}}', "[{}", "[NaN,{}"]
    ),
    header=st.sampled_from(HEADERS.split()),
    value=st.sampled_from(
        [f"<http://{KEY}@elsewhere.test/{KEY}>; rel=next", f"http://elsewhere.test/{KEY}", KEY, f"http://{KEY}.test/"]
    ),
    auth=st.sampled_from([Basic(KEY), Bearer(KEY)]),
)
@settings(max_examples=300, deadline=None)
def test_the_key_is_in_no_message_no_log_record_and_no_repr(
    status: int, text: str, dialect: str, header: str, value: str, auth: Auth
) -> None:
    body = dialect.format(json.dumps(text)).encode()
    asked = client_of(in_turn(Said(status, body, {header: value})))
    client = asked.client.signed(auth)
    with Logged() as logged:
        try:
            client.get("/repos", {"page": 1})
            GraphQL(client).ask("{viewer{login}}", {})
            told = ""
        except MillraceError as error:
            told = "".join(traceback.format_exception(error)) + repr(error)
    told += repr(client) + repr(client.for_task()) + repr(GraphQL(client)) + logged.text
    forms = FORMS if isinstance(auth, Basic) else FORMS[:1]
    assert [form for form in forms if form in told] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]", "http://localhost:8080"])
def test_no_proxy_reads_the_key_of_a_server_on_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert "http" not in SourceClient(url, Basic(KEY)).session.proxies
    assert SourceClient("https://source.example", Basic(KEY)).session.proxies["http"] == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        pytest.param("/analytics/github/prs", {"author": "ann@example.com"}, id="parameters"),
        pytest.param("/analytics/github/prs?author=ann@example.com", {}, id="a next link"),
    ],
)
def test_a_step_that_is_logged_names_the_path_without_its_query(path: str, parameters: dict[str, str]) -> None:
    asked = client_of(in_turn(Said(500), Said(429), ROWS))
    with Logged() as logged:
        asked.client.get(path, parameters)
    assert logged.text.count("'path': '/analytics/github/prs'") == 3 + 2  # three requests, two of them for nothing
    assert "example.com" not in logged.text


def test_a_task_shares_the_connections_and_has_its_own_account() -> None:
    asked = client_of(in_turn(ROWS))
    task = asked.client.for_task()
    task.get("/repos")
    assert (task.session, task.budget) == (asked.client.session, asked.client.budget)
    assert (task.stats.requests, asked.client.stats.requests) == (1, 0)
