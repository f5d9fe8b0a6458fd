"""What a company has on GitHub, as plain data. Instants are texts of whole seconds with `Z`, which sort by time."""

import base64
import struct
from dataclasses import dataclass, field
from typing import Literal

AccountKind = Literal["User", "Bot", "Mannequin", "Organization", "EnterpriseUserAccount"]
EventKind = Literal["ReadyForReviewEvent", "ConvertToDraftEvent", "ReviewRequestedEvent", "HeadRefForcePushedEvent"]
ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
PullState = Literal["OPEN", "CLOSED", "MERGED"]


def node_id(prefix: str, *numbers: int) -> str:
    """Return an id of GraphQL: a prefix for the type, then numbers that only GitHub reads."""
    packed = struct.pack(f">{len(numbers)}Q", *numbers)
    return f"{prefix}_{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def numbers_in(text: str) -> tuple[str, tuple[int, ...]]:
    """Return prefix and numbers of an id, the inverse of `node_id`; ValueError for another text."""
    prefix, _, packed = text.partition("_")
    data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
    if not data or len(data) % 8:
        raise ValueError(f"{text!r} is no id of a node")
    return prefix, struct.unpack(f">{len(data) // 8}Q", data)


@dataclass(slots=True, eq=False)
class Account:
    """An account of GitHub; `email` and `name` are those of its commits."""

    login: str
    number: int
    typename: AccountKind = "User"
    name: str = ""
    email: str = ""

    @property
    def node_id(self) -> str:
        """Return its id in GraphQL."""
        return node_id({"User": "U", "Bot": "BOT", "Organization": "O"}.get(self.typename, "M"), self.number)


@dataclass(slots=True, eq=False)
class Team:
    """A team, which can be asked for a review."""

    slug: str
    name: str
    number: int
    typename: Literal["Team"] = "Team"

    @property
    def node_id(self) -> str:
        """Return its id in GraphQL."""
        return node_id("T", self.number)


@dataclass(slots=True, eq=False)
class Commit:
    """A commit; `author` is the account that GitHub finds for its e-mail (None: none)."""

    sha: str
    authored_at: str
    committed_at: str
    additions: int
    deletions: int
    message: str
    author_name: str
    author_email: str
    author: Account | None
    parents: tuple[str, ...]
    typename: Literal["Commit"] = "Commit"

    @property
    def headline(self) -> str:
        """Return the first line of the message."""
        return self.message.partition("\n")[0]


@dataclass(slots=True, eq=False)
class Review:
    """A review; the author of None has deleted the account, and a pending review is not submitted."""

    number: int
    author: Account | None
    state: ReviewState
    submitted_at: str | None
    updated_at: str
    comment_count: int
    commit_sha: str | None
    body: str = ""


@dataclass(slots=True, eq=False)
class Event:
    """An event of a pull request's timeline."""

    number: int
    typename: EventKind
    at: str
    actor: Account | None
    subject: Account | Team | None = None
    before: Commit | None = None
    after: Commit | None = None

    @property
    def node_id(self) -> str:
        """Return its id in GraphQL."""
        return node_id(
            {"ReviewRequestedEvent": "RRE", "HeadRefForcePushedEvent": "HRFPE"}.get(self.typename, "EV"), self.number
        )


@dataclass(slots=True, eq=False)
class PullRequest:
    """A pull request. `requested` are those whose review is still awaited."""

    repository: "Repository"
    id: int
    number: int
    title: str
    body: str
    state: PullState
    is_draft: bool
    author: Account | None
    created_at: str
    updated_at: str
    merged_at: str | None
    closed_at: str | None
    merged_by: Account | None
    additions: int
    deletions: int
    changed_files: int
    is_cross_repository: bool
    has_head_repository: bool
    head_ref: str
    base_ref: str
    merge_commit: Commit | None
    labels: list[str]
    commits: list[Commit]
    reviews: list[Review]
    events: list[Event]
    requested: list[Account | Team]
    typename: Literal["PullRequest"] = "PullRequest"

    @property
    def node_id(self) -> str:
        """Return its id in GraphQL."""
        return node_id("PR", self.repository.id, self.number)

    @property
    def head_sha(self) -> str:
        """Return the newest commit of its branch."""
        return self.commits[-1].sha


@dataclass(slots=True, eq=False)
class Repository:
    """A repository: its `pulls` by number, and in `history` the commits of the default branch, newest first."""

    id: int
    owner: Account
    name: str
    created_at: str
    updated_at: str
    pushed_at: str | None
    default_branch: str = "main"
    language: str | None = "Python"
    is_archived: bool = False
    is_disabled: bool = False
    is_fork: bool = False
    is_private: bool = True
    has_pull_requests: bool = True
    is_hidden_by_sso: bool = False
    is_forbidden: bool = False
    pulls: list[PullRequest] = field(default_factory=list)
    history: list[Commit] = field(default_factory=list)
    typename: Literal["Repository"] = "Repository"

    @property
    def node_id(self) -> str:
        """Return its id in GraphQL."""
        return node_id("R", self.id)

    @property
    def full_name(self) -> str:
        """Return owner and name."""
        return f"{self.owner.login}/{self.name}"

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was ever pushed."""
        return not self.history

    def commit(self, sha: str) -> Commit | None:
        """Return a commit of the default branch or of a pull request, or None."""
        every = (each for commits in (self.history, *(pull.commits for pull in self.pulls)) for each in commits)
        return next((each for each in every if each.sha == sha), None)

    def reached_from(self, sha: str) -> list[Commit]:
        """Return the commits that one reaches, newest first, itself included."""
        if self.history and self.history[0].sha == sha:
            return self.history
        known = {each.sha: each for pull in self.pulls for each in pull.commits}
        known |= {each.sha: each for each in self.history}
        reached: dict[str, Commit] = {}
        waiting = [sha]
        while waiting:
            found = known.get(waiting.pop())
            if found and found.sha not in reached:
                reached[found.sha] = found
                waiting.extend(found.parents)
        return sorted(reached.values(), key=lambda each: each.committed_at, reverse=True)

    def pull(self, number: int) -> PullRequest | None:
        """Return the pull request of this number, or None."""
        if 0 < number <= len(self.pulls) and self.pulls[number - 1].number == number:
            return self.pulls[number - 1]
        return next((pull for pull in self.pulls if pull.number == number), None)


@dataclass(slots=True, eq=False)
class Company:
    """The repositories of one account.

    `former_names` are what repositories were called, in lower case. In `collaborations` the account only works: they
    belong to others.
    """

    account: Account
    people: list[Account]
    repositories: list[Repository]
    end: str
    former_names: dict[str, Repository] = field(default_factory=dict)
    collaborations: list[Repository] = field(default_factory=list)

    def find(self, full_name: str) -> Repository | None:
        """Return the repository of this name, or of this former name, or None."""
        wanted = full_name.lower()
        found = next((each for each in self.repositories if each.full_name.lower() == wanted), None)
        former = self.former_names.get(wanted)
        return found or (former if former in self.repositories else None)

    def by_id(self, number: int) -> Repository | None:
        """Return the repository of this id, or None."""
        return next((each for each in self.repositories if each.id == number), None)

    def rename(self, repository: Repository, name: str, owner: Account | None = None) -> None:
        """Change the name, or the owner, of a repository; the old full name leads to it."""
        self.former_names[repository.full_name.lower()] = repository
        repository.name = name
        repository.owner = owner or repository.owner

    def delete(self, repository: Repository) -> None:
        """Remove a repository."""
        self.repositories.remove(repository)
