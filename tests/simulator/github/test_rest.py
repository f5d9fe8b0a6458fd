"""REST: each answer against GitHub's OpenAPI document, links, conditional requests, and errors."""

from typing import Any

import pytest
import requests
from tests.simulator.github.client import GitHubClient
from tests.simulator.github.conftest import Serve
from tests.simulator.github.openapi import answer_problems, request_problems

from simulator.github import generate

REPOSITORY = "/repos/{owner}/{repo}"
PULLS = "/repos/acme/shop/pulls"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/orgs/{org}/repos", "/orgs/acme/repos?type=all&sort=full_name&direction=asc&per_page=100"),
        ("/users/{username}/repos", "/users/acme/repos?per_page=100"),
        ("/user", "/user"),
        ("/rate_limit", "/rate_limit"),
        (REPOSITORY, "/repos/acme/shop"),
        (f"{REPOSITORY}/commits", "/repos/acme/shop/commits?per_page=100"),
        (f"{REPOSITORY}/pulls", f"{PULLS}?state=all&sort=created&direction=asc&per_page=100"),
        (f"{REPOSITORY}/pulls/{{pull_number}}", f"{PULLS}/9"),
        (f"{REPOSITORY}/pulls/{{pull_number}}/reviews", f"{PULLS}/9/reviews?per_page=100"),
        (f"{REPOSITORY}/pulls/{{pull_number}}/commits", f"{PULLS}/9/commits?per_page=100"),
    ],
)
def test_answer_is_as_documented(client: GitHubClient, path: str, target: str) -> None:
    response = client.get(target)

    assert request_problems("GET", target) == []
    assert answer_problems("GET", path, response.status_code, response.json()) == []
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


def test_document_refuses_other_answers_and_requests(client: GitHubClient) -> None:
    (pull, *_) = client.get(f"{PULLS}?per_page=1").json()
    path = f"{REPOSITORY}/pulls"

    assert answer_problems("GET", path, 200, [pull | {"id": "1"}]) != []
    assert answer_problems("GET", path, 200, [pull | {"more": 1}]) != []
    assert answer_problems("GET", path, 200, [{key: pull[key] for key in pull if key != "head"}]) != []
    assert request_problems("GET", f"{PULLS}?state=merged") != []
    assert request_problems("GET", f"{PULLS}?since=2026-01-01") == [f"{PULLS} has no parameter since"]
    assert request_problems("GET", "/repos/acme/shop/issues") != []


def test_odd_data_differ_from_document_where_recorded_answers_do(serve: Serve) -> None:
    client = serve(
        generate(pulls=8), ghost_author=True, bot_author=True, deleted_fork=True, pending_review=True, force_push=True
    )
    pulls = client.get(f"{PULLS}?state=all&direction=asc&per_page=100").json()
    reviews = client.get(f"{PULLS}/5/reviews").json()

    # Recorded lists have null for the repository of a deleted fork (SOURCES §2.4); the document does not.
    assert {each.partition(":")[0] for each in answer_problems("GET", f"{REPOSITORY}/pulls", 200, pulls)} == {
        "2/head/repo"
    }
    assert (pulls[0]["user"], pulls[1]["user"]["login"], pulls[1]["user"]["type"]) == (None, "dependabot[bot]", "Bot")
    assert answer_problems("GET", f"{REPOSITORY}/pulls/{{pull_number}}/reviews", 200, reviews) == []
    assert "submitted_at" not in next(each for each in reviews if each["state"] == "PENDING")


def test_links_lead_by_id_to_every_row_once(client: GitHubClient) -> None:
    first = client.get(f"{PULLS}?state=all&sort=created&direction=asc&per_page=7")
    rows = [each["number"] for each in client.listed(f"{PULLS}?state=all&sort=created&direction=asc&per_page=7")]

    assert rows == list(range(1, 41))
    assert first.links["next"]["url"].startswith(f"{client.served.url}/repositories/7100001/pulls?state=all&")
    assert first.links["last"]["url"].endswith("page=6")
    assert "prev" not in first.links
    assert client.get(first.links["last"]["url"]).links.keys() == {"prev", "first"}


def test_last_page_of_single_rows_counts_them(client: GitHubClient) -> None:
    response = client.get(f"{PULLS}?state=all&per_page=1")

    assert response.links["last"]["url"].endswith("page=40")


@pytest.mark.parametrize(("asked", "rows"), [("1000", 100), ("100", 100), ("0", 30), ("x", 30), ("-1", 30)])
def test_page_has_at_most_a_hundred_rows(serve: Serve, asked: str, rows: int) -> None:
    client = serve(generate(repositories=1, pulls=110))

    assert len(client.get(f"{PULLS}?state=all&per_page={asked}").json()) == rows


def test_page_beyond_last_is_empty(client: GitHubClient) -> None:
    assert client.get(f"{PULLS}?page=99").json() == []


def test_lists_have_open_ones_newest_first_by_default(client: GitHubClient) -> None:
    shown = [each["number"] for each in client.listed(PULLS)]
    pulls = client.served.company.repositories[0].pulls

    assert shown == [each.number for each in reversed(pulls) if each.state == "OPEN"]


def test_users_route_lists_public_repositories_only(client: GitHubClient) -> None:
    assert {each["private"] for each in client.get("/users/acme/repos").json()} == {False}
    assert {each["private"] for each in client.get("/orgs/acme/repos").json()} == {False, True}


def test_same_answer_again_is_304_and_free(client: GitHubClient) -> None:
    target = f"{PULLS}?state=all&sort=updated&direction=desc&per_page=1"
    first = client.get(target)

    again = client.get(target, **{"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Remaining"] == first.headers["X-RateLimit-Remaining"]


def test_changed_list_is_200_again(serve: Serve) -> None:
    client = serve(touched_between_pages=1)
    target = f"{PULLS}?state=all&sort=updated&direction=desc&per_page=1"
    first = client.get(target)

    assert client.get(target, **{"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_former_name_is_301_to_id(serve: Serve) -> None:
    client = serve(renamed=(("shop", "store"),))

    response = client.get(f"{PULLS}?state=all")

    assert response.status_code == 301
    assert response.headers["Location"] == response.json()["url"]
    assert response.json()["url"] == f"{client.served.url}/repositories/7100001/pulls?state=all"
    assert client.get(response.headers["Location"]).status_code == 200
    assert client.get("/repositories/7100001").json()["full_name"] == "acme/store"


@pytest.mark.parametrize(
    ("knobs", "target", "status"),
    [
        pytest.param({}, "/repos/acme/nothing", 404, id="no repository"),
        pytest.param({}, f"{PULLS}/999", 404, id="no pull request"),
        pytest.param({}, "/orgs/other/repos", 404, id="no organization"),
        pytest.param({}, "/repos/acme/shop/issues", 404, id="not simulated"),
        pytest.param({"pulls_disabled": ("shop",)}, PULLS, 404, id="pull requests turned off"),
        pytest.param({"empty": ("shop",)}, "/repos/acme/shop/commits", 409, id="empty repository"),
        pytest.param({"is_version_gone": True}, "/user", 410, id="version of the API is gone"),
        pytest.param({}, f"{PULLS}?state=merged", 422, id="unknown state"),
        pytest.param({}, f"{PULLS}?sort=name", 422, id="unknown order"),
        pytest.param({}, "/repos/acme/shop/commits?since=2026-01-01", 422, id="since without time"),
        pytest.param({}, "/repos/acme/shop/commits?until=now", 422, id="until without date"),
        pytest.param({"sso_hidden": ("shop",)}, "/repos/acme/shop", 403, id="hidden by SSO"),
    ],
)
def test_refusal_has_message_and_status(serve: Serve, knobs: dict[str, Any], target: str, status: int) -> None:
    response = serve(**knobs).get(target)

    assert response.status_code == status
    assert response.json()["message"]
    assert response.json()["status"] == str(status)


def test_hidden_repositories_are_left_out_with_header(serve: Serve) -> None:
    client = serve(sso_hidden=("shop",))

    response = client.get("/orgs/acme/repos")

    assert [each["name"] for each in response.json()] == ["web", "api"]
    assert response.headers["X-GitHub-SSO"] == "partial-results; organizations=9000"
    assert client.get("/repos/acme/shop").headers["X-GitHub-SSO"].startswith("required; url=")


def test_long_answer_is_compressed_for_client_that_accepts_it(client: GitHubClient) -> None:
    packed = client.get(f"{PULLS}?state=all", **{"Accept-Encoding": "gzip"})
    plain = client.get(f"{PULLS}?state=all", **{"Accept-Encoding": "identity"})

    assert (packed.headers["Content-Encoding"], packed.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()


def test_commits_of_pull_request_end_at_250(serve: Serve) -> None:
    client = serve(generate(repositories=1, pulls=8), long_commits=260)

    assert len(list(client.listed(f"{PULLS}/7/commits?per_page=100"))) == 250
    assert client.get(f"{PULLS}/7").json()["commits"] == 260


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Authorization": ""}, 401, id="no token"),
        pytest.param({"Authorization": "Bearer other"}, 401, id="other token"),
        pytest.param({"Authorization": "Basic Z2l0aHViX3BhdF9zaW11bGF0ZWQ6"}, 401, id="Basic"),
        pytest.param({"User-Agent": ""}, 403, id="no user agent"),
        pytest.param({"X-GitHub-Api-Version": "2021-01-01"}, 400, id="unknown version"),
    ],
)
def test_request_without_what_github_wants_is_refused(
    client: GitHubClient, headers: dict[str, str], status: int
) -> None:
    assert client.get("/user", **headers).status_code == status


def test_version_that_ends_has_headers(serve: Serve) -> None:
    response = serve(is_version_ending=True).get("/user")

    assert response.headers["X-GitHub-Api-Version-Selected"] == "2022-11-28"
    assert {"Deprecation", "Sunset"} <= set(response.headers)


def test_own_server_has_other_paths_and_no_limits(serve: Serve) -> None:
    client = serve(prefix="/api/v3", is_own_server=True, has_limits=False)

    response = client.get("/repos/acme/shop")

    assert response.json()["url"] == f"{client.served.url}/api/v3/repos/acme/shop"
    assert not [name for name in response.headers if name.lower().startswith("x-ratelimit")]
    assert client.get("/rate_limit").status_code == 404
    assert client.ask("{ rateLimit { cost } viewer { login } }") == {"rateLimit": None, "viewer": {"login": "reader"}}
    assert requests.get(f"{client.served.url}/user", headers=client.session.headers, timeout=5).status_code == 404
