"""A seeded company on GitHub: same arguments, same company."""

from dataclasses import dataclass
from random import Random

from simulator.github.model import (
    Account,
    Commit,
    Company,
    Event,
    PullRequest,
    PullState,
    Repository,
    Review,
    ReviewState,
    Team,
)
from simulator.github.times import instant, seconds

DEFAULT_ACCOUNT = "acme"
DEFAULT_END = "2026-11-01T12:00:00Z"
_FIRST_REPOSITORY = 7_100_001
_FIRST_PULL = 2_401_000_000  # ids of pull requests and reviews are longer than 32 bits (SOURCES §0, row 6)
_FIRST_REVIEW = 4_301_000_000
_FIRST_EVENT = 9_001_000_000
_NAMES = ("kim", "lee", "ada", "bob", "eve", "ned", "pam", "ray", "sue", "tom")
_REPOSITORIES = ("shop", "api", "web", "infra", "mobile")
_WORDS = ("retry", "cache", "parser", "login", "search", "upload", "report", "export", "queue", "index")
_LABELS = ("bug", "feature", "docs", "chore")
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_REVIEWS: tuple[ReviewState, ...] = ("APPROVED", "APPROVED", "COMMENTED", "CHANGES_REQUESTED")


def generate(
    repositories: int = 3,
    pulls: int = 40,
    seed: int = 1,
    people: int = 6,
    days: int = 400,
    end: str = DEFAULT_END,
    account: str = DEFAULT_ACCOUNT,
    has_long_ids: bool = True,
) -> Company:
    """Return a company with so many repositories of so many pull requests each, opened in the `days` before `end`.

    Ids of pull requests and reviews are longer than 32 bits on github.com, and are not on a small own server.
    Raises ValueError for numbers below one, or fewer than two people.
    """
    if min(repositories, days) < 1 or pulls < 0 or people < 2:
        raise ValueError("expected at least 1 repository, 1 day and 2 people, and no negative number of pull requests")
    owner = Account(account, 9_000, "Organization", account.capitalize())
    crew = [_person(number) for number in range(people)]
    company = Company(owner, crew, [], end)
    for at in range(repositories):
        name = _REPOSITORIES[at] if at < len(_REPOSITORIES) else f"service-{at + 1}"
        company.repositories.append(_Growing(Random(f"{seed}/{at}"), company, at, name, days).grown(pulls))
    if not has_long_ids:
        _shorten_ids(company)
    return company


def _shorten_ids(company: Company) -> None:
    for pull in (each for repository in company.repositories for each in repository.pulls):
        pull.id -= _FIRST_PULL
        for review in pull.reviews:
            review.number -= _FIRST_REVIEW


def _person(number: int) -> Account:
    name = _NAMES[number % len(_NAMES)] + (str(number // len(_NAMES)) if number >= len(_NAMES) else "")
    return Account(name, 101 + number, "User", name.capitalize(), f"{name}@{DEFAULT_ACCOUNT}.test")


@dataclass(slots=True)
class _Course:
    """What happens to one pull request, in seconds since 1970."""

    created_s: int
    ended_s: int | None
    is_merged: bool


class _Growing:
    """Makes one repository."""

    def __init__(self, random: Random, company: Company, at: int, name: str, days: int) -> None:
        self._random = random
        self._people = company.people
        self._end_s = seconds(company.end)
        self._begin_s = self._end_s - days * _DAY_S
        self._base = at * 1_000_000
        self._reviews = self._events = 0
        created = instant(self._begin_s - _DAY_S)
        self._repository = Repository(
            _FIRST_REPOSITORY + at, company.account, name, created, created, created, is_private=at % 3 != 2
        )
        self._tip = self.commit(company.people[0], self._begin_s - _DAY_S, "Initial commit", ())

    def grown(self, pulls: int) -> Repository:
        """Return the repository with its pull requests."""
        repository = self._repository
        repository.history.append(self._tip)
        merges: list[tuple[int, PullRequest]] = []
        step_s = (self._end_s - self._begin_s - _HOUR_S) / max(pulls, 1)
        for number in range(1, pulls + 1):
            created_s = int(self._begin_s + (number - 1 + self._random.random() * 0.9) * step_s)
            course = self._course(created_s)
            pull = self._pull(number, course)
            repository.pulls.append(pull)
            if course.is_merged and course.ended_s is not None:
                merges.append((course.ended_s, pull))
        for ended_s, pull in sorted(merges, key=lambda each: each[0]):
            self._merge(pull, ended_s)
        # Of two commits of the same second the later one is first, so that the tip is.
        repository.history.reverse()
        repository.history.sort(key=lambda commit: commit.committed_at, reverse=True)
        repository.pushed_at = repository.history[0].committed_at
        repository.updated_at = max(repository.pushed_at, repository.created_at)
        return repository

    def commit(self, author: Account, at_s: int, message: str, parents: tuple[str, ...]) -> Commit:
        """Return a commit of an author."""
        when = instant(at_s)
        sha = f"{self._random.getrandbits(160):040x}"
        lines = self._random.randrange(1, 200)
        return Commit(sha, when, when, lines, lines // 3, message, author.name, author.email, author, parents)

    def _course(self, created_s: int) -> _Course:
        ended_s = created_s + int(self._random.expovariate(1 / (30 * _HOUR_S))) + 2 * _HOUR_S
        if ended_s > self._end_s - 60 or self._random.random() < 0.05:
            return _Course(created_s, None, is_merged=False)
        return _Course(created_s, ended_s, is_merged=self._random.random() < 0.88)

    def _pull(self, number: int, course: _Course) -> PullRequest:
        random = self._random
        author = random.choice(self._people)
        word = random.choice(_WORDS)
        last_s = course.ended_s or min(course.created_s + 40 * _HOUR_S, self._end_s - 60)
        commits = self._branch(author, course.created_s, last_s, word)
        state: PullState = "MERGED" if course.is_merged else "CLOSED" if course.ended_s else "OPEN"
        pull = PullRequest(
            repository=self._repository,
            id=_FIRST_PULL + self._base + number,
            number=number,
            title=f"{random.choice(('Add', 'Fix', 'Change'))} {word}",
            body=f"What the {word} needs.",
            state=state,
            is_draft=False,
            author=author,
            created_at=instant(course.created_s),
            updated_at=instant(last_s),
            merged_at=instant(last_s) if state == "MERGED" else None,
            closed_at=instant(last_s) if state != "OPEN" else None,
            merged_by=random.choice(self._people) if state == "MERGED" else None,
            additions=sum(each.additions for each in commits),
            deletions=sum(each.deletions for each in commits),
            changed_files=random.randrange(1, 12),
            is_cross_repository=False,
            has_head_repository=True,
            head_ref=f"{word}-{number}",
            base_ref=self._repository.default_branch,
            merge_commit=None,
            labels=random.sample(_LABELS, random.randrange(3)),
            commits=commits,
            reviews=[],
            events=[],
            requested=[],
        )
        self._talk(pull, course.created_s, last_s)
        return pull

    def _branch(self, author: Account, created_s: int, last_s: int, word: str) -> list[Commit]:
        random = self._random
        commits: list[Commit] = []
        at_s = created_s - random.randrange(60, 2 * _DAY_S)
        for turn in range(random.choice((1, 1, 2, 3, 5))):
            message = f"Work on {word}, part {turn + 1}"
            if random.random() < 0.3:
                message += "\n\nBy hand and by machine.\n\nCo-authored-by: Claude <noreply@anthropic.com>"
            commits.append(self.commit(author, at_s, message, (commits[-1].sha if commits else self._tip.sha,)))
            at_s = min(at_s + random.randrange(60, 6 * _HOUR_S), last_s)
        return commits

    def _talk(self, pull: PullRequest, created_s: int, last_s: int) -> None:
        """Add what others asked and answered."""
        random = self._random
        others = [each for each in self._people if each is not pull.author]
        asked = random.choice(others)
        at_s = created_s
        if random.random() < 0.2:
            at_s = random.randrange(created_s, last_s)
            if pull.state == "OPEN" and random.random() < 0.3:
                pull.is_draft = True
            else:
                pull.events.append(Event(self._next_event(), "ReadyForReviewEvent", instant(at_s), pull.author))
        pull.events.append(Event(self._next_event(), "ReviewRequestedEvent", instant(at_s), pull.author, asked))
        count = random.choice((0, 1, 1, 2, 3))
        times = sorted(random.randrange(at_s, last_s + 1) for _ in range(count))
        for place, when_s in enumerate(times):
            reviewer = asked if place == 0 else random.choice(others)
            when = instant(when_s)
            state = random.choice(_REVIEWS)
            sha = pull.commits[-1].sha
            pull.reviews.append(Review(self._next_review(), reviewer, state, when, when, random.randrange(4), sha))
        if not count:
            pull.requested = [asked, Team("core", "Core", 7_001)] if random.random() < 0.3 else [asked]

    def _merge(self, pull: PullRequest, ended_s: int) -> None:
        history = self._repository.history
        message = f"Merge pull request #{pull.number} from {self._repository.owner.login}/{pull.head_ref}"
        by = pull.merged_by or self._people[0]
        pull.merge_commit = self.commit(by, ended_s, message, (self._tip.sha, pull.head_sha))
        history.extend((*pull.commits, pull.merge_commit))
        self._tip = pull.merge_commit

    def _next_event(self) -> int:
        self._events += 1
        return _FIRST_EVENT + self._base + self._events

    def _next_review(self) -> int:
        self._reviews += 1
        return _FIRST_REVIEW + self._base * 10 + self._reviews
