"""Cursor's page about the commits of a simulated GitHub: each pull request has another part of its commits on it.

The rows are served by the simulator of Cursor, and read by the extraction as it is deployed.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from simulator.github import Company
from simulator.github.model import Commit, PullRequest, Repository
from simulator.github.times import instant, seconds
from simulator.world import Row, World

_Plan = Callable[["_Page", PullRequest], None]
_SHORT, _TOO_SHORT = 8, 6
_TENTHS = (1, 5, 9)


def page(company: Company, beside: World | None = None) -> World:
    """Return what Cursor serves of a company's commits, beside the rows of a world of its own."""
    rows = [row for repository in company.repositories for row in _Page(repository).rows()]
    names = [each.full_name for each in company.repositories]
    return served_beside(names, rows, company.end, beside)


def page_of_four_fifths(company: Company) -> World:
    """Return a page with four of the five commits of each pull request: one of them is one that a push replaced."""
    rows: list[Row] = []
    for repository in company.repositories:
        to = _Page(repository)
        for pull in repository.pulls:
            replaced = list(_replaced(pull))
            for commit in [*pull.commits[: 4 - len(replaced)], *replaced]:
                to.add(commit)
        rows += to.added
    return served_beside([each.full_name for each in company.repositories], rows, company.end)


def served_beside(names: Sequence[str], rows: Sequence[Row], end: str, beside: World | None = None) -> World:
    """Return a world with these commits of these repositories, beside the rows of another world."""
    return World.of(
        repos=[*(beside.repos if beside else ()), *names],
        commits=[*(beside.commits.rows if beside else ()), *rows],
        pull_requests=beside.pulls.rows if beside else (),
        reviews=beside.reviews.rows if beside else (),
        members=beside.members if beside else (),
        end=end,
    )


class _Page:
    """The rows about one repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.added: list[Row] = []

    def rows(self) -> Sequence[Row]:
        """Return them."""
        for pull in self._repository.pulls:
            Random(f"{self._repository.id}/{pull.number}").choice(_PLANS)(self, pull)  # noqa: S311 seeded
        return self.added

    def add(
        self,
        commit: Commit,
        *,
        name: str = "",
        repository: str = "",
        user: str = "",
        lines: int | None = None,
        later_s: int = 60,
    ) -> None:
        """Add what Cursor says of a commit: by default that a tenth, a half or nearly all of its lines are AI's."""
        ai = commit.additions * _TENTHS[int(commit.sha[-1], 16) % 3] // 10 if lines is None else lines
        tab = ai // 3
        composer = ai - tab
        login = commit.author.login if commit.author else "somebody"
        self.added.append(
            {
                "commitHash": name or commit.sha,
                "userId": user or f"cursor_{login}",
                "userEmail": f"{user or login}@acme.test",
                "userName": login.capitalize(),
                "repoName": repository or self._repository.full_name,
                "branchName": "main",
                "isPrimaryBranch": True,
                "totalLinesAdded": commit.additions,
                "totalLinesDeleted": commit.deletions,
                "tabLinesAdded": tab,
                "tabLinesDeleted": 0,
                "composerLinesAdded": composer,
                "composerLinesDeleted": 0,
                "nonAiLinesAdded": max(0, commit.additions - tab - composer),
                "nonAiLinesDeleted": commit.deletions,
                "message": commit.headline,
                "commitTs": commit.committed_at,
                "createdAt": instant(seconds(commit.committed_at) + later_s),
            }
        )


def _replaced(pull: PullRequest) -> Iterator[Commit]:
    """Yield the commits that a push by force replaced, as far as GitHub names them."""
    known = {each.before.sha: each.before for each in pull.events if each.before}
    yield from known.values()


def _all(to: _Page, pull: PullRequest) -> None:
    for commit in pull.commits:
        to.add(commit)


def _four_fifths(to: _Page, pull: PullRequest) -> None:
    for commit in pull.commits[: -(-len(pull.commits) * 4 // 5)]:
        to.add(commit)


def _half(to: _Page, pull: PullRequest) -> None:
    for commit in pull.commits[: len(pull.commits) // 2]:
        to.add(commit)


def _none(to: _Page, pull: PullRequest) -> None:
    """Leave all its commits out."""


def _what_was_replaced(to: _Page, pull: PullRequest) -> None:
    for commit in _replaced(pull):
        to.add(commit)


def _what_was_replaced_and_the_first(to: _Page, pull: PullRequest) -> None:
    _what_was_replaced(to, pull)
    to.add(pull.commits[0])


def _both(to: _Page, pull: PullRequest) -> None:
    _what_was_replaced(to, pull)
    _all(to, pull)


def _merge_alone(to: _Page, pull: PullRequest) -> None:
    if pull.merge_commit:
        to.add(pull.merge_commit)


def _everything(to: _Page, pull: PullRequest) -> None:
    _both(to, pull)
    _merge_alone(to, pull)


def _by_short_names(to: _Page, pull: PullRequest) -> None:
    owner, _, name = pull.repository.full_name.partition("/")
    for commit in pull.commits:
        to.add(commit, name=commit.sha[:_SHORT], repository=f"{owner.upper()}/{name}.git")


def _by_too_short_names(to: _Page, pull: PullRequest) -> None:
    for commit in pull.commits:
        to.add(commit, name=commit.sha[:_TOO_SHORT])


def _by_short_names_elsewhere(to: _Page, pull: PullRequest) -> None:
    for commit in pull.commits:
        to.add(commit, name=commit.sha[:_SHORT], repository="acme/elsewhere")


def _of_two_people(to: _Page, pull: PullRequest) -> None:
    """Report each commit twice: the newer one counts, of equally new ones that of more lines."""
    for place, commit in enumerate(pull.commits):
        to.add(commit, user="cursor_b", lines=commit.additions // 3, later_s=60)
        to.add(commit, user="cursor_a", lines=commit.additions // 4, later_s=60 if place % 2 else 30)


def _of_two_repositories(to: _Page, pull: PullRequest) -> None:
    """Report each commit in a fork too, a minute later."""
    for commit in pull.commits:
        to.add(commit)
        to.add(commit, repository="kim/fork", lines=commit.additions // 4, later_s=120)


_PLANS: tuple[_Plan, ...] = (
    _all,
    _four_fifths,
    _half,
    _none,
    _what_was_replaced,
    _what_was_replaced_and_the_first,
    _both,
    _merge_alone,
    _everything,
    _by_short_names,
    _by_too_short_names,
    _by_short_names_elsewhere,
    _of_two_people,
    _of_two_repositories,
)
