"""The accounts of GitHub that were read, and which of their repositories count."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from simulator.github.model import Company, PullRequest, Repository

_NOREPLY = "@users.noreply.github.com"


@dataclass(frozen=True, slots=True)
class Account:
    """An account that was read: its company as it was then, and the instant of its newest reading."""

    company: Company
    as_of: datetime

    @property
    def name(self) -> str:
        """Return the name that its rows have."""
        return self.company.account.login.lower()

    @property
    def until(self) -> str:
        """Return the instant as GitHub writes it: its own have whole seconds."""
        return self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def repositories(self) -> Iterator[Repository]:
        """Return those whose commits may be read."""
        for each in self.company.repositories:
            if each.owner is self.company.account and not each.is_hidden_by_sso and not each.is_forbidden:
                yield each

    def names_of(self, repository: Repository) -> list[str]:
        """Return the full names that a repository has, and has had."""
        former = [name for name, each in self.company.former_names.items() if each is repository]
        return [repository.full_name, *former]

    def emails(self) -> dict[str, str]:
        """Return the newest e-mail address of each login in commits; one of GitHub's own only where it has no other."""
        seen: dict[str, dict[str, str]] = defaultdict(dict)
        for repository in self.repositories:
            for commit in [*repository.history, *(one for pull in pulls_of(repository) for one in pull.commits)]:
                if commit.author and commit.author.typename == "User" and commit.author_email:
                    of_login = seen[commit.author.login]
                    of_login[commit.author_email] = max(commit.committed_at, of_login.get(commit.author_email, ""))
        return {login: _of_newest(addresses) for login, addresses in seen.items()}


def pulls_of(repository: Repository) -> list[PullRequest]:
    """Return the pull requests that can be read."""
    return repository.pulls if repository.has_pull_requests else []


def counted(accounts: Sequence[Account]) -> Iterator[tuple[Account, Repository]]:
    """Yield each repository once, with the account that read it last: one that moved is in two."""
    last: dict[tuple[int, str], tuple[Account, Repository]] = {}
    for account in sorted(accounts, key=lambda each: each.as_of):
        for repository in account.repositories:
            last[repository.id, repository.created_at] = account, repository
    yield from last.values()


def _of_newest(addresses: dict[str, str]) -> str:
    own = {email: at for email, at in addresses.items() if not email.lower().endswith(_NOREPLY)} or addresses
    newest = max(own.values())
    return min(email for email, at in own.items() if at == newest)
