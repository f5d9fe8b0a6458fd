"""What a simulated account of GitHub dates before 1990: unknown, and counted."""

from collections.abc import Iterator, Sequence

from simulator.github.model import Commit, Repository
from simulator.truth.github.accounts import Account, pulls_of
from simulator.truth.github.instants import happened
from simulator.truth.implausible import BEFORE_1990, counted
from simulator.world import Row


def implausible_values(accounts: Sequence[Account]) -> list[Row]:
    """Return the rows of the mart, of all that can be read, whatever the delivery marts count of it."""
    return [row for account in accounts for row in counted("github", account.name, _found(account))]


def _found(account: Account) -> Iterator[tuple[str, str, int]]:
    for repository in account.repositories:
        for pull in pulls_of(repository):
            yield "github_pull_requests", BEFORE_1990, _early(pull.created_at, pull.merged_at, pull.closed_at)
            for review in pull.reviews:
                yield "github_reviews", BEFORE_1990, _early(review.submitted_at)
            for event in pull.events:
                yield "github_pull_request_events", BEFORE_1990, _early(event.at)
        for commit in {each.sha: each for each in _commits(repository)}.values():
            yield "github_commits", BEFORE_1990, _early(commit.authored_at, commit.committed_at)


def _commits(repository: Repository) -> Iterator[Commit]:
    yield from repository.history
    for pull in pulls_of(repository):
        yield from pull.commits
        yield from (event.before for event in pull.events if event.before)
        if pull.merge_commit:
            yield pull.merge_commit


def _early(*instants: str | None) -> int:
    return sum(text is not None and happened(text) is None for text in instants)
