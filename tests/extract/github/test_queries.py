"""Every query that is sent, against GitHub's published schema."""

import gzip
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from millrace.extract.sources.github.queries import LISTS, OFFERED, VIEWER, Offered, Queries
from millrace.extract.sources.github.rows import Texts

PINNED = Path(__file__).parents[2] / "golden/github/schema.graphql.gz"
LEAST = {
    "Repository": ("databaseId", "nameWithOwner", "pullRequests"),
    "PullRequest": ("number", "updatedAt", "databaseId", *LISTS),
    "PullRequestReview": ("state", "submittedAt", "databaseId"),
    "Commit": ("oid", "history", "message"),
}


def offered(**without: str) -> Offered:
    """Return what a server answers that has only what is needed, less one field of each named type."""
    return Offered.of(
        {
            kind: {"fields": [{"name": name} for name in names if name != without.get(kind)]}
            for kind, names in LEAST.items()
        }
    )


VARIANTS = {
    "as published": Queries(),
    "without titles": Queries(texts=Texts(titles=False)),
    "with bodies": Queries(texts=Texts(bodies=True)),
    "without teams": Queries(has_teams=False),
    "metadata only": Queries(beyond_metadata=False),
    "an earlier server": Queries(offered()),
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(gzip.decompress(PINNED.read_bytes()).decode(), assume_valid=True)


def texts_of(queries: Queries) -> list[str]:
    return [
        queries.repositories,
        queries.pull_requests,
        queries.numbers,
        queries.history_of_names,
        queries.chosen,
        queries.rest_of(LISTS),
        queries.rest_of(["reviews"] * 20),
        queries.default_branch,
        queries.history,
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_query_is_valid_in_githubs_schema(schema: GraphQLSchema, variant: str) -> None:
    errors = [str(error) for text in texts_of(VARIANTS[variant]) for error in validate(schema, parse(text))]
    assert errors == []


@pytest.mark.parametrize("text", [OFFERED, VIEWER])
def test_each_question_about_the_server_is_valid_in_githubs_schema(schema: GraphQLSchema, text: str) -> None:
    assert validate(schema, parse(text)) == []


def test_a_query_is_refused_when_the_schema_lacks_its_field(schema: GraphQLSchema) -> None:
    wrong = Queries().pull_requests.replace("fullDatabaseId", "biggerDatabaseId", 1)
    assert "biggerDatabaseId" in str(validate(schema, parse(wrong)))


def test_titles_and_bodies_are_asked_for_only_when_they_are_on() -> None:
    without, plain, both = (
        Queries(texts=texts).pull_requests for texts in (Texts(titles=False), Texts(), Texts(bodies=True))
    )
    assert [(" title " in each, " body " in each, "messageHeadline" in each) for each in (without, plain, both)] == [
        (False, False, False),
        (True, False, True),
        (True, True, True),
    ]


def test_a_commit_before_a_force_push_is_asked_for_as_one_of_the_branch() -> None:
    text = Queries(texts=Texts(titles=False)).pull_requests
    asked = text.partition("nodes{commit{")[2].partition("}}}")[0]
    assert "authoredDate" in asked
    assert f"beforeCommit{{{asked}}}}}}}" in text


def test_the_names_of_teams_can_be_left_out() -> None:
    with_teams, without = (Queries(has_teams=each).pull_requests for each in (True, False))
    assert with_teams.count("on Team") == 2
    assert "on Team" not in without
    assert without.count("on User{login}") == 2


def test_an_earlier_server_is_not_asked_for_what_it_lacks() -> None:
    text = Queries(offered()).pull_requests
    assert "fullDatabaseId:databaseId" in text
    assert "isDraft" not in text
    assert "mergeCommit" not in text
    assert "databaseId nameWithOwner  pullRequests" in Queries(offered()).repositories


@pytest.mark.parametrize("kind", LEAST)
def test_a_server_without_a_needed_field_is_named(kind: str) -> None:
    name = LEAST[kind][0]
    assert offered(**{kind: name}).missing == (f"{kind}.{name}",)
