"""The reading of an account's repositories: the list that all tasks follow from."""

from typing import Any

import pytest
from tests.extract.github.reading import Read, as_app, pages, read, request_of, source_of

from millrace.errors import RequestRejected
from millrace.extract.sources.github.fields import Fields
from millrace.extract.sources.github.repositories import RepositoryPage, RepositoryReading
from simulator.github import Company, Knobs, generate, served

REPOS = "github_repos"


def children_of(result: Read) -> tuple[str, ...]:
    assert result.outcome is not None
    return result.outcome.children


def ids_of(company: Company) -> list[str]:
    return sorted(str(each.id) for each in company.repositories)


def found(result: Read) -> tuple[str, int, int | None]:
    window = next(row for row in result.windows if row["object"] == "repositories")
    return window["state"], window["row_count"], window.get("source_total")


def test_every_repository_has_a_row_and_a_task() -> None:
    company = generate(103, 2)
    with served(company) as github:
        result = read(source_of(github), request_of(REPOS, company))
    assert found(result) == ("known", 103, 103)
    assert sorted(children_of(result)) == ids_of(company)
    totals = {row["repo_id"]: row["total_pull_requests_count"] for row in result.rows[REPOS]}
    assert totals == {each.id: len(each.pulls) for each in company.repositories}
    open_counts = {row["repo_id"]: row["open_pull_requests_count"] for row in result.rows[REPOS]}
    assert open_counts == {each.id: sum(pull.state == "OPEN" for pull in each.pulls) for each in company.repositories}


def test_a_disabled_repository_has_no_task_and_a_refused_row_of_each_object() -> None:
    company = generate(3, 2)
    company.repositories[1].is_disabled = True
    with served(company) as github:
        result = read(source_of(github), request_of(REPOS, company))
    disabled = str(company.repositories[1].id)
    refused = [row for row in result.windows if row["state"] == "refused"]
    assert [(row["object"], row["window"], row["name"]) for row in refused] == [
        ("pull_requests", disabled, "acme/api"),
        ("commits", disabled, "acme/api"),
    ]
    assert all("disabled" in row["reason"] for row in refused)
    assert sorted(children_of(result)) == [each for each in ids_of(company) if each != disabled]


def test_empty_and_archived_repositories_are_read() -> None:
    company = generate(3, 2)
    with served(company, Knobs(empty=("shop",), archived=("api",))) as github:
        result = read(source_of(github), request_of(REPOS, company))
    assert sorted(children_of(result)) == ids_of(company)
    flags = {row["full_name"]: (row["is_empty"], row["is_archived"]) for row in result.rows[REPOS]}
    assert flags == {"acme/shop": (True, False), "acme/api": (False, True), "acme/web": (False, False)}


@pytest.mark.parametrize("name", ["api", "acme/api", "ACME/Api"])
def test_only_the_chosen_repositories_are_read(name: str) -> None:
    company = generate(3, 2)
    with served(company) as github:
        result = read(source_of(github), request_of(REPOS, company, repositories=(name,)))
    assert [row["full_name"] for row in result.rows[REPOS]] == ["acme/api"]
    assert children_of(result) == (str(company.repositories[1].id),)
    assert found(result) == ("known", 1, 1)
    assert result.window["reason"] == "1 of 3 repositories were chosen"


def test_a_chosen_name_that_a_repository_had_before_leads_to_it() -> None:
    company = generate(3, 2)
    with served(company, Knobs(renamed=(("api", "service"),))) as github:
        result = read(source_of(github), request_of(REPOS, company, repositories=("api",)))
    assert [row["full_name"] for row in result.rows[REPOS]] == ["acme/service"]


def test_a_chosen_name_that_does_not_exist_is_named() -> None:
    company = generate(3, 2)
    request = request_of(REPOS, company, repositories=("api", "shpo"))
    with served(company) as github, pytest.raises(RequestRejected, match="got 'shpo'; correct the names"):
        read(source_of(github), request)


def test_an_account_that_does_not_exist_is_named() -> None:
    company = generate(1, 2, account="other")
    with served(company) as github, pytest.raises(RequestRejected, match="organisation or a user"):
        read(source_of(github), request_of(REPOS, company))


def test_repositories_behind_single_sign_on_make_the_list_unknown() -> None:
    company = generate(3, 2)
    with served(company, Knobs(sso_hidden=("api",))) as github:
        result = read(source_of(github), request_of(REPOS, company))
    assert found(result) == ("unknown", 2, 2)
    assert "single sign-on" in result.window["reason"]


def test_a_forbidden_repository_does_not_keep_the_others_from_being_listed() -> None:
    company = generate(3, 2)
    with served(company, Knobs(forbidden=("api",))) as github:
        result = read(source_of(github), request_of(REPOS, company))
    assert found(result) == ("known", 3, 3)
    assert sorted(children_of(result)) == ids_of(company)
    assert {row.get("total_pull_requests_count") for row in result.rows[REPOS]} == {
        None
    }  # not known without that right


def test_an_empty_list_is_unknown_and_not_empty() -> None:
    company = generate(1, 2)
    company.repositories.clear()
    with served(company) as github:
        result = read(source_of(github), request_of(REPOS, company, names={}))
    assert found(result) == ("unknown", 0, 0)
    assert "no right" in result.window["reason"]


@pytest.mark.parametrize(
    ("is_selected", "state"), [pytest.param(False, "known", id="all"), pytest.param(True, "unknown", id="selected")]
)
@pytest.mark.parametrize("has_graphql", [True, False], ids=["graphql", "rest"])
def test_an_app_sees_the_repositories_it_is_installed_on(is_selected: bool, state: str, has_graphql: bool) -> None:
    company = generate(3, 2)
    with as_app(company, Knobs(is_installation_selected=is_selected, has_graphql=has_graphql)) as source:
        result = read(source, request_of(REPOS, company))
    assert found(result) == (state, 3, 3)
    assert ("installed on selected repositories" in result.window.get("reason", "")) == is_selected


def test_a_listing_that_stops_after_each_page_asks_nothing_twice() -> None:
    company = generate(203, 0)
    with served(company) as github:
        source = source_of(github)
        result, held = Read(), None
        while (paused := next(pages(source, request_of(REPOS, company, held=held)), None)) is not None:
            result.add(paused[0])
            held = paused[1]
        digests = [each.digest for each in github.log.requests]
    assert len(digests) == len(set(digests))
    assert result.keys(REPOS) == {("acme", each.id) for each in company.repositories}
    assert len(result.windows) == 1


class _Written:
    """Passes over a list of repositories, as they were written down."""

    plan = "written"

    def __init__(self, *passes: tuple[list[int], int]) -> None:
        self._passes = list(passes)

    def page(self, account: str, after: str | None, size: Any) -> RepositoryPage:
        ids, total = self._passes.pop(0)
        nodes: list[dict[str, Any]] = [{"databaseId": each, "nameWithOwner": f"acme/{each}"} for each in ids]
        return RepositoryPage(total, None, [Fields(each, "repository") for each in nodes])

    def hidden(self, account: str) -> str | None:
        return None

    def id_of(self, name: str) -> int | None:
        return None


def read_written(*passes: tuple[list[int], int]) -> Read:
    reading = RepositoryReading(request_of(REPOS, generate(1, 0)), _Written(*passes), "acme")
    result = Read()
    for batch in reading.rows():
        result.add(batch)
    result.outcome = reading.outcome()
    return result


def test_a_repeated_repository_does_not_hide_a_missing_one() -> None:
    result = read_written(([1, 2, 2], 3), ([1, 2, 3], 3))
    assert [row["repo_id"] for row in result.rows[REPOS]] == [1, 2, 3]
    assert found(result) == ("known", 3, 3)


def test_a_repository_that_is_never_listed_makes_the_list_unknown() -> None:
    result = read_written(*[([1, 2], 3)] * 3)
    assert found(result) == ("unknown", 2, 3)
    assert "2 could be listed" in result.window["reason"]
