"""What a server or a damaged object says does not stop a reading for good, and no list is without an end."""

from typing import Any

import pytest
from tests.extract.github import shapes
from tests.extract.github.listings import REPO_ID, Written, pull
from tests.extract.github.mangling import changed, repository_in
from tests.extract.github.reading import read, request_of

from millrace.errors import MillraceError, UnexpectedResponse
from millrace.extract.graphql import PageSize
from millrace.extract.sources.github.commits import CommitPage, CommitReading, Counts, Head
from millrace.extract.sources.github.fields import Fields
from millrace.extract.sources.github.listing import Numbers, Order, Page
from millrace.extract.sources.github.pull_requests import PullRequestReading
from millrace.extract.sources.github.queries import Offered
from millrace.extract.sources.github.repositories import RepositoryPage, RepositoryReading
from millrace.extract.sources.github.rows import Texts
from simulator.github import generate

pytestmark = pytest.mark.slow
COMPANY = generate(2, 7, seed=5)
MARK: dict[str, Any] = {"updated_at": "2026-10-01T00:00:00+00:00", "count": 7, "greatest": 7, "short": {}}
COMMIT_MARK = {"head": "a" * 40, "count": 3, "committed_at": "2026-10-01T00:00:00Z"}


def unchanged(body: dict[str, Any]) -> None:
    """Leave an answer as it is."""


@pytest.mark.parametrize(
    "damage",
    [
        {"count": "7"},
        {"count": None},
        {"count": -1},
        {"greatest": None},
        {"short": None},
        {"short": [1]},
        {"updated_at": "0001-01-01T00:00:00+00:00"},
        {"updated_at": "2026-10-01T00:00:00"},
        {"etag": 4},
    ],
    ids=str,
)
def test_a_damaged_mark_of_pull_requests_is_none(damage: dict[str, Any]) -> None:
    with changed(COMPANY, unchanged) as (source, _):
        result = read(source, request_of("github_pull_requests", COMPANY, scope="changes", mark=MARK | damage))
    assert result.window["state"] == "known"
    assert len(result.keys("github_pull_requests")) == 7
    assert result.outcome is not None
    assert result.outcome.plan == "graphql full"


@pytest.mark.parametrize("damage", [{"head": 5}, {"count": "x"}, {"committed_at": "0001-01-01T00:00:00Z"}], ids=str)
def test_a_damaged_mark_of_commits_is_none(damage: dict[str, Any]) -> None:
    with changed(COMPANY, unchanged) as (source, _):
        result = read(source, request_of("github_commits", COMPANY, scope="changes", mark=COMMIT_MARK | damage))
    assert result.window["state"] == "known"
    assert result.outcome is not None
    assert result.outcome.plan == "graphql full"


@pytest.mark.parametrize("held", [{}, {"seen": "x", "listed": "x"}, {"seen": "", "listed": ""}], ids=str)
@pytest.mark.parametrize("endpoint", ["github_pull_requests", "github_commits"])
def test_a_damaged_state_makes_the_task_begin_again(endpoint: str, held: dict[str, Any]) -> None:
    with changed(COMPANY, unchanged) as (source, _), pytest.raises(UnexpectedResponse, match="saved state"):
        read(source, request_of(endpoint, COMPANY, held=held))


class Circle(Written):
    """Two pages that lead to each other."""

    def __init__(self) -> None:
        super().__init__([([1, 2], 9)])
        self.asked = 0

    def page(self, name: str, order: Order, after: str | None, size: PageSize) -> Page:
        """Return one of the two pages."""
        self.asked += 1
        assert self.asked < 1000, "no end"
        return Page(REPO_ID, name, 9, None, "b" if after == "a" else "a", [pull(1), pull(2)])

    def numbers(self, name: str, after: str | None) -> Numbers:
        """Return one of two pages of numbers."""
        self.asked += 1
        assert self.asked < 1000, "no end"
        return Numbers(REPO_ID, 9, "b" if after == "a" else "a", {1: "1", 2: "2"})


@pytest.mark.parametrize("stage", ["pages", "numbers"])
def test_pages_in_a_circle_have_an_end(stage: str) -> None:
    request = request_of("github_pull_requests", COMPANY, names={REPO_ID: "acme/shop"})
    reading = PullRequestReading(request, Circle(), "acme", Texts())
    reading._state.stage = stage
    rows = [row for batch in reading.rows() for row in batch.get("source_windows", [])]
    assert [row["state"] for row in rows] == ["unknown"]
    assert "nothing new" in rows[0]["reason"]


def test_commits_in_a_circle_have_an_end() -> None:
    asked = 0

    class Listing:
        plan = "written"

        def head(self, name: str, since: str | None, then: str | None) -> Head:
            return Head(REPO_ID, "acme/shop", "a" * 40, Counts(9, 9), None)

        def page(self, name: str, head: str, since: str | None, after: str | None, size: PageSize) -> CommitPage:
            nonlocal asked
            asked += 1
            assert asked < 1000, "no end"
            one = Fields(shapes.commit("b" * 40), "commit")
            return CommitPage(REPO_ID, "acme/shop", 9, "b" if after == "a" else "a", [one])

    request = request_of("github_commits", COMPANY, names={REPO_ID: "acme/shop"})
    reading = CommitReading(request, Listing(), "acme", Texts())
    rows = [row for batch in reading.rows() for row in batch.get("source_windows", [])]
    assert [row["state"] for row in rows] == ["unknown"]
    assert "nothing new" in rows[0]["reason"]


def test_repositories_in_a_circle_have_an_end() -> None:
    class Listing:
        plan = "written"
        asked = 0

        def hidden(self, account: str) -> None:
            """Return that nothing is hidden."""

        def id_of(self, name: str) -> None:
            """Return that there is none."""

        def page(self, account: str, after: str | None, size: PageSize) -> RepositoryPage:
            self.asked += 1
            assert self.asked < 1000, "no end"
            return RepositoryPage(9, "b" if after == "a" else "a", [])

    reading = RepositoryReading(request_of("github_repos", COMPANY), Listing(), "acme")
    with pytest.raises(UnexpectedResponse, match="nothing new"):
        list(reading.rows())


def test_a_page_of_changes_without_a_pull_request_is_not_the_last_one() -> None:
    # A node that is null: this token may not see it. Older changes are on the next page.
    listing = Written([([], 2), ([1, 2], 2)])
    mark = MARK | {"count": 2, "greatest": 2}
    request = request_of("github_pull_requests", COMPANY, names={REPO_ID: "acme/shop"}, scope="changes", mark=mark)
    reading = PullRequestReading(request, listing, "acme", Texts())
    numbers = [row["number"] for batch in reading.rows() for row in batch.get("github_pull_requests", [])]
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    "errors", [[{"message": "m", "type": ["x"]}], [{"message": "m", "type": {}}], "x", [None], [{"path": 5}]], ids=str
)
def test_odd_errors_of_the_server_are_one_clear_error(errors: Any) -> None:
    with changed(COMPANY, lambda body: body.update(errors=errors)) as (source, _), pytest.raises(MillraceError):
        read(source, request_of("github_repos", COMPANY))


@pytest.mark.parametrize(
    "answer",
    [{"Commit": 5}, {"Commit": {"fields": [5]}}, {"Commit": {"fields": [{}]}}, {"Commit": {"fields": 5}}],
    ids=str,
)
def test_an_odd_schema_is_one_clear_error(answer: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        Offered.of(answer)


def test_a_bad_time_is_told_without_the_servers_text() -> None:
    # It may be anything, also the token.
    with pytest.raises(UnexpectedResponse) as error:
        Fields({"updatedAt": "ghp_0123456789012345678901234567890123456"}, "node").instant("updatedAt")
    assert "ghp_" not in str(error.value)


def test_a_head_without_a_commit_is_not_an_empty_repository() -> None:
    def change(body: dict[str, Any]) -> None:
        if target := (repository_in(body).get("defaultBranchRef") or {}).get("target"):
            target["all"] = target["since"] = {"totalCount": 0}

    with changed(COMPANY, change) as (source, _):
        result = read(source, request_of("github_commits", COMPANY))
    assert result.window["state"] == "unknown"
