"""The reading of a repository's pull requests from a simulated GitHub: every one, whatever happens meanwhile."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.extract.github.reading import NOW, Read, pages, read, request_of, source_of

from millrace.errors import RequestRejected
from millrace.extract.deadline import Deadline
from millrace.extract.graphql import GraphQL
from millrace.extract.http_client import RequestStats
from simulator.github import Company, Knobs, Served, generate, served

pytestmark = pytest.mark.slow
PULLS = "github_pull_requests"
ODD = Knobs(
    ghost_author=True,
    bot_author=True,
    deleted_fork=True,
    dismissed_review=True,
    pending_review=True,
    long_reviews=75,
    long_commits=260,
    force_push=True,
    squash_merges=True,
)


def truth(company: Company, at: int = 0) -> dict[str, set[tuple[Any, ...]]]:
    """Return the keys that the tables have to have, from the company itself."""
    repository = company.repositories[at]
    key = ("acme", repository.id)
    pulls = repository.pulls
    roles = {(*key, pull.number, commit.sha, "branch") for pull in pulls for commit in pull.commits}
    roles |= {(*key, pull.number, pull.merge_commit.sha, "merge") for pull in pulls if pull.merge_commit}
    replaced = {(pull.number, event.before.sha) for pull in pulls for event in pull.events if event.before}
    roles |= {(*key, number, sha, "before_force_push") for number, sha in replaced}
    return {
        PULLS: {(*key, pull.number) for pull in pulls},
        "github_reviews": {("acme", pull.id, review.number) for pull in pulls for review in pull.reviews},
        "github_commits": {(*key, commit.sha) for pull in pulls for commit in pull.commits}
        | {(*key, sha) for _, sha in replaced},
        "github_pull_request_commits": roles,
        "github_pull_request_events": {(*key, pull.number, event.node_id) for pull in pulls for event in pull.events},
        "identities": {
            ("github", "acme", commit.author.login, commit.author_email)
            for pull in pulls
            for commit in pull.commits
            if commit.author and commit.author.typename == "User"
        },
    }


def assert_is_truth(result: Read, company: Company) -> None:
    expected = truth(company)
    assert {table: result.keys(table) for table in expected} == expected


def state_of(result: Read) -> tuple[str, int | None, int | None]:
    assert result.is_accounted or "no longer at the source" in result.window.get("reason", "")
    window = result.window
    return window["state"], window.get("row_count"), window.get("source_total")


def mark_of(result: Read) -> Any:
    assert result.outcome is not None
    return result.outcome.mark


def reads(served_: Served, operation: str) -> int:
    return sum(1 for each in served_.log.requests if each.operation == operation)


def test_every_row_is_read_whatever_the_pull_requests_are_like() -> None:
    company = generate(1, 60, seed=3)
    with served(company, ODD) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert_is_truth(result, company)
    assert state_of(result) == ("known", 60, 60)
    kinds = {row["author_kind"] for row in result.rows[PULLS]}
    assert {"ghost", "bot", "user"} <= kinds
    long = next(row for row in result.rows[PULLS] if row["commit_count"] == 260)
    roles = [row for row in result.rows["github_pull_request_commits"] if row["number"] == long["number"]]
    positions = [row["position"] for row in roles if row["role"] == "branch"]
    assert sorted(positions) == list(range(1, 261))


def test_a_long_list_is_continued_and_not_read_from_its_beginning() -> None:
    company = generate(1, 20, seed=3)
    with served(company, Knobs(long_reviews=75, long_commits=260)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert reads(github, "Rest") == 3  # reviews 30 + 45, commits 30 + 100 + 100 + 30
    assert_is_truth(result, company)


def test_a_touch_between_pages_hides_no_pull_request() -> None:
    company = generate(1, 230, seed=4)
    with served(company, Knobs(touched_between_pages=3)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert result.keys(PULLS) == truth(company)[PULLS]
    assert state_of(result) == ("known", 230, 230)


def test_a_pull_request_that_is_opened_meanwhile_is_read() -> None:
    company = generate(1, 120, seed=4)
    with served(company, Knobs(opened_between_pages=1)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert len(result.keys(PULLS)) == result.window["source_total"] > 120
    assert result.window["state"] == "known"


def test_vanished_pull_requests_are_counted_apart() -> None:
    company = generate(1, 120, seed=4)
    with served(company, Knobs(vanishing_pulls=4)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert state_of(result) == ("known", 116, 116)
    assert "4 more were read and are no longer at the source" in result.window["reason"]
    assert result.keys(PULLS) > truth(company)[PULLS]


def test_a_rename_between_pages_is_followed_and_noted() -> None:
    company = generate(1, 120, seed=4)
    request = request_of(PULLS, company)
    with served(company, Knobs(renamed_between_pages=(("shop", "store"),))) as github:
        result = read(source_of(github), request)
    assert state_of(result) == ("known", 120, 120)
    assert (result.window["name"], result.window["reason"]) == ("acme/store", "known here as acme/shop before")
    assert {row["repo_id"] for row in result.rows[PULLS]} == {company.repositories[0].id}


def test_a_transfer_between_pages_is_followed_and_noted() -> None:
    company = generate(1, 120, seed=4)
    request = request_of(PULLS, company)
    with served(company, Knobs(transferred_between_pages=(("shop", "other"),))) as github:
        result = read(source_of(github), request)
    assert state_of(result) == ("known", 120, 120)
    assert result.window["name"] == "other/shop"


def test_another_repository_under_the_old_name_is_refused() -> None:
    company = generate(1, 120, seed=4)
    request = request_of(PULLS, company)
    with served(company, Knobs(replaced_between_pages=("shop",))) as github:
        result = read(source_of(github), request)
    assert state_of(result) == ("refused", 50, 120)
    assert "is now another repository" in result.window["reason"]
    assert mark_of(result) is None


def test_a_deleted_repository_has_a_refused_row() -> None:
    company = generate(2, 10, seed=4)
    request = request_of(PULLS, company)
    company.delete(company.repositories[0])
    with served(company) as github:
        result = read(source_of(github), request)
    assert state_of(result) == ("refused", None, None)
    assert "acme/shop was deleted, or this token may not see it" in result.window["reason"]
    assert mark_of(result) is None


def test_a_repository_behind_single_sign_on_has_a_refused_row() -> None:
    company = generate(2, 10, seed=4)
    request = request_of(PULLS, company)
    with served(company, Knobs(sso_hidden=("shop",))) as github:
        result = read(source_of(github), request)
    assert state_of(result)[0] == "refused"
    assert "single sign-on" in result.window["reason"]


def test_a_repository_without_a_right_has_a_refused_row() -> None:
    company = generate(2, 10, seed=4)
    with served(company, Knobs(forbidden=("shop",))) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert state_of(result)[0] == "refused"
    assert "GitHub refused acme/shop" in result.window["reason"]
    assert mark_of(result) is None


def test_a_token_that_may_not_read_teams_reads_everything_else() -> None:
    company = generate(1, 60, seed=3)
    with served(company) as github:
        source = source_of(github)
        whole = read(source, request_of(PULLS, company))
        refusing = NoTeams(source.graphql)
        result = read(replace(source, graphql=refusing), request_of(PULLS, company))
    assert refusing.refused == 1
    assert {each for row in whole.rows[PULLS] for each in row["reviewers"]} & {"core"}
    assert not {each for row in result.rows[PULLS] for each in row["reviewers"]} & {"core"}
    assert_is_truth(result, company)
    assert state_of(result) == ("known", 60, 60)
    assert "read:org" in result.window["reason"]


class NoTeams(GraphQL):
    """GitHub's refusal of a classic token without read:org: the whole query, for one field of a team."""

    def __init__(self, graphql: GraphQL) -> None:
        super().__init__(graphql.client, graphql.path)
        self.refused = 0

    def for_task(self, stats: RequestStats, deadline: Deadline) -> GraphQL:
        """Return itself."""
        return self

    def ask(self, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """Refuse a query with a field of a team."""
        if "on Team" in query:
            self.refused += 1
            raise RequestRejected("The 'slug' field requires one of the scopes: ['read:org']", status=403)
        return super().ask(query, variables)


def test_a_refused_token_fails_the_task() -> None:
    company = generate(1, 10)
    with served(company) as github, pytest.raises(RequestRejected, match="401"):
        read(source_of(github, token="ghp_wrong"), request_of(PULLS, company))


def test_a_repository_without_pull_requests_is_known_to_be_empty() -> None:
    company = generate(1, 10)
    with served(company, Knobs(empty=("shop",))) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert state_of(result) == ("known_empty", 0, 0)


@pytest.mark.parametrize(
    "knobs",
    [
        pytest.param(Knobs(bad_gateways=(2, 3, 6)), id="502"),
        pytest.param(Knobs(partial_at=(2, 5)), id="part of the data"),
        pytest.param(Knobs(too_heavy_above_nodes=1500), id="502 above some nodes"),
        pytest.param(Knobs(partial_above_nodes=1500), id="resource limits above some nodes"),
        pytest.param(Knobs(rate_limited_at=(2, 4)), id="RATE_LIMITED"),
        pytest.param(Knobs(secondary_at=(2,), secondary_without_headers_at=(4,)), id="secondary limits"),
    ],
)
def test_a_failing_server_loses_no_row(knobs: Knobs) -> None:
    company = generate(1, 120, seed=5)
    with served(company, replace(knobs, long_reviews=75)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert_is_truth(result, company)
    assert state_of(result) == ("known", 120, 120)
    assert len(result.rows[PULLS]) == 120


def test_pages_stay_small_after_a_pause_where_large_ones_are_too_heavy() -> None:
    company = generate(1, 120, seed=5)
    with served(company, Knobs(too_heavy_above_nodes=1500)) as github:
        source = source_of(github)
        _, state = next(pages(source, request_of(PULLS, company)))
        before = len(github.log.requests)
        next(pages(source, request_of(PULLS, company, held=state)))
        statuses = [each.status for each in github.log.requests[before:]]
    assert statuses == [200]


@pytest.mark.parametrize(
    "knobs", [ODD, Knobs(vanishing_pulls=3), Knobs(opened_between_pages=1)], ids=["odd", "vanishing", "opened"]
)
def test_a_reading_that_stops_after_each_page_asks_nothing_twice(knobs: Knobs) -> None:
    company = generate(1, 120, seed=6)
    with served(company, knobs) as github:
        source = source_of(github)
        result, held = Read(), None
        while True:
            paused = next(pages(source, request_of(PULLS, company, held=held)), None)
            if paused is None:
                break
            result.add(paused[0])
            held = paused[1]
        digests = [each.digest for each in github.log.requests]
    assert len(digests) == len(set(digests))
    assert len(result.windows) == 1
    assert len(result.rows[PULLS]) == len(result.keys(PULLS)) >= result.window["row_count"]
    assert result.window["state"] == "known"


def test_recent_pull_requests_are_provisional() -> None:
    company = generate(1, 300, seed=7)
    first = (NOW - timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = {
        ("acme", company.repositories[0].id, each.number)
        for each in company.repositories[0].pulls
        if each.updated_at >= first
    }
    with served(company) as github:
        result = read(source_of(github), request_of(PULLS, company, scope="recent"))
    assert wanted <= result.keys(PULLS)
    assert state_of(result) == ("provisional", len(result.keys(PULLS)), 300)
    assert len(result.keys(PULLS)) < 300
    assert mark_of(result) is None


def test_a_recent_reading_to_the_end_is_known() -> None:
    company = generate(1, 30, seed=7)
    with served(company) as github:
        result = read(source_of(github), request_of(PULLS, company, scope="recent"))
    assert state_of(result) == ("known", 30, 30)


def test_changes_are_read_without_the_rest() -> None:
    company = generate(1, 300, seed=8)
    repository = company.repositories[0]
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(PULLS, company)))
        old = repository.pulls[3]
        old.updated_at, old.title = "2026-11-01T12:30:00Z", "Another title"
        before = len(github.log.requests)
        result = read(source, request_of(PULLS, company, scope="changes", mark=mark, now=NOW + timedelta(days=1)))
    assert len(github.log.requests) - before == 1
    assert {row["title"] for row in result.rows[PULLS] if row["number"] == old.number} == {"Another title"}
    assert state_of(result) == ("known", 300, 300)
    assert mark_of(result)["updated_at"] == "2026-11-01T12:30:00+00:00"


def test_the_last_two_weeks_are_read_again_for_changes_that_have_no_time() -> None:
    company = generate(1, 160, seed=8, days=20)
    first = (NOW - timedelta(days=13)).strftime("%Y-%m-%dT%H:%M:%SZ")
    pulls = [each for each in company.repositories[0].pulls if each.updated_at >= first and each.reviews]
    oldest = min(pulls, key=lambda each: each.updated_at)
    assert sum(each.updated_at > oldest.updated_at for each in pulls) > 50  # it is not on the first page
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(PULLS, company)))
        oldest.reviews[0].state = "DISMISSED"
        result = read(source, request_of(PULLS, company, scope="changes", mark=mark))
    reviews = {(row["state"], row["id"]) for row in result.rows["github_reviews"]}
    assert ("dismissed", oldest.reviews[0].number) in reviews


def test_a_new_pull_request_counts_once() -> None:
    company = generate(1, 120, seed=8)
    repository = company.repositories[0]
    newest = repository.pulls.pop()
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(PULLS, company)))
        repository.pulls.append(newest)
        newest.updated_at = "2026-11-01T12:30:00Z"
        result = read(source, request_of(PULLS, company, scope="changes", mark=mark))
        again = read(source, request_of(PULLS, company, scope="changes", mark=mark_of(result)))
    assert [state_of(each) for each in (result, again)] == [("known", 120, 120)] * 2


def test_changes_whose_counts_do_not_add_up_are_a_full_reading() -> None:
    company = generate(1, 120, seed=8)
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(PULLS, company)))
        del company.repositories[0].pulls[5:8]
        result = read(source, request_of(PULLS, company, scope="changes", mark=mark))
    assert state_of(result) == ("known", 117, 117)
    assert truth(company)[PULLS] <= result.keys(PULLS)
    assert result.outcome is not None
    assert result.outcome.plan == "graphql full"


@pytest.mark.parametrize("mark", [None, {"x": 1}, {"updated_at": "x", "count": 1, "greatest": 1, "short": {}}])
def test_without_a_usable_mark_changes_are_a_full_reading(mark: Any) -> None:
    company = generate(1, 120, seed=8)
    with served(company) as github:
        result = read(source_of(github), request_of(PULLS, company, scope="changes", mark=mark))
    assert_is_truth(result, company)


def test_a_change_after_the_first_page_is_read_by_the_next_run() -> None:
    company = generate(1, 120, seed=9)
    with served(company, Knobs(touched_between_pages=2)) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(PULLS, company)))
        touched = {
            (pull.number, review.number)
            for pull in company.repositories[0].pulls
            for review in pull.reviews
            if review.number >= 4_900_000_000
        }
        later = read(source, request_of(PULLS, company, scope="changes", mark=mark, now=NOW + timedelta(days=60)))
    assert len(touched) >= 6
    assert touched <= {(row["number"], row["id"]) for row in later.rows["github_reviews"]}
