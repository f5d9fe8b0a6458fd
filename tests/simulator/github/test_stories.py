"""What happens to pull requests by turns: often enough, once, and only as it can on GitHub."""

from collections import Counter

import pytest

from simulator.github import Company, Knobs, generate
from simulator.github.oddities import apply
from simulator.github.truth import rows

EVENTFUL = Knobs(eventful=True)


@pytest.fixture(scope="module")
def company() -> Company:
    told = generate(1, 300, days=100)
    apply(told, EVENTFUL)
    return told


def test_each_story_happens_to_ten_of_300_pull_requests(company: Company) -> None:
    tables = rows(company)
    pulls = tables["github_pull_requests"]
    pushes = Counter(row["force_push_count"] for row in pulls)
    assert (pushes[1] >= 30, pushes[2] >= 10) == (True, True)
    assert Counter(row["author_kind"] for row in pulls) >= Counter(user=200, bot=20, ghost=10)
    reviews = tables["github_reviews"]
    assert Counter(row["reviewer_kind"] for row in reviews) >= Counter(user=200, bot=10, ghost=10)
    assert Counter(row["state"] for row in reviews) >= Counter(dismissed=10, pending=10)
    kinds = Counter(row["kind"] for row in tables["github_pull_request_events"])
    assert kinds >= Counter(ready_for_review=30, convert_to_draft=10, head_ref_force_pushed=50)


def test_reverts_have_each_form(company: Company) -> None:
    (repository,) = company.repositories
    reverts = repository.pulls[300:]
    assert {each.state for each in reverts} == {"OPEN", "CLOSED", "MERGED"}
    assert sum(each.head_ref.startswith("revert-") for each in reverts) > 5
    assert sum(each.title.startswith('Revert "') for each in reverts) > 5
    assert sum("Reverts acme/shop#" in each.body for each in reverts) > 5
    assert any(each.headline.startswith('Revert "') and len(each.parents) == 1 for each in repository.history)


def test_second_time_changes_nothing(company: Company) -> None:
    before = rows(company)
    apply(company, EVENTFUL)
    assert rows(company) == before


def test_nothing_happens_after_the_end_but_by_a_wrong_clock(company: Company) -> None:
    tables = rows(company)
    instants = [
        row[name]
        for table, names in (
            ("github_pull_requests", ("created_at", "updated_at", "merged_at", "closed_at")),
            ("github_reviews", ("submitted_at",)),
            ("github_pull_request_events", ("at",)),
            ("github_commits", ("committed_at",)),
        )
        for row in tables[table]
        for name in names
        if row[name]
    ]
    assert max(instants) <= company.end


def test_keys_are_different(company: Company) -> None:
    tables = rows(company)
    for table, names in (
        ("github_reviews", ("id",)),
        ("github_pull_request_events", ("number", "event_id")),
        ("github_pull_requests", ("id",)),
        ("github_pull_requests", ("number",)),
    ):
        keys = [tuple(row[name] for name in names) for row in tables[table]]
        assert len(keys) == len(set(keys)), table


def test_rebase_keeps_the_authors_dates_and_moves_the_committers(company: Company) -> None:
    pushed = [each for each in company.repositories[0].pulls if any(event.before for event in each.events)]
    kept = [
        each
        for each in pushed
        if each.commits[-1].authored_at in {event.before.authored_at for event in each.events if event.before}
    ]
    assert len(kept) > 20
    for each in kept:
        (first, *_) = [event.before for event in each.events if event.before]
        assert first.sha != each.head_sha
        assert first.committed_at < each.commits[-1].committed_at
