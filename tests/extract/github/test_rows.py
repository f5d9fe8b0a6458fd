"""Rows of the raw tables from the objects that GitHub sends."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.extract.github import shapes
from tests.extract.github.shapes import SHA

from millrace.arrow import to_batch
from millrace.errors import UnexpectedResponse
from millrace.extract.sources.github import shapes as rest_shapes
from millrace.extract.sources.github.fields import Fields
from millrace.extract.sources.github.long_lists import PullRequest
from millrace.extract.sources.github.rows import Place, Texts, co_authors, identities, merged
from millrace.tables import TABLES

NOW = datetime(2026, 11, 4, tzinfo=UTC)
PLACE = Place("acme", 7, "acme/shop", Texts())


def rows_of(node: dict[str, Any], place: Place = PLACE) -> dict[str, list[dict[str, Any]]]:
    return PullRequest(Fields(node, "node")).rows(place)


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


def test_every_row_fits_its_table_and_leaves_nothing_over() -> None:
    rows = rows_of(shapes.pull_request())
    extras = {
        table: to_batch(some, TABLES[table], NOW, "run").column("_extra").drop_null().to_pylist()
        for table, some in rows.items()
    }
    assert set(extras) == {
        "github_pull_requests",
        "github_reviews",
        "github_commits",
        "github_pull_request_commits",
        "github_pull_request_events",
        "identities",
    }
    assert all(extra == [] for extra in extras.values())


def test_a_pull_request_keeps_every_column_of_its_table() -> None:
    place = Place("acme", 7, "acme/shop", Texts(bodies=True))
    row = only(rows_of(shapes.pull_request(body="x"), place)["github_pull_requests"])
    assert set(row) == set(TABLES["github_pull_requests"].columns.names)
    assert (row["id"], row["state"], row["author_kind"], row["author_number"]) == (2401234567, "merged", "user", 101)
    assert (row["reviewers"], row["labels"]) == (["platform"], ["bug"])
    assert (row["commit_count"], row["review_count"], row["event_count"], row["force_push_count"]) == (2, 1, 1, 1)


def test_ids_above_32_bits_are_read_from_text() -> None:
    node = shapes.pull_request(fullDatabaseId="9223372036854775807")
    rows = rows_of(node)
    assert only(rows["github_pull_requests"])["id"] == 2**63 - 1
    assert only(rows["github_reviews"])["id"] == 4301234567


@pytest.mark.parametrize("given", ["12x", "", "-1", "٣", "1" * 30, 1.5, True, None])
def test_an_id_that_is_no_number_is_refused_without_its_value(given: object) -> None:
    with pytest.raises(UnexpectedResponse, match="expected digits"):
        rows_of(shapes.pull_request(fullDatabaseId=given))


def test_a_deleted_author_is_a_ghost_and_a_bot_a_bot() -> None:
    ghost = only(rows_of(shapes.pull_request(author=None))["github_pull_requests"])
    bot = only(
        rows_of(shapes.pull_request(author={"__typename": "Bot", "login": "dependabot", "databaseId": 9}))[
            "github_pull_requests"
        ]
    )
    assert (ghost["author_kind"], ghost.get("author_id")) == ("ghost", None)
    assert (bot["author_kind"], bot["author_id"]) == ("bot", "dependabot")


def test_a_pending_review_has_no_time_of_submission() -> None:
    node = shapes.pull_request(reviews=shapes.listed(shapes.review(state="PENDING", submittedAt=None)))
    row = only(rows_of(node)["github_reviews"])
    assert (row["state"], "submitted_at" in row) == ("pending", False)


def test_commits_have_their_roles() -> None:
    rows = rows_of(shapes.pull_request())["github_pull_request_commits"]
    assert [(row["role"], row.get("position"), row["sha"]) for row in rows] == [
        ("branch", 1, SHA["a"]),
        ("branch", 2, SHA["b"]),
        ("before_force_push", None, SHA["d"]),
        ("merge", None, SHA["c"]),
    ]


def test_a_commit_before_a_force_push_is_a_row_like_any_other() -> None:
    rows = {row["sha"]: row for row in rows_of(shapes.pull_request())["github_commits"]}
    assert rows.keys() == {SHA["a"], SHA["b"], SHA["d"]}
    assert rows[SHA["d"]].keys() == rows[SHA["a"]].keys()
    assert rows[SHA["d"]]["headline"] == "fix: retry on 500"


def test_a_commit_that_a_force_push_restored_is_one_row() -> None:
    node = shapes.pull_request(timelineItems=shapes.listed(shapes.force_push(before=SHA["a"])))
    assert [row["sha"] for row in rows_of(node)["github_commits"]] == [SHA["a"], SHA["b"]]


def test_a_removed_commit_before_a_force_push_has_no_row() -> None:
    rows = rows_of(shapes.pull_request(timelineItems=shapes.listed(shapes.force_push(before=None))))
    assert [row["sha"] for row in rows["github_commits"]] == [SHA["a"], SHA["b"]]
    assert "before_force_push" not in [row["role"] for row in rows["github_pull_request_commits"]]
    assert only(rows["github_pull_requests"])["force_push_count"] == 1


def test_titles_and_bodies_are_left_out_when_they_are_off() -> None:
    rows = rows_of(shapes.pull_request(body="secret"), Place("acme", 7, "acme/shop", Texts(titles=False)))
    assert not {"title", "body"} & set(only(rows["github_pull_requests"]))
    assert all("headline" not in row for row in rows["github_commits"])


def test_identities_are_pairs_with_their_newest_time() -> None:
    commits = [
        shapes.commit(SHA["a"], committedDate="2026-11-01T00:00:00Z"),
        shapes.commit(SHA["b"], committedDate="2026-11-03T00:00:00Z"),
        shapes.commit(SHA["c"], committedDate="2026-11-02T00:00:00Z"),
        shapes.commit(SHA["d"], email="101+kim@users.noreply.github.com"),
        shapes.commit(SHA["e"], login=None),
    ]
    rows = identities(PLACE, [Fields(each, "commit") for each in commits], "commit")
    assert [(row["account_id"], row["email"], row["seen_at"]) for row in rows] == [
        ("kim", "kim@acme.test", "2026-11-03T00:00:00Z"),
        ("kim", "101+kim@users.noreply.github.com", "2026-11-01T17:12:00Z"),
    ]


def test_a_page_has_a_commit_and_an_identity_once() -> None:
    rows = merged([rows_of(shapes.pull_request(1)), rows_of(shapes.pull_request(2))])
    assert [row["sha"] for row in rows["github_commits"]] == [SHA["a"], SHA["b"], SHA["d"]]
    assert len(rows["identities"]) == 1
    assert len(rows["github_pull_request_commits"]) == 8


def test_co_authors_are_the_trailers_of_the_message() -> None:
    message = """fix

Co-authored-by: Claude <noreply@anthropic.com>
co-authored-by:  Lee  <lee@acme.test>
Co-Authored-By: Claude <noreply@anthropic.com>
Co-authored-by: no address
not Co-authored-by: x <x@y>"""
    assert co_authors(message) == ["Claude <noreply@anthropic.com>", "Lee <lee@acme.test>"]


def test_a_list_that_the_server_lacks_is_unknown_and_not_empty() -> None:
    node = shapes.pull_request()
    del node["timelineItems"]
    row = only(rows_of(node)["github_pull_requests"])
    assert not {"event_count", "force_push_count"} & set(row)


def rest_rows(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    reviews = [Fields(shapes.rest_review(), "review")]
    commits = [Fields(shapes.rest_commit(SHA[name]), "commit") for name in "ab"]
    return rows_of(rest_shapes.pull_request(Fields(found, "pull request"), reviews, commits))


def test_rest_gives_the_same_rows_less_what_it_does_not_say() -> None:
    node = shapes.pull_request(timelineItems=None)
    unsaid = {"additions", "deletions", "comment_count", "updated_at"}
    by_rest, by_graphql = rest_rows(shapes.rest_pull_request()), rows_of(node)
    for table in ("github_reviews", "github_commits"):
        by_graphql[table] = [
            {name: value for name, value in row.items() if name not in unsaid} for row in by_graphql[table]
        ]
    assert by_rest == by_graphql


def test_rest_ghosts_bots_and_deleted_forks_are_those_of_graphql() -> None:
    found = shapes.rest_pull_request(
        user={"login": "ghost", "id": 10137, "type": "User"},
        merged_by={"login": "dependabot[bot]", "id": 9, "type": "Bot"},
        head={"ref": "x", "sha": SHA["b"], "repo": None},
    )
    row = only(rest_rows(found)["github_pull_requests"])
    assert (row["author_kind"], "author_id" in row) == ("ghost", False)
    assert (row["merged_by"], row["is_cross_repository"]) == ("dependabot", True)


def test_the_test_commit_of_an_open_pull_request_is_no_merge() -> None:
    found = shapes.rest_pull_request(state="open", merged_at=None, closed_at=None)
    rows = rest_rows(found)
    assert "merge_commit_sha" not in only(rows["github_pull_requests"])
    assert "merge" not in [row["role"] for row in rows["github_pull_request_commits"]]


def test_rest_commits_beyond_250_are_missed_and_said() -> None:
    commits = [Fields(shapes.rest_commit(SHA["a"]), "commit")]
    shape = rest_shapes.pull_request(Fields(shapes.rest_pull_request(commits=260), "pull request"), [], commits)
    assert PullRequest(Fields(shape, "pull request"), is_final=True).short == "1 of 260 commits"
