"""The choice of the way to read, and what a look at a token says."""

from dataclasses import replace

import pytest
from tests.extract.github.reading import as_app, client_of, read, request_of, source_of

from millrace.errors import RequestRejected
from millrace.extract.sources.github import estimate
from millrace.extract.sources.github.rows import Texts
from millrace.extract.sources.github.source import GitHubSource
from simulator.github import Knobs, generate, served

PULLS = "github_pull_requests"


def test_a_look_says_who_asks_what_is_seen_and_what_a_load_costs() -> None:
    company = generate(3, 120)
    with served(company) as github:
        probe = source_of(github).probe()
        requests = len(github.log.requests)
    assert (probe.login, probe.plan) == ("reader", "graphql")
    assert probe.kind == "fine-grained personal access token"
    assert sorted(probe.repositories) == ["acme/api", "acme/shop", "acme/web"]
    assert (probe.hidden, probe.refused) == (None, ())
    assert probe.budget == 5000
    assert probe.left is not None
    assert probe.left < 5000
    assert probe.cost is not None
    assert probe.cost.requests == 10  # three pages each, and one more for long lists
    assert requests < 10


def test_a_look_names_what_is_hidden_and_what_is_refused() -> None:
    company = generate(3, 12)
    with served(company, Knobs(sso_hidden=("api",), deleted_after_listing=("shop",))) as github:
        probe = source_of(github).probe()
    assert "single sign-on" in str(probe.hidden)
    assert [each.partition(":")[0] for each in probe.refused] == ["pull requests of acme/shop", "commits of acme/shop"]


def test_a_look_with_a_wrong_token_is_refused() -> None:
    with served(generate(1, 1)) as github, pytest.raises(RequestRejected, match="401"):
        source_of(github, token="ghp_wrong").probe()


def test_a_look_by_rest_does_not_guess_the_cost() -> None:
    company = generate(2, 12)
    with served(company, Knobs(has_graphql=False)) as github:
        probe = source_of(github).probe()
    assert (probe.plan, probe.cost, probe.login) == ("rest", None, None)
    assert len(probe.repositories) == 2


def test_a_look_as_an_app_says_so() -> None:
    with as_app(generate(1, 2), Knobs()) as source:
        assert source.probe().kind == "GitHub App"


def test_no_secret_is_in_the_texts_of_a_source() -> None:
    with served(generate(1, 1)) as github:
        source = source_of(github)
        assert "github_pat_simulated" not in repr(source)


def test_a_server_without_limits_has_no_budget() -> None:
    with served(generate(1, 2), Knobs(has_limits=False)) as github:
        probe = source_of(github).probe()
    assert (probe.budget, probe.left) == (None, None)


def test_a_server_is_asked_once_which_fields_it_has() -> None:
    company = generate(2, 5)
    with served(company) as github:
        source = source_of(github)
        for at in (0, 1):
            read(source, request_of(PULLS, company, at))
        assert [each.operation for each in github.log.requests] == ["Offered", "PullRequests", "PullRequests"]


def test_an_earlier_server_is_read_without_what_it_lacks() -> None:
    company = generate(1, 30, seed=3)
    for pull in company.repositories[0].pulls:
        pull.id %= 2**31  # as they were when there was no other id
        for review in pull.reviews:
            review.number %= 2**31
    lacks = ("PullRequest.isDraft", "PullRequest.fullDatabaseId", "PullRequestReview.fullDatabaseId")
    with served(company, Knobs(lacks=lacks)) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert result.window["state"] == "known"
    assert {row["id"] for row in result.rows[PULLS]} == {each.id for each in company.repositories[0].pulls}
    assert not any("is_draft" in row for row in result.rows[PULLS])


@pytest.mark.parametrize("has_graphql", [True, False], ids=["graphql", "rest"])
@pytest.mark.parametrize(
    ("texts", "columns"),
    [
        pytest.param(Texts(), {"title"}, id="titles"),
        pytest.param(Texts(titles=False), set(), id="none"),
        pytest.param(Texts(bodies=True), {"title", "body"}, id="both"),
    ],
)
def test_only_the_wanted_texts_are_read(has_graphql: bool, texts: Texts, columns: set[str]) -> None:
    company = generate(1, 3)
    with served(company, Knobs(has_graphql=has_graphql)) as github:
        result = read(replace(source_of(github), texts=texts), request_of(PULLS, company))
    assert all({"title", "body"} & set(row) == columns for row in result.rows[PULLS])
    assert all(("headline" in row) == texts.titles for row in result.rows["github_commits"])


def test_a_server_without_a_needed_list_is_read_by_rest() -> None:
    company = generate(1, 5)
    with served(company, Knobs(lacks=("PullRequest.timelineItems",))) as github:
        result = read(source_of(github), request_of(PULLS, company))
    assert result.outcome is not None
    assert result.outcome.plan == "rest full"
    assert result.window["state"] == "known"


@pytest.mark.parametrize("host", ["https://api.github.com", "https://api.acme.ghe.com"])
def test_githubs_own_servers_have_the_published_fields(host: str) -> None:
    with served(generate(1, 1)) as github:
        graphql = source_of(github).graphql
        client = replace(client_of(github.url, github.clock, "ghp_x"), base_url=host)
        source = GitHubSource(replace(graphql, client=client), "acme")
        source.reading(request_of("github_repos", github.company))  # asks nothing
        assert github.log.requests == []


@pytest.mark.parametrize(
    ("counts", "requests", "points"),
    [
        pytest.param([10_000] * 50, 10_500, 30_500, id="50 repositories of 10,000"),
        pytest.param([0, 1], 3, 7, id="small ones"),
        pytest.param([], 0, 0, id="none"),
    ],
)
def test_the_cost_of_a_first_load(counts: list[int], requests: int, points: int) -> None:
    cost = estimate.of_pull_requests(counts, 5000)
    assert (cost.requests, cost.points) == (requests, points)
    assert cost.seconds == max(requests * 3.0, points / 5000 * 3600)


def test_a_look_at_chosen_repositories_finds_them_by_any_name_and_names_those_that_do_not_exist() -> None:
    with served(generate(3, 12), Knobs(renamed=(("shop", "store"),))) as github:
        found = source_of(github).probe(("Api", "shop", "nope"))
    assert (set(found.repositories), found.unknown) == ({"acme/api", "acme/store"}, ("nope",))
