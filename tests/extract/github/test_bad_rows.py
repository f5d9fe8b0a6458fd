"""A row that cannot be stored is named, and nothing else of its repository or its account is missing."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.extract.github import shapes
from tests.extract.github.mangling import Change, changed, nodes_in, repository_in
from tests.extract.github.reading import NOW, Read, read, request_of

from millrace.arrow import to_batch
from millrace.tables import TABLES
from simulator.github import Knobs, generate

pytestmark = pytest.mark.slow
PULLS, COMMITS, REPOS = "github_pull_requests", "github_commits", "github_repos"
COMPANY = generate(3, 7, seed=5)
EVERY = {each.number for each in COMPANY.repositories[0].pulls}
BAD = [
    {"fullDatabaseId": None},
    {"fullDatabaseId": str(2**63)},
    {"additions": 2**64},
    {"additions": 1.5},
    {"isDraft": 1},
    {"state": None},
    {"createdAt": "yesterday"},
    {"updatedAt": ""},
    {"mergedAt": "9999-12-31T23:59:59-14:00"},
    {"author": {"login": "kim"}},
    {"reviews": 5},
    {"reviews": shapes.listed({"id": "R", "fullDatabaseId": None, "state": "APPROVED"})},
    {"timelineItems": shapes.listed({"__typename": "AddedLaterEvent"})},
]


def of_one(number: int, **values: Any) -> Change:
    """Return a change of one pull request, wherever it is listed with its fields."""

    def change(body: dict[str, Any]) -> None:
        for node in nodes_in(body):
            if node.get("number") == number and "state" in node:
                node.update(values)

    return change


def of_first_commit(**values: Any) -> Change:
    """Return a change of the first commit of the default branch."""

    def change(body: dict[str, Any]) -> None:
        found = repository_in(body).get("object") or {}
        found.get("history", {"nodes": [{}]})["nodes"][0].update(values)

    return change


def of_first_repository(**values: Any) -> Change:
    """Return a change of the first repository of the list."""

    def change(body: dict[str, Any]) -> None:
        if owner := body["data"].get("repositoryOwner"):
            owner["repositories"]["nodes"][0].update(values)

    return change


def read_changed(change: Change, endpoint: str = PULLS, **other: Any) -> Read:
    with changed(COMPANY, change) as (source, _):
        result = read(source, request_of(endpoint, COMPANY, **other))
    for table, rows in result.rows.items():  # as the parts of the lake hold them
        to_batch(rows, TABLES[table], NOW, "run")
    return result


def numbers(result: Read) -> set[int]:
    return {row["number"] for row in result.rows[PULLS]}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: "-".join(f"{name}={value!r:.20}" for name, value in bad.items()))
def test_one_bad_pull_request_is_named_and_the_others_are_read(bad: dict[str, Any]) -> None:
    result = read_changed(of_one(3, **bad))
    assert numbers(result) == EVERY - {3}
    assert result.window["state"] == "unknown"
    assert (result.window["row_count"], result.window["source_total"]) == (6, 7)
    assert "#3 (" in result.window["reason"]
    assert next(iter(bad)) in result.window["reason"] or "_at" in result.window["reason"] or "id" in str(result.window)
    assert result.is_accounted
    assert result.outcome is not None
    assert result.outcome.mark is None


def test_a_pull_request_that_was_known_and_is_bad_now_is_named() -> None:
    mark = {"updated_at": "2026-10-01T00:00:00+00:00", "count": 7, "greatest": 7, "short": {}}
    result = read_changed(of_one(3, additions=2**64), scope="changes", mark=mark)
    assert result.window["state"] == "unknown"
    assert "#3 (" in result.window["reason"]
    assert result.is_accounted


@pytest.mark.parametrize("text", [f"a{chr(0xD800)}b", chr(0xDC00), chr(0xD83D)], ids=["first", "second", "emoji"])
def test_half_a_surrogate_pair_is_replaced(text: str) -> None:
    result = read_changed(of_one(3, title=text))
    assert result.window["state"] == "known"
    titles = [row["title"] for row in result.rows[PULLS] if row["number"] == 3]
    assert titles == ["".join("\ufffd" if 0xD800 <= ord(each) <= 0xDFFF else each for each in text)]


def test_a_list_that_is_null_is_not_taken_for_an_empty_one() -> None:
    result = read_changed(of_one(3, reviews=None))
    assert numbers(result) == EVERY
    assert result.window["state"] == "unknown"
    assert "#3 (" in result.window["reason"]
    assert "reviews" in result.window["reason"]


@pytest.mark.parametrize(
    "bad",
    [{"committedDate": None}, {"authoredDate": None}, {"committedDate": "1000-01-01"}, {"additions": 2**63}],
    ids=str,
)
def test_one_bad_commit_is_named_and_the_others_are_read(bad: dict[str, Any]) -> None:
    good = read_changed(lambda body: None, COMMITS)
    result = read_changed(of_first_commit(**bad), COMMITS)
    (missing,) = {row["sha"] for row in good.rows[COMMITS]} - {row["sha"] for row in result.rows[COMMITS]}
    assert result.window["state"] == "unknown"
    assert missing[:12] in result.window["reason"]
    assert result.window["row_count"] == result.window["source_total"] - 1
    assert result.is_accounted
    assert result.outcome is not None
    assert result.outcome.mark is None


@pytest.mark.parametrize(
    "bad",
    [
        {"databaseId": None},
        {"databaseId": str(2**63)},
        {"nameWithOwner": None},
        {"createdAt": "x"},
        {"isFork": "y"},
        {"isLocked": "x"},
        {"defaultBranchRef": 5},
        {"pullRequests": {"totalCount": 2**64}},
    ],
    ids=str,
)
def test_one_bad_repository_is_named_and_the_others_are_read(bad: dict[str, Any]) -> None:
    result = read_changed(of_first_repository(**bad), REPOS)
    assert len(result.rows[REPOS]) == 2
    assert result.outcome is not None
    assert len(result.outcome.children) == 2
    whole = next(row for row in result.windows if row["object"] == "repositories")
    assert whole["state"] == "unknown"
    assert next(iter(bad)) in whole["reason"] or "_at" in whole["reason"] or "_count" in whole["reason"]


def _is_first(body: dict[str, Any]) -> bool:
    return any(node.get("number") == 1 and "state" in node for node in nodes_in(body))


def test_one_pull_request_that_the_server_cannot_show_is_named_and_the_others_are_read() -> None:
    def change(body: dict[str, Any]) -> None:
        if _is_first(body):
            body["errors"] = [{"message": "Something went wrong while executing your query"}]

    result = read_changed(change)
    assert numbers(result) == EVERY - {1}
    assert result.window["state"] == "unknown"
    assert "#1 (" in result.window["reason"]
    assert "Something went wrong" in result.window["reason"]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: repository_in(body).get("pullRequests", {}).update(totalCount="7"),
        lambda body: repository_in(body).get("pullRequests", {}).update(totalCount=-5),
        lambda body: repository_in(body).get("pullRequests", {}).update(totalCount=10**30),
        lambda body: repository_in(body).get("pullRequests", {}).pop("totalCount", None),
        lambda body: repository_in(body).get("pullRequests", {}).update(nodes=None),
        lambda body: repository_in(body).update(databaseId=None),
        lambda body: body["data"].update(repository=[]),
    ],
)
def test_a_list_that_cannot_be_read_is_unknown_and_no_error_of_the_run(change: Callable[[Any], object]) -> None:
    result = read_changed(lambda body: void(change(body)))
    assert result.window["state"] == "unknown"
    assert result.window["reason"]
    assert result.outcome is not None
    assert result.outcome.mark is None


def void(value: object) -> None:
    """Drop a value."""


def test_one_pull_request_that_is_too_large_for_an_answer_is_named_and_the_others_are_read() -> None:
    result = read_changed(of_one(3, body="x" * (33 << 20)))
    assert numbers(result) == EVERY - {3}
    assert result.window["state"] == "unknown"
    assert "#3 (" in result.window["reason"]


def test_one_commit_that_the_server_cannot_show_is_named_and_the_others_are_read() -> None:
    # GitHub computes the size of each commit, which takes too long for an enormous one.
    good = read_changed(lambda body: None, COMMITS)
    heavy = good.rows[COMMITS][5]["sha"]

    def change(body: dict[str, Any]) -> None:
        history = (repository_in(body).get("object") or {}).get("history") or {"nodes": []}
        if any(node["oid"] == heavy and "additions" in node for node in history["nodes"]):
            body["errors"] = [{"message": "Something went wrong while executing your query"}]

    result = read_changed(change, COMMITS)
    assert {row["sha"] for row in result.rows[COMMITS]} == {row["sha"] for row in good.rows[COMMITS]} - {heavy}
    assert result.window["state"] == "unknown"
    assert f"{heavy[:12]} (" in result.window["reason"]
    assert "Something went wrong" in result.window["reason"]
    assert result.is_accounted


@pytest.mark.parametrize("which", [{1}, EVERY])
def test_what_a_token_may_not_see_of_one_pull_request_refuses_that_one_only(which: set[int]) -> None:
    def change(body: dict[str, Any]) -> None:
        forbidden = [i for i, node in enumerate(nodes_in(body)) if node.get("number") in which and "state" in node]
        if forbidden:
            path = ["repository", "pullRequests", "nodes", forbidden[0], "commits"]
            body["errors"] = [{"message": "Resource not accessible", "type": "FORBIDDEN", "path": path}]

    result = read_changed(change)
    assert "Resource not accessible" in result.window["reason"]
    if which == EVERY:
        assert result.window["state"] == "refused"
    else:
        assert numbers(result) == EVERY - which
        assert result.window["state"] == "unknown"
        assert "#1 (" in result.window["reason"]


@pytest.mark.parametrize("bad", [{"node_id": None}, {"additions": 2**64}, {"updated_at": "x"}, {"base": []}], ids=str)
def test_one_bad_pull_request_of_rest_is_named_and_the_others_are_read(bad: dict[str, Any]) -> None:
    path = f"/{COMPANY.repositories[0].name}/pulls/3"
    with changed(COMPANY, lambda body: body.update(bad), Knobs(has_graphql=False), path) as (source, _):
        result = read(source, request_of(PULLS, COMPANY))
    assert numbers(result) == EVERY - {3}
    assert result.window["state"] == "unknown"
    assert "#3 (" in result.window["reason"]
    assert result.is_accounted
