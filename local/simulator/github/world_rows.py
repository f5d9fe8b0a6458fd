"""The rows of a world that become a company on GitHub: its people, and each pull request with its own rows."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha1

from simulator.github.model import Account
from simulator.happening import full_hash
from simulator.world import Row, World

_BOT = Account("dependabot", 49_699_333, "Bot")


@dataclass(frozen=True, slots=True)
class People:
    """The accounts of a world's people: all users, those of the team, by e-mail, and by the id of a developer."""

    accounts: list[Account]
    members: list[Account]
    by_email: dict[str, Account]
    by_id: dict[str, Account]

    @classmethod
    def of(cls, world: World) -> "People":
        """Return an account for each person who commits, reviews or is asked to; logins are from the e-mail."""
        names = {member["email"]: member["name"] for member in world.members}
        ids: dict[str, str] = {}
        for row in world.commits.rows:
            names.setdefault(row["userEmail"], row["userName"])
            ids.setdefault(row["userId"], row["userEmail"])
        for pull in world.pulls.rows:
            for email in (pull.get("author_email"), *(pull.get("reviewers") or ())):
                if email:
                    names.setdefault(email, "")
        for review in world.reviews.rows:
            if review.get("reviewer"):
                names.setdefault(review["reviewer"], "")
        by_email = {email: _account(email, name) for email, name in sorted(names.items())}
        accounts = [each for each in by_email.values() if each.typename == "User"]
        members = [by_email[member["email"]] for member in world.members] or accounts
        return cls(accounts, members, by_email, {key: by_email[email] for key, email in ids.items()})

    def author_of(self, pull: Row) -> Account | None:
        """Return the author of a pull request; None where the source does not say, as of a deleted account."""
        return self.by_id.get(pull.get("author_id") or "")


def _account(email: str, name: str) -> Account:
    """Return the account of a person, whoever else there is: a later end of a world knows more people."""
    login = email.partition("@")[0].partition("+")[0]
    if login.endswith("[bot]"):
        return Account(_BOT.login, _BOT.number, "Bot", name or login, email)
    number = int(sha1(email.encode(), usedforsecurity=False).hexdigest()[:7], 16)
    return Account(login, number, "User", name or login.capitalize(), email)


@dataclass(frozen=True, slots=True)
class PullRows:
    """A pull request, its commits in time and its reviews, as cursor-sim shows them."""

    pull: Row
    commits: list[Row]
    reviews: list[Row]


def pull_rows(world: World) -> Iterator[PullRows]:
    """Yield each pull request with its commits, also those that it does not name.

    Some pull requests name no commits, or unknown ones. Theirs are those of the branch up to the last one, which has
    the time of `updated_at`, as many as `commit_count`.
    """
    commits = {row["commitHash"]: row for row in world.commits.rows}
    named = {name for pull in world.pulls.rows for name in pull.get("commit_ids") or ()}
    left: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(commits.values(), key=lambda row: row["commitTs"]):
        if row["commitHash"] not in named:
            left[row["repoName"], row["branchName"]].append(row)
    reviews: dict[int, list[Row]] = defaultdict(list)
    for review in world.reviews.rows:
        reviews[review["pr_id"]].append(review)
    for pull in world.pulls.rows:
        own = [commits[name] for name in pull.get("commit_ids") or () if name in commits]
        own = own or _unnamed(pull, left[pull["repo_name"], pull["head_branch"]])
        yield PullRows(pull, own or [_made_up(pull)], reviews[pull["id"]])


def _unnamed(pull: Row, of_branch: list[Row]) -> list[Row]:
    last = next((at for at, row in enumerate(of_branch) if row["commitTs"] == pull["updated_at"]), None)
    if last is None:
        return []
    return of_branch[max(0, last + 1 - int(pull["commit_count"])) : last + 1]


def _made_up(pull: Row) -> Row:
    """Return the one commit of a pull request without known commits: GitHub has none without any."""
    return {
        "commitHash": full_hash(f"{pull['id']:012x}"),
        "userEmail": pull.get("author_email") or "unknown@example.com",
        "userName": pull.get("author_name") or "Unknown",
        "totalLinesAdded": pull["additions"],
        "totalLinesDeleted": pull["deletions"],
        "tabLinesAdded": 0,
        "composerLinesAdded": 0,
        "message": pull["title"],
        "commitTs": pull["created_at"],
    }
