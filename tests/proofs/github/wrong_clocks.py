"""A company of GitHub in which clocks were wrong."""

from collections.abc import Callable
from itertools import cycle

from simulator.github import Company, generate
from simulator.github.model import PullRequest

CLOCKS = "epsilon"
"""The account of the company."""
_EPOCH, _EIGHTIES = "1970-01-01T00:00:00Z", "1985-06-01T00:00:00Z"


def company_with_wrong_clocks(pulls: int, end: str) -> Company:
    """Return a company of pull requests with another instant of 1970 or 1985 each, with one line, or all right."""
    company = generate(1, pulls, seed=51, days=60, end=end, account=CLOCKS)
    (repository,) = company.repositories
    repository.id += 70  # an equal id, created at the same instant, would be the repository of the first account
    for break_clock, pull in zip(cycle(_OF_GITHUB), repository.pulls, strict=False):
        break_clock(pull)
    repository.history.sort(key=lambda commit: commit.committed_at, reverse=True)
    return company


def _first_commit_of_1985(pull: PullRequest) -> None:
    pull.commits[0].authored_at = _EIGHTIES


def _every_commit_of_1970(pull: PullRequest) -> None:
    for commit in pull.commits:
        commit.authored_at = commit.committed_at = _EPOCH


def _opened_in_1970(pull: PullRequest) -> None:
    pull.created_at = _EPOCH


def _ended_in_1970(pull: PullRequest) -> None:
    pull.merged_at = _EPOCH if pull.merged_at else None
    pull.closed_at = _EPOCH if pull.closed_at else None


def _reviewed_in_1970(pull: PullRequest) -> None:
    for review in pull.reviews[:1]:
        review.submitted_at = review.submitted_at and _EPOCH


def _ready_in_1970(pull: PullRequest) -> None:
    for event in pull.events:
        event.at = _EPOCH


def _of_one_line(pull: PullRequest) -> None:
    pull.additions = 1


def _right(pull: PullRequest) -> None:
    """Leave it as it is."""


_OF_GITHUB: tuple[Callable[[PullRequest], None], ...] = (
    *(_first_commit_of_1985, _every_commit_of_1970, _opened_in_1970, _ended_in_1970, _reviewed_in_1970),
    *(_ready_in_1970, _of_one_line, _right),
)
