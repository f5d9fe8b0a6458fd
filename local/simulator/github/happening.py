"""What others do while a client reads: touch and open pull requests; rename, move and delete repositories."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from simulator.github.clock import Clock
from simulator.github.knobs import Knobs
from simulator.github.model import Account, Commit, Company, PullRequest, Repository, Review

_FIRST_REVIEW = 4_900_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """What a page was about: the repositories, or what one of them has."""

    what: Literal["repositories", "pulls", "commits"]
    repository: Repository | None = None


class Others:
    """The second actor. Same knobs and same requests, same deeds."""

    def __init__(self, company: Company, knobs: Knobs, clock: Clock) -> None:
        self._company = company
        self._knobs = knobs
        self._clock = clock
        self._random = Random(knobs.seed)
        self._started: set[int] = set()
        self._deeds = 0

    def act(self, listed: Sequence[Listed]) -> None:
        """Do what follows a page of these."""
        for each in listed:
            if each.repository is None:
                self._delete()
            elif each.what == "commits":
                for _ in range(self._knobs.pushed_between_pages):
                    self._push(each.repository)
            else:
                self._after_page(each.repository)

    def _after_page(self, repository: Repository) -> None:
        for _ in range(self._knobs.touched_between_pages):
            self._touch(repository)
        for _ in range(self._knobs.opened_between_pages):
            self._open(repository)
        if repository.id not in self._started:
            self._started.add(repository.id)
            self._after_first_page(repository)

    def _delete(self) -> None:
        gone = [each for each in self._company.repositories if each.name in self._knobs.deleted_after_listing]
        for each in gone:
            self._company.delete(each)

    def _after_first_page(self, repository: Repository) -> None:
        knobs = self._knobs
        names, owners = dict(knobs.renamed_between_pages), dict(knobs.transferred_between_pages)
        del repository.pulls[1 : 1 + knobs.vanishing_pulls]
        if repository.name in knobs.replaced_between_pages:
            names[repository.name] = f"{repository.name}-old"
            self._replace(repository)
        if repository.name in owners:
            owner = Account(owners[repository.name], 9_100, "Organization")
            self._company.rename(repository, repository.name, owner)
        elif repository.name in names:
            self._company.rename(repository, names[repository.name])

    def _replace(self, repository: Repository) -> None:
        now = self._now()
        other = Repository(repository.id + 500_000, repository.owner, repository.name, now, now, now)
        other.history = repository.history[-1:]
        self._company.repositories.append(other)
        self._started.add(other.id)  # it is not replaced once more

    def _touch(self, repository: Repository) -> None:
        if repository.pulls:
            pull = self._random.choice(repository.pulls)
            pull.updated_at = now = self._now()
            author = self._random.choice(self._company.people)
            number = _FIRST_REVIEW + self._deeds
            pull.reviews.append(Review(number, author, "COMMENTED", now, now, 1, pull.head_sha))

    def _push(self, repository: Repository) -> None:
        repository.history = [self._commit(repository), *repository.history]

    def _commit(self, repository: Repository) -> Commit:
        now = self._now()
        author = self._random.choice(self._company.people)
        sha = f"{self._random.getrandbits(160):040x}"
        parents = (repository.history[0].sha,)
        return Commit(sha, now, now, 3, 1, "Do one more thing", author.name, author.email, author, parents)

    def _open(self, repository: Repository) -> None:
        commit = self._commit(repository)
        author, now = commit.author, commit.committed_at
        last = repository.pulls[-1] if repository.pulls else None
        number = last.number + 1 if last else 1
        repository.pulls.append(
            PullRequest(
                repository=repository,
                id=last.id + 1 if last else 2_900_000_000 + repository.id,
                number=number,
                title="Add one more",
                body="",
                state="OPEN",
                is_draft=False,
                author=author,
                created_at=now,
                updated_at=now,
                merged_at=None,
                closed_at=None,
                merged_by=None,
                additions=3,
                deletions=1,
                changed_files=1,
                is_cross_repository=False,
                has_head_repository=True,
                head_ref=f"more-{number}",
                base_ref=repository.default_branch,
                merge_commit=None,
                labels=[],
                commits=[commit],
                reviews=[],
                events=[],
                requested=[],
            )
        )

    def _now(self) -> str:
        """Return the instant of a deed: one second after the last."""
        self._deeds += 1
        self._clock.advance(1)
        return self._clock.instant()
