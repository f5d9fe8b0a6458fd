"""GraphQL: cursors, orders, limits of one query, and the forms of its errors."""

import pytest
from tests.simulator.github.client import PULLS, REPOSITORIES, GitHubClient
from tests.simulator.github.conftest import Serve

from simulator.github import generate

ASKED = {"owner": "acme", "name": "shop", "field": "CREATED_AT", "direction": "ASC"}
TOTAL = "query($owner: String!, $name: String!) { repository(owner: $owner, name: $name) { %s } }"


@pytest.mark.parametrize("order", ["CREATED_AT ASC", "CREATED_AT DESC", "UPDATED_AT ASC", "UPDATED_AT DESC"])
def test_pages_of_order_have_each_row_once(client: GitHubClient, order: str) -> None:
    rows = list(client.pulls(first=7, order=order))
    field, direction = {"CREATED_AT": "createdAt", "UPDATED_AT": "updatedAt"}[order.split()[0]], order.split()[1]

    keys = [row[field] for row in rows]
    assert sorted(row["number"] for row in rows) == list(range(1, 41))
    assert keys == sorted(keys, reverse=direction == "DESC")


def test_cursor_of_other_order_is_refused(client: GitHubClient) -> None:
    cursor = client.pulls_page(first=5)["pageInfo"]["endCursor"]

    (error,) = client.errors(PULLS, **ASKED | {"field": "UPDATED_AT"}, first=5, after=cursor)

    assert error["type"] == "INVALID_CURSOR_ARGUMENTS"
    assert error["message"] == f"`{cursor}` does not appear to be a valid cursor."


@pytest.mark.parametrize("cursor", ["", "abc", "Y3Vyc29yOnYyOg=="])
def test_made_up_cursor_is_refused(client: GitHubClient, cursor: str) -> None:
    (error,) = client.errors(PULLS, **ASKED, first=5, after=cursor)

    assert error["type"] == "INVALID_CURSOR_ARGUMENTS"


def test_before_and_last_page_backwards(client: GitHubClient) -> None:
    query = (
        TOTAL % "pullRequests(last: 3, before: $before) { nodes { number } pageInfo { hasPreviousPage startCursor } }"
    )
    query = query.replace("$name: String!", "$name: String!, $before: String")
    last = client.ask(query, owner="acme", name="shop")["repository"]["pullRequests"]

    page = client.ask(query, owner="acme", name="shop", before=last["pageInfo"]["startCursor"])
    numbers = [each["number"] for each in page["repository"]["pullRequests"]["nodes"]]

    assert ([each["number"] for each in last["nodes"]], numbers) == ([38, 39, 40], [35, 36, 37])


def test_more_than_a_hundred_rows_are_refused(client: GitHubClient) -> None:
    response = client.post(PULLS, **ASKED, first=101).json()

    assert response["data"]["repository"] is None
    assert response["errors"][0]["type"] == "EXCESSIVE_PAGINATION"
    assert response["errors"][0]["path"] == ["repository", "pullRequests"]


def test_rows_without_bound_are_refused(client: GitHubClient) -> None:
    (error,) = client.errors(TOTAL % "pullRequests { nodes { number } }", owner="acme", name="shop")

    assert error["type"] == "MISSING_PAGINATION_BOUNDARIES"


def test_total_needs_no_bound(client: GitHubClient) -> None:
    found = client.ask(TOTAL % "pullRequests(states: OPEN) { totalCount }", owner="acme", name="shop")
    opened = sum(each.state == "OPEN" for each in client.served.company.repositories[0].pulls)

    assert found["repository"]["pullRequests"]["totalCount"] == opened


def test_more_than_half_a_million_nodes_are_refused(client: GitHubClient) -> None:
    history = "commit { history(first: 100) { nodes { oid } } }"
    deep = f"pullRequests(first: 100) {{ nodes {{ commits(first: 100) {{ nodes {{ {history} }} }} }} }}"

    (error,) = client.errors(TOTAL % deep, owner="acme", name="shop")

    assert error["type"] == "MAX_NODE_LIMIT_EXCEEDED"
    assert "1,010,100 possible nodes" in error["message"]


@pytest.mark.parametrize(("first", "points"), [(1, 1), (50, 3), (100, 5)])
def test_points_are_those_of_the_documented_formula(client: GitHubClient, first: int, points: int) -> None:
    before = client.served.log.points
    # 1 request for the pull requests, and 5 lists of each: labels, requests, reviews, commits, events.
    data = client.ask(PULLS, **ASKED, first=first)

    assert data["rateLimit"]["cost"] == points == client.served.log.points - before
    assert data["rateLimit"]["nodeCount"] == first * (1 + 20 + 20 + 30 + 30 + 20)


def test_budget_falls_by_points(client: GitHubClient) -> None:
    first = client.ask(PULLS, **ASKED, first=50)["rateLimit"]
    second = client.ask(PULLS, **ASKED, first=50)["rateLimit"]

    assert first["remaining"] - second["remaining"] == 3
    assert second["limit"] - second["used"] == second["remaining"]


def test_missing_repository_is_null_with_error_at_200(client: GitHubClient) -> None:
    response = client.post(PULLS, **ASKED | {"name": "nothing"}, first=5)

    assert response.status_code == 200
    body = response.json()
    assert body["data"]["repository"] is None
    (error,) = body["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["repository"])
    assert error["message"] == "Could not resolve to a Repository with the name 'acme/nothing'."


def test_node_that_is_gone_is_null_beside_others(client: GitHubClient) -> None:
    ids = [client.pulls_page(first=1)["nodes"][0]["id"], "PR_AAAAAAAAAAkAAAAAAAAACQ"]

    body = client.post("query($ids: [ID!]!) { nodes(ids: $ids) { ... on PullRequest { number } } }", ids=ids).json()

    assert body["data"]["nodes"] == [{"number": 1}, None]
    assert (body["errors"][0]["type"], body["errors"][0]["path"]) == ("NOT_FOUND", ["nodes", 1])


def test_unknown_owner_is_null_without_error(client: GitHubClient) -> None:
    assert client.ask(REPOSITORIES, owner="not-here")["repositoryOwner"] is None


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{ viewer { login nothing } }", id="unknown field"),
        pytest.param("{ viewer { login ", id="no end"),
        pytest.param("query($a: Int!) { viewer { login } }", id="unused and missing variable"),
        pytest.param('{ repository(owner: "acme", name: "shop", other: 1) { id } }', id="unknown argument"),
        pytest.param('{ repository(owner: "acme", name: "shop") { stargazerCount } }', id="field that is not served"),
    ],
)
def test_invalid_query_has_errors_and_no_data(client: GitHubClient, query: str) -> None:
    body = client.post(query).json()

    assert body.keys() == {"errors"}
    assert all(each["message"] for each in body["errors"])


def test_introspection_lists_fields_of_type(client: GitHubClient) -> None:
    found = client.ask('{ __type(name: "PullRequest") { fields { name } } }')["__type"]["fields"]

    assert {"fullDatabaseId", "isDraft", "timelineItems"} <= {each["name"] for each in found}


def test_id_beyond_32_bits_is_text_and_deprecated_one_fails(client: GitHubClient) -> None:
    page = TOTAL % "pullRequests(first: 1) { nodes { %s } }"
    asked = {"owner": "acme", "name": "shop"}

    found = client.ask(page % "fullDatabaseId", **asked)
    (error,) = client.errors(page % "databaseId", **asked)

    assert found["repository"]["pullRequests"]["nodes"] == [{"fullDatabaseId": "2401000001"}]
    assert "32-bit" in error["message"]


def test_events_without_types_are_refused_by_simulator(client: GitHubClient) -> None:
    (error,) = client.errors(
        TOTAL % "pullRequests(first: 1) { nodes { timelineItems(first: 1) { totalCount } } }", owner="acme", name="shop"
    )

    assert error["type"] == "NOT_SIMULATED"


def test_renamed_repository_is_followed_unless_asked_not_to(serve: Serve) -> None:
    client = serve(renamed=(("shop", "store"),))
    followed = client.ask(TOTAL % "nameWithOwner databaseId", owner="acme", name="shop")["repository"]
    strict = TOTAL.replace("name: $name", "name: $name, followRenames: false") % "id"

    (error,) = client.errors(strict, owner="acme", name="shop")

    assert followed == {"nameWithOwner": "acme/store", "databaseId": 7100001}
    assert error["type"] == "NOT_FOUND"


def test_history_reaches_every_commit_and_filters_by_committer(serve: Serve) -> None:
    client = serve(generate(repositories=1, pulls=10))
    repository = client.served.company.repositories[0]
    since = repository.history[5].committed_at
    query = TOTAL % 'defaultBranchRef { target { ... on Commit { history(first: 100, since: "%s") { totalCount } } } }'

    found = client.ask(query % since, owner="acme", name="shop")["repository"]["defaultBranchRef"]["target"]

    assert found["history"]["totalCount"] == sum(each.committed_at >= since for each in repository.history)


def test_part_that_is_not_included_costs_nothing(client: GitHubClient) -> None:
    query = """query($isFirst: Boolean!) { rateLimit { nodeCount } repository(owner: "acme", name: "shop") {
      pullRequests(first: 10) @include(if: $isFirst) { totalCount } other: pullRequests(first: 5) { totalCount } } }"""

    counts = [client.ask(query, isFirst=is_first)["rateLimit"]["nodeCount"] for is_first in (True, False)]

    assert counts == [15, 5]


def test_head_reaches_what_lies_below_it(client: GitHubClient) -> None:
    repository = client.served.company.repositories[0]
    merges = [each for each in repository.history if len(each.parents) == 2]
    query = TOTAL % 'object(oid: "%s") { ... on Commit { history(first: 1) { totalCount nodes { oid } } } }'

    tip, older = (
        client.ask(query % each.sha, owner="acme", name="shop")["repository"]["object"]["history"]
        for each in (merges[0], merges[3])
    )

    assert tip == {"totalCount": len(repository.history), "nodes": [{"oid": repository.history[0].sha}]}
    assert older["nodes"] == [{"oid": merges[3].sha}]
    assert len(repository.history) - older["totalCount"] == sum(
        len(pull.commits) + 1 for pull in repository.pulls if pull.merge_commit in merges[:3]
    )


@pytest.mark.parametrize("since", ["2026-01-01", "yesterday", "2026-01-01T00:00:00"])
def test_history_since_no_instant_is_refused(client: GitHubClient, since: str) -> None:
    query = TOTAL % 'defaultBranchRef { target { ... on Commit { history(first: 1, since: "%s") { totalCount } } } }'

    (error,) = client.errors(query % since, owner="acme", name="shop")

    assert since in error["message"]


def test_list_without_hidden_repositories_has_header(serve: Serve) -> None:
    client = serve(sso_hidden=("shop",))

    assert client.post(REPOSITORIES, owner="acme").headers["X-GitHub-SSO"] == "partial-results; organizations=9000"
    assert "X-GitHub-SSO" not in client.post("{ viewer { login } }").headers


def test_commit_that_is_not_there_is_null(client: GitHubClient) -> None:
    query = TOTAL % f'object(oid: "{"0" * 40}") {{ oid }}'

    assert client.ask(query, owner="acme", name="shop") == {"repository": {"object": None}}
