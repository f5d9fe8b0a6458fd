"""Removes one guard after the other, of completeness and of what leaves a machine; a check in a scenario notices it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.collect.machine import Machine, response
from tests.collect.test_repositories import made, remote
from tests.proofs.faults.world import replaced
from tests.proofs.github.account import END, NAME, Account
from tests.proofs.github.comparing import differences, silently_short
from tests.proofs.github.honest import not_proven

from millrace.collect.repositories import Owners
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


def a_machine_has_repositories_of_other_owners(account: Account) -> list[str]:
    with TemporaryDirectory(prefix="machine-") as place:
        machine = Machine(Path(place), owners=Owners(frozenset((NAME,))))
        for name in (f"{NAME}/shop", "friends/diary"):
            folder = machine.home / name
            made(folder / ".git", remote(f"git@github.com:{name}.git"))
            machine.log("claude", folder.name).write_bytes(response(folder.name, cwd=str(folder)))
        machine.collect()
        machine.ship(account.pipeline.lake)
    account.pipeline.bus.run()
    sent = {row["repository"] for row in account.rows("usage_events")}
    return [f"sent repositories: {sent}"] if sent != {f"{NAME}/shop", None} else []


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


def every_owner_is_on_the_list() -> AbstractContextManager[None]:
    return replaced(Owners, "has", lambda self, repository: True)


CAUGHT_BY: dict[Mutant, Scenario] = {
    the_different_numbers_are_not_compared_with_the_total: others_open_pull_requests_during_a_run_of_changes,
    a_list_is_over_after_its_first_page: lists_of_pull_requests_are_long,
    a_refused_repository_has_no_row: one_repository_is_forbidden,
    what_single_sign_on_hides_is_not_asked: single_sign_on_hides_a_repository,
    every_owner_is_on_the_list: a_machine_has_repositories_of_other_owners,
}
"""Every mutant, and the scenario that notices it."""
