"""Apps: signed tokens, installation tokens that expire, and what each kind of caller may ask."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.simulator.github.client import GitHubClient
from tests.simulator.github.openapi import answer_problems

from simulator.github import App, Knobs, generate, served
from simulator.github.times import seconds

NOW_S = seconds("2026-11-01T12:00:00Z")
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
TOKENS = "/app/installations/4242/access_tokens"


def signed(key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    given = {"iat": NOW_S - 60, "exp": NOW_S + 600, "iss": "12345"} | claims
    return jwt.encode(given, key, algorithm)


@pytest.fixture
def start() -> Iterator[Callable[..., GitHubClient]]:
    """Return a function that serves an App, and returns a client without a token."""
    numbers = KEY.public_key().public_numbers()
    app = App("12345", numbers.n, numbers.e)
    with contextlib.ExitStack() as stack:
        yield lambda **knobs: GitHubClient(stack.enter_context(served(generate(), Knobs(**knobs), app=app)), token=None)


def post(client: GitHubClient, token: str, body: Any = None, path: str = TOKENS) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return client.session.post(client.served.url + path, json=body, headers=headers, timeout=5)


def get(client: GitHubClient, target: str, token: str) -> requests.Response:
    return client.get(target, Authorization=f"Bearer {token}")


def test_app_finds_installation_and_gets_token(start: Callable[..., GitHubClient]) -> None:
    client = start()
    installations = get(client, "/app/installations", signed())
    minted = post(client, signed())
    token = minted.json()["token"]
    listed = get(client, "/installation/repositories?per_page=100", token)

    # The document wants an account to be user and enterprise at once (`allOf`); its own example is a user.
    (problem,) = answer_problems("GET", "/app/installations", 200, installations.json())
    assert problem.startswith("0/account: ")
    assert answer_problems("GET", "/app", 200, get(client, "/app", signed()).json()) == []
    assert answer_problems("POST", "/app/installations/{installation_id}/access_tokens", 201, minted.json()) == []
    assert answer_problems("GET", "/installation/repositories", 200, listed.json()) == []
    assert (installations.json()[0]["id"], installations.json()[0]["account"]["login"]) == (4242, "acme")
    assert minted.json()["expires_at"] == "2026-11-01T13:00:00Z"
    assert len(token) > 40  # the form of 2026, longer than before
    assert (listed.json()["total_count"], listed.json()["repository_selection"]) == (3, "all")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(OTHER_KEY), id="key of another App"),
        pytest.param(signed("s" * 32, "HS256"), id="not RS256"),
        pytest.param(signed(iss="1"), id="another App"),
        pytest.param(signed(exp=NOW_S), id="expired"),
        pytest.param(signed(exp=NOW_S + 601), id="valid for more than ten minutes"),
        pytest.param(signed(iat=NOW_S + 61), id="issued in the future"),
        pytest.param(signed()[:-4] + "AAAA", id="signature changed"),
        pytest.param("a.b.c", id="no JWT"),
    ],
)
def test_token_of_app_that_github_refuses_is_401(start: Callable[..., GitHubClient], token: str) -> None:
    assert get(start(), "/app/installations", token).status_code == 401


def test_installation_token_ends_after_an_hour(start: Callable[..., GitHubClient]) -> None:
    client = start()
    token = post(client, signed()).json()["token"]

    client.served.clock.advance(3599)
    before = get(client, "/installation/repositories", token).status_code
    client.served.clock.advance(1)

    assert (before, get(client, "/installation/repositories", token).status_code) == (200, 401)


def test_new_token_is_valid_after_others_expired(start: Callable[..., GitHubClient]) -> None:
    client = start(token_expires_at=2)
    old = post(client, signed()).json()["token"]

    refused = get(client, "/installation/repositories", old).status_code
    renewed = post(client, signed()).json()["token"]

    assert refused == 401
    assert renewed != old
    assert get(client, "/installation/repositories", renewed).status_code == 200


def test_token_names_selection_of_repositories(start: Callable[..., GitHubClient]) -> None:
    client = start(is_installation_selected=True)

    assert post(client, signed()).json()["repository_selection"] == "selected"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"repositories": ["shop"], "permissions": {"contents": "read"}}, 201),
        ({"repositories": ["nothing"]}, 422),
        ({"permissions": {"contents": "write"}}, 422),
    ],
)
def test_token_has_no_more_than_installation(start: Callable[..., GitHubClient], body: Any, status: int) -> None:
    assert post(start(), signed(), body).status_code == status


def test_callers_may_not_use_routes_of_others(start: Callable[..., GitHubClient]) -> None:
    client = start()
    installation = post(client, signed()).json()["token"]

    assert get(client, "/user", installation).status_code == 403
    assert get(client, "/user", signed()).status_code == 403
    assert get(client, "/installation/repositories", "github_pat_simulated").status_code == 403
    assert get(client, "/app/installations", installation).status_code == 401
    assert post(client, signed(), path="/app/installations/1/access_tokens").status_code == 404
