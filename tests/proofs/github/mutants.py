"""Removes one guard of completeness after the other; in each scenario a check notices it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.proofs.faults.world import replaced
from tests.proofs.github.account import END, Account
from tests.proofs.github.comparing import differences, silently_short
from tests.proofs.github.honest import not_proven

from millrace.extract.sources.github import listing, repositories
from millrace.extract.sources.github.long_lists import PullRequest
from millrace.extract.sources.github.pull_requests import PullRequestReading
from simulator.github import Knobs, generate

Scenario = Callable[[Account], list[str]]
Mutant = Callable[[], AbstractContextManager[None]]


def others_open_pull_requests_during_a_run_of_changes(account: Account) -> list[str]:
    company = generate(1, 120, seed=22, days=20, end=END)
    with account.reading(company, Knobs()):
        account.run("full")
    with account.reading(company, Knobs(opened_between_pages=1)):
        account.run("changes")
    return not_proven(account)


def lists_of_pull_requests_are_long(account: Account) -> list[str]:
    company = generate(1, 10, seed=23, end=END)
    with account.reading(company, Knobs(long_reviews=31, long_commits=260)):
        account.run("full")
    return silently_short(account, company) + differences(account, company)


def one_repository_is_forbidden(account: Account) -> list[str]:
    company = generate(2, 10, seed=24, end=END)
    with account.reading(company, Knobs(forbidden=("api",))):
        account.run("full")
    return silently_short(account, company)


def single_sign_on_hides_a_repository(account: Account) -> list[str]:
    company = generate(2, 10, seed=25, end=END)
    with account.reading(company, Knobs(sso_hidden=("api",))):
        account.run("full")
    return silently_short(account, company)


@contextmanager
def the_different_numbers_are_not_compared_with_the_total() -> Iterator[None]:
    """Remove two guards: the judgement of a pass, and that of the window."""

    def mutated(self: PullRequestReading) -> None:
        self._state.stage = "over"

    is_every_one = replaced(PullRequestReading, "_is_every_one", lambda self: self._state.refused is None)
    with is_every_one, replaced(PullRequestReading, "_end_pass", mutated):
        yield


@contextmanager
def a_list_is_over_after_its_first_page() -> Iterator[None]:
    """Remove two guards: further pages, and the comparison with the list's total."""
    no_more = replaced(listing, "read_to_their_ends", lambda *arguments: None)
    with no_more, replaced(PullRequest, "short", None):
        yield


def a_refused_repository_has_no_row() -> AbstractContextManager[None]:
    rows = PullRequestReading.rows

    def mutated(self: PullRequestReading) -> Iterator[Any]:
        for batch in rows(self):
            windows = [row for row in batch.get("source_windows", []) if row["state"] != "refused"]
            yield {**batch, "source_windows": windows}

    return replaced(PullRequestReading, "rows", mutated)


def what_single_sign_on_hides_is_not_asked() -> AbstractContextManager[None]:
    return replaced(repositories, "why_hidden", lambda is_partial, auth: None)


CAUGHT_BY: dict[Mutant, Scenario] = {
    the_different_numbers_are_not_compared_with_the_total: others_open_pull_requests_during_a_run_of_changes,
    a_list_is_over_after_its_first_page: lists_of_pull_requests_are_long,
    a_refused_repository_has_no_row: one_repository_is_forbidden,
    what_single_sign_on_hides_is_not_asked: single_sign_on_hides_a_repository,
}
"""Every mutant, and the scenario that notices it."""
