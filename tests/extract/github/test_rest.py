"""Readings by REST, of a simulated server without GraphQL: the rows of GraphQL, less what REST does not say."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.extract.github.reading import NOW, Read, pages, read, request_of, source_of

from millrace.tables import TABLES
from simulator.github import Knobs, generate, served

pytestmark = pytest.mark.slow
PULLS = "github_pull_requests"
REST = Knobs(has_graphql=False)
UNSAID = {
    "github_repos": {"is_empty", "open_pull_requests_count", "total_pull_requests_count"},
    PULLS: {"event_count", "force_push_count"},
    "github_reviews": {"comment_count", "updated_at"},
    "github_commits": {"additions", "deletions"},
    "github_pull_request_commits": set(),
    "identities": set(),
}


def both(endpoint: str, knobs: Knobs) -> tuple[Read, Read]:
    """Read an endpoint by GraphQL and by REST."""
    results = []
    for has_graphql in (True, False):
        company = generate(1, 30, seed=3)
        with served(company, replace(knobs, has_graphql=has_graphql)) as github:
            results.append(read(source_of(github), request_of(endpoint, company)))
    return results[0], results[1]


def said(result: Read, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table without what REST does not say, in one order."""
    rows = [row for row in result.rows.get(table, []) if row.get("role") != "before_force_push"]
    rows = sorted(rows, key=lambda row: str(row.get("seen_at", row)))
    # A page has an identity once; REST has smaller pages. The newest row of a key is the one that stays.
    newest = {tuple(row[name] for name in TABLES[table].key): row for row in rows}
    return [
        {name: value for name, value in row.items() if name not in UNSAID[table]}
        for _, row in sorted(newest.items(), key=repr)
    ]


def found(result: Read) -> tuple[str, int | None, int | None]:
    window = result.window
    return window["state"], window.get("row_count"), window.get("source_total")


@pytest.mark.parametrize("endpoint", ["github_repos", PULLS, "github_commits"])
def test_rest_gives_the_rows_of_graphql(endpoint: str) -> None:
    odd = Knobs(ghost_author=True, bot_author=True, deleted_fork=True, dismissed_review=True, long_reviews=120)
    by_graphql, by_rest = both(endpoint, odd)
    for table in (each for each in UNSAID if each in by_graphql.rows):
        assert said(by_rest, table) == said(by_graphql, table)
        assert said(by_rest, table)
    assert found(by_rest) == found(by_graphql)


def test_rest_says_what_it_lacks() -> None:
    _, by_rest = both(PULLS, Knobs())
    assert "no events and no sizes" in by_rest.window["reason"]
    assert "github_pull_request_events" not in by_rest.rows or by_rest.rows["github_pull_request_events"] == []


def test_commits_beyond_250_are_unknown() -> None:
    _, by_rest = both(PULLS, Knobs(long_commits=260))
    assert found(by_rest) == ("unknown", 30, 30)
    assert "250 of 260 commits" in by_rest.window["reason"]


def test_a_repository_whose_pull_requests_are_off_is_known_to_be_empty() -> None:
    company = generate(2, 5)
    with served(company, replace(REST, pulls_disabled=("shop",))) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert found(result) == ("known_empty", 0, 0)


@pytest.mark.parametrize("endpoint", [PULLS, "github_commits"])
def test_an_empty_repository_is_known_to_be_empty(endpoint: str) -> None:
    company = generate(2, 5)
    with served(company, replace(REST, empty=("shop",))) as github:
        result = read(source_of(github), request_of(endpoint, company))
    assert found(result) == ("known_empty", 0, 0)


@pytest.mark.parametrize("endpoint", [PULLS, "github_commits"])
def test_a_deleted_repository_has_a_refused_row(endpoint: str) -> None:
    company = generate(2, 5)
    request = request_of(endpoint, company)
    company.delete(company.repositories[0])
    with served(company, REST) as github:
        result = read(source_of(github), request)
    assert found(result)[0] == "refused"


def test_a_rename_between_pages_is_followed_and_noted() -> None:
    company = generate(1, 25)
    request = request_of(PULLS, company)
    with served(company, replace(REST, renamed_between_pages=(("shop", "store"),))) as github:
        result = read(source_of(github), request)
    assert found(result) == ("known", 25, 25)
    assert result.window["name"] == "acme/store"


def test_vanished_pull_requests_are_settled_by_the_numbers() -> None:
    company = generate(1, 25)
    with served(company, replace(REST, vanishing_pulls=3)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert found(result) == ("known", 22, 22)
    numbers = {row["number"] for row in result.rows[PULLS]}
    assert {each.number for each in company.repositories[0].pulls} <= numbers


def test_a_reading_that_stops_after_each_page_loses_nothing() -> None:
    company = generate(1, 25)
    with served(company, REST) as github:
        source = source_of(github)
        result, held = Read(), None
        while (paused := next(pages(source, request_of(PULLS, company, held=held)), None)) is not None:
            result.add(paused[0])
            held = paused[1]
        details = [each.digest for each in github.log.requests if each.path.rpartition("/")[2].isdigit()]
    assert len(details) == len(set(details)) == 25
    assert found(result) == ("known", 25, 25)


def test_a_quiet_repository_costs_one_request_that_is_free() -> None:
    company = generate(1, 12)
    later = NOW + timedelta(days=30)
    with served(company, REST) as github:
        source = source_of(github)
        first = read(source, request_of(PULLS, company))
        assert first.outcome is not None
        before, points = len(github.log.requests), github.log.points
        result = read(source, request_of(PULLS, company, scope="changes", mark=first.outcome.mark, now=later))
        assert [each.status for each in github.log.requests[before:]] == [304]
        assert github.log.points == points
    assert found(result) == ("known", 12, 12)


def test_a_change_in_a_quiet_repository_is_read() -> None:
    company = generate(1, 12)
    later = NOW + timedelta(days=30)
    with served(company, REST) as github:
        source = source_of(github)
        first = read(source, request_of(PULLS, company))
        assert first.outcome is not None
        company.repositories[0].pulls[2].updated_at = "2026-11-20T00:00:00Z"
        result = read(source, request_of(PULLS, company, scope="changes", mark=first.outcome.mark, now=later))
    assert company.repositories[0].pulls[2].number in {row["number"] for row in result.rows[PULLS]}


def test_a_server_of_ones_own_is_read_below_its_paths() -> None:
    company = generate(1, 5)
    with served(company, Knobs(is_own_server=True, has_graphql=False)) as github:
        source = source_of(github, rest="/v3", path="/api")
        result = read(source, request_of(PULLS, company))
    assert found(result) == ("known", 5, 5)
