"""The reading of a default branch's commits from a simulated GitHub."""

from datetime import timedelta
from typing import Any

import pytest
from tests.extract.github import shapes
from tests.extract.github.reading import NOW, Read, pages, read, request_of, source_of

from millrace.extract.graphql import PageSize
from millrace.extract.sources.github.commits import CommitPage, CommitReading, Counts, Head
from millrace.extract.sources.github.fields import Fields
from millrace.extract.sources.github.rows import Texts
from simulator.github import Company, Knobs, generate, served
from simulator.github.model import Commit

COMMITS = "github_commits"


def found(result: Read) -> tuple[str, int | None, int | None]:
    assert result.is_accounted
    window = result.window
    return window["state"], window.get("row_count"), window.get("source_total")


def mark_of(result: Read) -> Any:
    assert result.outcome is not None
    return result.outcome.mark


def truth(company: Company) -> set[tuple[Any, ...]]:
    repository = company.repositories[0]
    return {("acme", repository.id, commit.sha) for commit in repository.history}


def pushed(company: Company, at: str, number: int = 1) -> Commit:
    """Put a commit of that committer date at the head of the history."""
    repository = company.repositories[0]
    author, old = company.people[0], repository.history[0]
    commit = Commit(f"{number:040x}", at, at, 1, 0, "Fix", "Kim", "kim@acme.test", author, (old.sha,))
    repository.history.insert(0, commit)
    return commit


def test_every_commit_is_read() -> None:
    company = generate(1, 120, seed=3)
    with served(company) as github:
        result = read(source_of(github), request_of(COMMITS, company))
    history = company.repositories[0].history
    assert len(history) > 200
    assert result.keys(COMMITS) == truth(company)
    assert found(result) == ("known", len(history), len(history))
    assert mark_of(result)["head"] == history[0].sha
    assert {row["seen_in"] for row in result.rows["identities"]} == {"commit"}


def test_a_push_between_pages_moves_no_commit() -> None:
    company = generate(1, 120, seed=3)
    before = truth(company)
    with served(company) as github:
        reading, result = source_of(github).reading(request_of(COMMITS, company)), Read()
        for number, batch in enumerate(reading.rows(), 1):
            result.add(batch)
            pushed(company, "2026-11-01T13:00:00Z", number)
        result.outcome = reading.outcome()
    assert result.keys(COMMITS) == before
    assert found(result) == ("known", len(before), len(before))


def test_a_history_that_did_not_grow_costs_one_request() -> None:
    company = generate(1, 60, seed=3)
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(COMMITS, company)))
        before = len(github.log.requests)
        result = read(source, request_of(COMMITS, company, scope="changes", mark=mark))
    assert len(github.log.requests) - before == 1
    assert found(result) == ("known", len(truth(company)), len(truth(company)))
    assert mark_of(result) == mark


def test_new_commits_are_read_without_the_rest() -> None:
    company = generate(1, 120, seed=3)
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(COMMITS, company)))
        commit = pushed(company, "2026-11-01T13:00:00Z")
        result = read(source, request_of(COMMITS, company, scope="changes", mark=mark))
    assert ("acme", company.repositories[0].id, commit.sha) in result.keys(COMMITS)
    assert len(result.keys(COMMITS)) < len(truth(company)) / 2
    assert found(result) == ("known", len(truth(company)), len(truth(company)))
    assert mark_of(result)["head"] == commit.sha


def test_an_old_commit_of_a_late_merge_makes_the_reading_full() -> None:
    company = generate(1, 120, seed=3)
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(COMMITS, company)))
        old = pushed(company, "2026-03-01T00:00:00Z", 2)
        pushed(company, "2026-11-01T13:00:00Z")
        result = read(source, request_of(COMMITS, company, scope="changes", mark=mark))
    assert ("acme", company.repositories[0].id, old.sha) in result.keys(COMMITS)
    assert result.keys(COMMITS) == truth(company)
    assert found(result)[0] == "known"


def test_a_rewritten_history_is_read_in_full() -> None:
    company = generate(1, 120, seed=3)
    with served(company) as github:
        source = source_of(github)
        mark = mark_of(read(source, request_of(COMMITS, company)))
        del company.repositories[0].history[:2]
        result = read(source, request_of(COMMITS, company, scope="changes", mark=mark))
    assert result.keys(COMMITS) == truth(company)
    assert found(result) == ("known", len(truth(company)), len(truth(company)))


def test_a_head_that_is_gone_meanwhile_is_replaced_by_the_new_one() -> None:
    company = generate(1, 120, seed=3)
    with served(company) as github:
        reading, result = source_of(github).reading(request_of(COMMITS, company)), Read()
        for number, batch in enumerate(reading.rows()):
            result.add(batch)
            if number == 0:
                del company.repositories[0].history[:2]
    assert result.keys(COMMITS) >= truth(company)
    assert (result.window["state"], result.window["row_count"]) == ("known", len(truth(company)))


def test_an_empty_repository_is_known_to_be_empty() -> None:
    company = generate(1, 10)
    with served(company, Knobs(empty=("shop",))) as github:
        result = read(source_of(github), request_of(COMMITS, company))
    assert found(result) == ("known_empty", 0, 0)
    assert mark_of(result) is None


def test_recent_commits_are_provisional() -> None:
    company = generate(1, 300, seed=3)
    first = (NOW - timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = {
        ("acme", company.repositories[0].id, each.sha)
        for each in company.repositories[0].history
        if each.committed_at >= first
    }
    with served(company) as github:
        result = read(source_of(github), request_of(COMMITS, company, scope="recent"))
    assert result.keys(COMMITS) == wanted
    assert found(result) == ("provisional", len(wanted), len(truth(company)))
    assert mark_of(result) is None


def test_a_deleted_repository_has_a_refused_row() -> None:
    company = generate(2, 10)
    request = request_of(COMMITS, company)
    company.delete(company.repositories[0])
    with served(company) as github:
        result = read(source_of(github), request)
    assert found(result) == ("refused", None, None)
    assert mark_of(result) is None


def test_another_repository_under_the_old_name_is_refused() -> None:
    company = generate(2, 10)
    request = request_of(COMMITS, company, names={99: "acme/shop"})
    with served(company) as github:
        result = read(source_of(github), request)
    assert found(result)[0] == "refused"
    assert COMMITS not in result.rows


def test_a_reading_that_stops_after_each_page_asks_nothing_twice() -> None:
    company = generate(1, 120, seed=3)
    with served(company) as github:
        source = source_of(github)
        result, held = Read(), None
        while (paused := next(pages(source, request_of(COMMITS, company, held=held)), None)) is not None:
            result.add(paused[0])
            held = paused[1]
        digests = [each.digest for each in github.log.requests]
    assert len(digests) == len(set(digests))
    assert result.keys(COMMITS) == truth(company)
    assert len(result.windows) == 1


@pytest.mark.parametrize("mark", [None, {"head": "x"}, {"head": "x", "count": 1, "committed_at": "y"}])
def test_without_a_usable_mark_changes_are_a_full_reading(mark: Any) -> None:
    company = generate(1, 60, seed=3)
    with served(company) as github:
        result = read(source_of(github), request_of(COMMITS, company, scope="changes", mark=mark))
    assert result.keys(COMMITS) == truth(company)


class _Written:
    """One page of commits as it was written down, of a head that reaches so many."""

    plan = "written"

    def __init__(self, hashes: list[str], total: int) -> None:
        self._hashes, self._total = hashes, total

    def head(self, name: str, since: str | None, then: str | None) -> Head:
        return Head(7, name, self._hashes[0], Counts(self._total, self._total), None)

    def page(self, name: str, head: str, since: str | None, after: str | None, size: PageSize) -> CommitPage:
        commits = [Fields(shapes.commit(sha), "commit") for sha in self._hashes]
        return CommitPage(7, name, self._total, None, commits)


def test_a_repeated_commit_does_not_hide_a_missing_one() -> None:
    request = request_of(COMMITS, generate(1, 0), names={7: "acme/shop"})
    reading, result = CommitReading(request, _Written(["a" * 40, "b" * 40, "a" * 40], 3), "acme", Texts()), Read()
    for batch in reading.rows():
        result.add(batch)
    result.outcome = reading.outcome()
    assert found(result) == ("unknown", 2, 3)
    assert "GitHub reports 3 commits, and 2 could be read" in result.window["reason"]
    assert mark_of(result) is None
